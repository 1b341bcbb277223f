"""What of a record that cannot be taken is in its dead letter."""

from hashlib import sha256

import pytest

from streams.intake import Intake
from streams.topics import TopicNames
from streams.wire.carried import CUT, KEPT_BYTES, MOST_BYTES, carried
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
