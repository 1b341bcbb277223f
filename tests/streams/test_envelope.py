"""Key and headers of an event that is sent."""

import json

import pytest

from streams.wire import Rejected, decode, decode_line, received_time
from streams.wire.envelope import Envelope, envelope


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b'{"userId":"u1"}', b"u1"),
        (b'{"userId":7,"anonymousId":"a"}', b"7"),
        (b'{"userId":"","anonymousId":"a"}', b"anonymous:a"),
        (b'{"userId":null}', None),
        (b'{"userId":"anonymous:a"}', None),
        (b"[1]", None),
        (b"no json", None),
    ],
)
def test_the_key_is_the_contacts_id(line: bytes, key: bytes | None) -> None:
    assert envelope(line) == Envelope(key, [])


@pytest.mark.parametrize(
    ("more", "event_time", "header"),
    [
        ({}, False, None),
        ({"timestamp": 1767225600000}, False, None),
        ({"timestamp": 1767225600000}, True, b"1767225600000"),
        ({"timestamp": 1, "receivedAt": "2026-01-01T00:00:00.5Z"}, True, b"1767225600500"),
        ({"receivedAt": None}, False, None),
    ],
)
def test_the_header_is_the_received_time(
    more: dict[str, object], event_time: bool, header: bytes | None
) -> None:
    found = envelope(json.dumps({"userId": "u1", **more}).encode(), event_time=event_time)
    assert found.headers == ([] if header is None else [("received_at", header)])


@pytest.mark.parametrize("bad", ["yesterday", 10**18, True, {}])
def test_an_unreadable_received_time_makes_it_the_dead_letter_that_it_is_in_a_file(bad: object) -> None:
    line = json.dumps({"type": "track", "event": "A", "userId": "u1", "receivedAt": bad}).encode()
    [(_, header)] = envelope(line).headers
    live = decode(line, received_time([("received_at", header)], 1767225600000), now_ms=1767225600000)
    in_a_file = decode_line(line)
    assert isinstance(live, Rejected)
    assert isinstance(in_a_file, Rejected)
    assert live.reason == in_a_file.reason == "bad_timestamp"


def test_digits_beyond_milliseconds_are_cut_off_not_rounded() -> None:
    assert envelope(b'{"receivedAt":1767225600.1239999999}').headers == [("received_at", b"1767225600123")]
