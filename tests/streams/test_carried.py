"""What of a record that cannot be taken is in its dead letter."""

from hashlib import sha256

import pytest

from streams.intake import Intake
from streams.topics import TopicNames
from streams.wire import Reason, Rejected, dead_letter_headers, shortened
from streams.wire.carried import CUT, KEPT_BYTES, MOST_BYTES, Headers, carried
from tests.streams.in_memory import FedRecord

LONG = KEPT_BYTES + 10


def test_a_record_of_any_usual_length_is_carried_whole() -> None:
    headers = [("mine", b"\xff"), ("none", None)]
    assert carried(b"k", b"v" * LONG, headers) == (b"k", b"v" * LONG, headers, [])
    assert carried(None, None, []) == (None, None, [], [])


@pytest.mark.parametrize("part", ["key", "value", "headers"])
def test_of_one_that_is_too_long_the_beginnings_are_left_and_its_true_lengths(part: str) -> None:
    key = b"k" * (LONG if part == "key" else 3)
    value = b"v" * (LONG if part == "value" else 3)
    headers = [("mine", b"h" * (LONG if part == "headers" else 3))]
    found = carried(key, value, headers, most_bytes=LONG)
    assert found.key == key[:KEPT_BYTES]
    assert found.value == value[:KEPT_BYTES]
    assert found.headers == ([] if part == "headers" else headers)
    assert dict(found.said) == {
        CUT: b"%d" % len(value),
        "cut_value_sha256": sha256(value).hexdigest().encode(),
        "cut_key_bytes": b"%d" % len(key),
        "cut_headers_bytes": b"%d" % (4 + len(headers[0][1])),
    }


def test_what_a_dead_letter_takes_is_bounded_whatever_the_record_is() -> None:
    value = b"x" * (MOST_BYTES + 1)
    record = FedRecord(7, b"u", value, 1_770_000_000_000, [("mine", b"1")])
    taken = Intake(0, TopicNames(), 1, 300_000).take("events", [record], 1_770_000_000_000)
    (letter,) = taken.dead_letters
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (b"u", b"x" * KEPT_BYTES)
    assert (headers["reason"], headers["mine"], headers[CUT]) == (b"too_large", b"1", b"%d" % len(value))
    assert headers["source_offset"] == b"7"


def _letter_headers(headers: list[tuple[str, bytes | None]], received_ms: int | None = 1) -> Headers:
    return dead_letter_headers(
        Rejected(Reason.TOO_LARGE, "is long"),
        source_topic="events",
        source_partition=3,
        source_offset=7,
        received_ms=received_ms,
        failed_ms=2,
        headers=headers,
    )


@pytest.mark.parametrize("part", ["key", "value", "headers"])
@pytest.mark.parametrize("received_ms", [1, None])
def test_the_short_form_of_a_dead_letter_is_that_of_a_record_that_is_too_long(
    part: str, received_ms: int | None
) -> None:
    key = b"k" * (LONG if part == "key" else 3)
    value = b"v" * (LONG if part == "value" else 3)
    headers: Headers = [("mine", b"h" * (LONG if part == "headers" else 3)), ("none", None)]
    short = shortened(key, value, _letter_headers(headers, received_ms))
    left = carried(key, value, headers, most_bytes=LONG)
    assert left.said
    assert short == (left.key, left.value, _letter_headers(left.headers, received_ms) + left.said)
    assert shortened(*short) is None, "there is none shorter"


def test_what_is_no_dead_letter_or_a_short_one_has_no_short_form_whatever_headers_a_producer_gave_it() -> (
    None
):
    long = b"v" * LONG
    assert shortened(b"k", b"v", _letter_headers([("mine", b"1")])) is None
    assert shortened(None, None, _letter_headers([])) is None
    assert shortened(b"k", long, [("ce_id", b"1")]) is None
    assert shortened(b"k", long, []) is None
    sent_on = [*_letter_headers([])[-6:], ("source_offset", b"9"), ("received_at", b"1")]
    assert shortened(b"k", long, sent_on) is None
    # A header of the record's own that says that it is cut does not make it so.
    short = shortened(b"k", long, _letter_headers([(CUT, b"5")]))
    assert short is not None
    assert short.value == long[:KEPT_BYTES]


@pytest.mark.parametrize("length", [10, LONG])
def test_headers_that_no_topic_needs_to_take_are_not_sent_on(length: int) -> None:
    headers = [("mine", b"h" * length)]
    record = FedRecord(7, b"other", b'{"type":"page","userId":"u"}', 1_770_000_000_000, headers)
    (output,) = Intake(0, TopicNames(), 1, 300_000).take("events", [record], 1_770_000_000_000).forwards
    ours = [("source_topic", b"events"), ("source_partition", b"0"), ("source_offset", b"7")]
    assert output.headers == [*(headers if length == 10 else []), *ours, ("received_at", b"1770000000000")]
