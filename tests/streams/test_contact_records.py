"""A contact's record as bytes."""

import msgspec
import pytest

from rules.contact import Contact, Membership
from rules.policy import Standing
from streams.records import FORMAT_FIELD, NewerRecord, NewerState, decode_record, encode_record, refuse_newer


def _contact(standings: dict[int, Standing]) -> Contact:
    return Contact(
        "u1",
        now_ms=5,
        first_received_ms=3,
        wake_ms=9,
        seen=bytearray(b"12345678"),
        features={0: [1, 2], 7: "x"},
        memberships={2: Membership(3, 4, 9)},
        standings=standings,
    )


@pytest.mark.parametrize(
    ("standings", "version"),
    [({}, 1), ({2: Standing(verdict=True, since_ms=4, says=False, left_ms=2)}, 2)],
)
def test_it_is_read_as_it_was_written_in_the_oldest_format_that_has_it_all(
    standings: dict[int, Standing], version: int
) -> None:
    contact = _contact(standings)
    record = encode_record(contact, 6)
    assert msgspec.msgpack.decode(record)[0] == version
    assert decode_record("u1", record) == (contact, 6)


def test_state_of_a_newer_version_is_not_touched() -> None:
    refuse_newer(3, {})
    refuse_newer(3, {FORMAT_FIELD: b"1"})
    with pytest.raises(NewerState, match=r"state of partition 3 has format 2, .* formats up to 1"):
        refuse_newer(3, {FORMAT_FIELD: b"2"})
    with pytest.raises(NewerRecord, match=r"format \\n"):
        refuse_newer(3, {FORMAT_FIELD: b"\n"})


def test_a_record_of_a_newer_version_is_not_touched() -> None:
    record = msgspec.msgpack.encode([3, 0, "whatever comes"])
    with pytest.raises(NewerRecord, match="has format 3"):
        decode_record("u1", record)
