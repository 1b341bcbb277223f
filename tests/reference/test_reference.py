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
    every = set(range(START - 60, max(START + 200, (until_ms or 0) + 1)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partition, "moments_to_look_at", lambda *_: every)
        assert judge(segments, records, until_ms) == expected


EVENT_AND_WAIT = {"did": "A", "within": "10ms"}


def _moves(
    segments: list[dict[str, Any]], offsets: list[int], groups: list[dict[str, Any]] | None = None
) -> list[tuple[int, str]]:
    """What becomes of a contact who does A at these milliseconds, as (millisecond, ``+key`` or ``-key``)."""
    records = [{"type": "track", "event": "A", "userId": "u", "timestamp": START + at} for at in offsets]
    transitions = judge(segments, records, START + 100, groups).transitions.get("u", [])
    return [(move.at_ms - START, ("+" if move.entered else "-") + move.segment) for move in transitions]


def test_policies_wait_for_a_yes_and_for_a_no_without_a_break() -> None:
    late = {"key": "late", "when": EVENT_AND_WAIT, "enter_after": "10ms"}
    assert _moves([late], [0]) == []
    assert _moves([late], [0, 9]) == [(10, "+late"), (19, "-late")]
    assert _moves([late], [0, 10, 19]) == [(10, "+late"), (29, "-late")]
    lasting = {"key": "lasting", "when": EVENT_AND_WAIT, "exit_after": "5ms"}
    assert _moves([lasting], [0, 14]) == [(0, "+lasting"), (29, "-lasting")]
    assert _moves([lasting], [0, 15]) == [(0, "+lasting"), (30, "-lasting")]
    assert _moves([lasting], [0, 16]) == [
        (0, "+lasting"),
        (15, "-lasting"),
        (16, "+lasting"),
        (31, "-lasting"),
    ]


def test_after_an_exit_nobody_enters_before_the_cooldown_is_over_and_whoever_is_due_enters_then() -> None:
    cooled = {"key": "cooled", "when": EVENT_AND_WAIT, "cooldown": "5ms"}
    assert _moves([cooled], [0, 12]) == [(0, "+cooled"), (10, "-cooled"), (15, "+cooled"), (22, "-cooled")]
    assert _moves([{**cooled, "cooldown": "20ms"}], [0, 12]) == [(0, "+cooled"), (10, "-cooled")]


def test_a_group_has_one_member_and_hands_over_with_the_exit_first() -> None:
    first = {"key": "first", "when": {"did": "A", "within": "10ms", "at_least": 2}}
    second = {"key": "second", "when": {"did": "A", "within": "30ms"}, "cooldown": "1s"}
    group = {"key": "group", "exclusive": ["first", "second"]}
    assert _moves([first, second], [0, 5], [group]) == [
        (0, "+second"), (5, "-second"), (5, "+first"), (10, "-first"), (10, "+second"), (35, "-second"),
    ]  # fmt: skip


def test_whoever_names_a_segment_follows_it_at_the_same_moment() -> None:
    named = {"key": "z", "when": EVENT_AND_WAIT}
    follower = {"key": "a", "when": {"member_of": "z"}, "exit_after": "5ms"}
    other = {"key": "b", "when": {"all": [{"not_member_of": "a"}, {"did": "A"}]}}
    assert _moves([follower, other, named], [0]) == [
        (0, "+z"), (0, "+a"), (10, "-z"), (15, "-a"), (15, "+b"),
    ]  # fmt: skip
