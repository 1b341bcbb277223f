"""The reference is right where it is easy to say what right is."""

from typing import Any

import pytest
from hypothesis import given

from tests.properties import definitions, histories
from tests.reference import judge, partition
from tests.reference.moments import moment_ms

START = 1_767_607_200_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-05", 1_767_571_200_000),
        ("2026-01-05T10:00Z", START),
        ("2026-01-05 10:00:00.0009", START),
        ("2026-01-05T12:00:00.5+02", START + 500),
        ("2026-01-05T07:30:00-0230", START),
        ("2026-02-29", None),
        ("2024-02-29", 1_709_164_800_000),
        ("2026-01-05T10:00:00z", None),
        ("1969-12-31T23:59:59.9999Z", -1),
        (1_767_607_200, START),
        (1_767_607_200.0019, START + 1),
        (START, START),
        (True, None),
        ("1767607200", None),
        (None, None),
    ],
)
def test_moments_are_read_as_section_2_says(value: Any, expected: int | None) -> None:
    assert moment_ms(value) == expected


def test_an_event_leaves_its_window_at_exactly_its_time_plus_the_window() -> None:
    event = {"type": "track", "event": "A", "userId": "u", "timestamp": START, "messageId": "m"}
    judged = judge([{"key": "s", "when": {"did": "A", "within": "5ms"}}], [event], until_ms=START + 5)
    moves = [
        (t.entered, t.at_ms - START, t.sequence, t.reason, t.cause, t.member_for_ms)
        for t in judged.transitions["u"]
    ]
    assert moves == [(True, 0, 1, "event", "m", None), (False, 5, 2, "time", None, 5)]
    assert (
        len(judge([{"key": "s", "when": {"did": "A", "within": "5ms"}}], [event], START + 4).transitions["u"])
        == 1
    )


@given(definitions.segments, histories.records(max_size=6), histories.untils_ms)
def test_looking_at_candidate_moments_finds_what_looking_at_every_millisecond_finds(
    segments: list[dict[str, Any]], records: list[histories.Record], until_ms: int | None
) -> None:
    expected = judge(segments, records, until_ms)
    every = set(range(START - 60, START + 200))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition, "moments_to_look_at", lambda *_: every)
        assert judge(segments, records, until_ms) == expected
