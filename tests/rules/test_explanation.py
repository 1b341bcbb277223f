"""What people are told of one contact: what is missing, what would end it, and when it changes by itself."""

import json
from typing import Any

import pytest

from rules.durations import DAY_MS, HOUR_MS, parse_moment
from rules.explanation import SegmentView, views
from streams.replay import Replay
from tests.properties.engine import catalog_of

START_MS = parse_moment("2026-01-05T10:00:00Z")
"""A Monday."""
C = {"did": "Click"}


def explained(
    *events: str, as_of_ms: int = DAY_MS, groups: list[Any] | None = None, **segments: Any
) -> dict[str, SegmentView]:
    """Each event: its hours after the start, its name, and its property ``p``."""
    definitions = [
        {"key": key.replace("_", "-"), **(spec if "when" in spec else {"when": spec})}
        for key, spec in segments.items()
    ]
    replay = Replay(catalog_of(definitions, groups or []))
    lines = [_line(event) for event in events]
    list(
        replay.run(
            lines, until_ms=START_MS + as_of_ms, max_future_skew_ms=0, reject=lambda *_: pytest.fail(str(_))
        )
    )
    keys = [segment["key"] for segment in definitions]
    return {
        view.segment: view for view in views(replay.catalog, replay.contacts["u"], START_MS + as_of_ms, keys)
    }


def _line(event: str) -> bytes:
    hours, name, *value = event.split()
    at_ms = START_MS + int(float(hours) * HOUR_MS)
    told = {"type": "track", "event": name, "userId": "u", "timestamp": at_ms}
    if name == "identify":
        told = {"type": "identify", "traits": {"plan": value[0]}, "userId": "u", "timestamp": at_ms}
    elif value:
        told["properties"] = {"p": json.loads(value[0])}
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("when", "events", "needs"),
    [
        ({**C, "at_least": 3, "within": "7d"}, ["0 Other"], "3 Click within 7d"),
        (
            {**C, "at_least": 3, "within": "7d"},
            ["4.5 Click"],
            "2 more Click before Monday 2026-01-12 14:30 UTC",
        ),
        ({**C, "at_least": 3}, ["1 Click"], "2 more Click"),
        ({**C, "within": "7d"}, ["1 Click"], "no Click until Monday 2026-01-12 11:00 UTC"),
        (C, ["1 Click"], "nothing: that is for good"),
        ({**C, "at_most": 1}, ["1 Click"], "1 more Click"),
        ({**C, "at_most": 1}, ["1 Click", "2 Click"], "nothing: that is for good"),
        (
            {**C, "at_most": 1, "within": "2d"},
            ["1 Click", "2 Click"],
            "no Click until Wednesday 2026-01-07 11:00 UTC",
        ),
        (
            {**C, "exactly": 2, "within": "2d"},
            ["1 Click", "2 Click"],
            "no Click until Wednesday 2026-01-07 11:00 UTC or 1 more Click before Wednesday 2026-01-07 11:00 UTC",
        ),
        ({**C, "at_most": 1, "within": "2d"}, ["0 Other"], "2 Click within 2d"),
        # Two at once: no moment at which there are exactly two.
        (
            {**C, "exactly": 2, "within": "2d"},
            ["1 Click", "1 Click", "2 Click"],
            "did Click exactly twice within 2d",
        ),
        (
            {"not": {**C, "at_most": 1, "within": "2d"}},
            ["1 Click"],
            "1 more Click before Wednesday 2026-01-07 11:00 UTC",
        ),
        ({**C, "since": "2026-01-09"}, ["1 Click"], "1 Click since 2026-01-09"),
        (
            {"did_not": "Click", "between": ["2026-01-09", "2026-01-10"]},
            ["1 Click"],
            "Click from 2026-01-09 to before 2026-01-10",
        ),
        ({**C, "at_least": 2, "where": {"p": 1}}, ["1 Click 1"], "1 more Click where p is 1"),
        ({"did_not": "Click", "within": "2d"}, ["1 Other"], "Click"),
        (
            {"did_not": "Click", "within": "2d"},
            ["1 Click"],
            "no Click until Wednesday 2026-01-07 11:00 UTC",
        ),
        (
            {"did_not": "*", "within": "2d"},
            ["1 Click"],
            "no event until Wednesday 2026-01-07 11:00 UTC",
        ),
        (
            {"did": "*", "at_least": 3, "within": "2d"},
            ["1 Click"],
            "2 more events before Wednesday 2026-01-07 11:00 UTC",
        ),
        ({"did_not": "Click"}, ["1 Click"], "nothing: that is for good"),
        (
            {**C, "sum": "p", "at_least": 100, "within": "7d"},
            ["1 Click 60.5"],
            "39.5 more p of Click before Monday 2026-01-12 11:00 UTC",
        ),
        (
            {**C, "sum": "p", "at_most": 100, "within": "7d"},
            ["1 Click 60.5"],
            "more than 39.5 more p of Click before Monday 2026-01-12 11:00 UTC",
        ),
        (
            {**C, "sum": "p", "at_most": 50, "within": "7d"},
            ["1 Click 60.5"],
            "did Click with a sum of p at most 50 within 7d (by itself at Monday 2026-01-12 11:00 UTC)",
        ),
        (
            {"not": {**C, "distinct": "p", "at_least": 1, "within": "7d"}},
            ["1 Click 1"],
            "no Click until Monday 2026-01-12 11:00 UTC",
        ),
        ({**C, "sum": "p", "more_than": 100}, ["1 Click 60"], "more than 40 more p of Click"),
        ({**C, "distinct": "p", "at_least": 3}, ["1 Click 60"], "2 more different p of Click"),
        (
            {**C, "days": True, "at_least": 3, "within": "7d"},
            ["1 Click"],
            "2 more dates of Click before Monday 2026-01-12 11:00 UTC",
        ),
        ({**C, "average": "p", "at_least": 3}, ["1 Click 1"], "did Click with an average of p at least 3"),
        ({"trait": "plan", "is": "pro"}, ["1 Click"], "trait plan is pro"),
        ({"trait": "plan", "is": "pro"}, ["1 identify pro"], "no longer: trait plan is pro"),
        ({"known_for": "3d"}, ["1 Click"], "known for 3d or longer (at Thursday 2026-01-08 11:00 UTC)"),
        (
            {"sequence": {"steps": [{"did": "A"}, {"did": "B", "within": "1h"}]}},
            ["1 A"],
            "A, then B within 1h (0 of 2 steps)",
        ),
        (
            {"sequence": {"steps": [{"did": "A"}, {"did": "B", "within": "1d"}, {"did": "C"}]}},
            ["0 A", "1 A"],
            "A, then B within 1d, then C (1 of 3 steps, the next by Tuesday 2026-01-06 11:00 UTC)",
        ),
        (
            {"sequence": {"steps": [{"did": "A"}, {"did": "B", "within": "1d"}, {"did": "C"}]}},
            ["0 A", "1 B"],
            "A, then B within 1d, then C (2 of 3 steps)",
        ),
        (
            {"sequence": {"steps": [{"did": "A"}], "then_not": {"did": "B", "within": "2d"}}},
            ["1 A", "2 B"],
            "A, then no B within 2d (0 of 1 steps)",
        ),
        ({"sequence": {"steps": [{"did": "A"}, {"did": "B"}]}}, ["1 A", "2 B"], "nothing: that is for good"),
        (
            {"sequence": {"steps": [{"did": "A"}], "then_not": {"did": "B", "within": "1h"}}},
            ["1 A"],
            "B, arriving late",
        ),
        ({"sample": 0.01}, ["1 Click"], "nothing: that is for good"),
        ({"known_for": "3h"}, ["1 Click"], "nothing: that is for good"),
        (
            {"first": "Click", "property": "p", "is": 2},
            ["1 Click 1"],
            "p of the first Click is 2, by an earlier one that arrives late",
        ),
        ({"first": "Click", "property": "p", "is": 2}, ["1 Other"], "p of the first Click is 2"),
        (
            {"latest": "Click", "property": "p", "is": 1, "within": "2d"},
            ["1 Click 1"],
            "no longer: p of the latest Click within 2d is 1 (by itself at Wednesday 2026-01-07 11:00 UTC)",
        ),
        (
            {"sequence": {"steps": [{"did": "A"}], "then_not": {"did": "B", "within": "2d"}}},
            ["1 A"],
            "no B until Wednesday 2026-01-07 11:00 UTC",
        ),
        (
            {"score": {"at_least": 25, "of": [{"points": 10, "each": C}]}},
            ["1 Click"],
            "15 more points of the score",
        ),
        (
            {
                "score": {
                    "at_least": 25,
                    "of": [
                        {"points": 10, "each": {**C, "within": "2d"}},
                        {"points": 5, "when": {"did": "A", "within": "1d"}},
                    ],
                }
            },
            ["1 Click", "2 A"],
            "10 more points of the score before Tuesday 2026-01-06 12:00 UTC",
        ),
        (
            {"all": [{**C, "at_least": 2}, {"trait": "plan", "is": "pro"}]},
            ["1 Click"],
            "(1 more Click) and (trait plan is pro)",
        ),
        ({"all": [C, {**C, "within": "2d"}]}, ["1 Click"], "no Click until Wednesday 2026-01-07 11:00 UTC"),
        ({"any": [{"did_not": "Click"}, {"did": "B"}]}, ["1 Click"], "1 B"),
    ],
)
def test_it_is_said_what_would_turn_it(when: dict[str, Any], events: list[str], needs: str) -> None:
    assert explained(*events, segment=when)["segment"].needs == needs


@pytest.mark.parametrize(
    ("policy", "events", "waits", "member", "changes_h"),
    [
        (
            {"enter_after": "1d"},
            ["1 Click"],
            "its condition holds since Monday 2026-01-05 11:00 UTC: enter_after 1d",
            False,
            25,
        ),
        (
            {"exit_after": "2d"},
            ["-50 Click"],
            "its condition does not hold since Monday 2026-01-05 08:00 UTC: exit_after 2d",
            True,
            46,
        ),
        (
            {"cooldown": "4d"},
            ["-60 Click", "12 Click"],
            "no enter before Thursday 2026-01-08 22:00 UTC: cooldown 4d",
            False,
            None,
        ),
        ({"cooldown": "4d"}, ["1 Click"], None, True, 49),
        (
            {"enter_after": "1d"},
            ["1 Other"],
            "until its condition has held for 1d: enter_after 1d",
            False,
            None,
        ),
        (
            {"exit_after": "2d"},
            ["1 Click"],
            "until its condition has not held for 2d: exit_after 2d",
            True,
            97,
        ),
    ],
)
def test_a_policy_says_what_it_waits_for_and_until_when(
    policy: dict[str, str], events: list[str], waits: str | None, member: bool, changes_h: int | None
) -> None:
    view = explained(*events, segment={**policy, "when": {**C, "within": "2d"}})["segment"]
    assert (view.waits, view.member) == (waits, member)
    assert view.changes_ms == (None if changes_h is None else START_MS + changes_h * HOUR_MS)


def test_a_group_says_who_comes_first_and_who_would_take_over() -> None:
    told = explained(
        "1 Offer",
        "1 Click",
        front={"did": "Offer", "within": "2d"},
        behind=C,
        top={"did": "Order"},
        groups=[{"key": "g", "exclusive": ["top", "front", "behind"]}],
    )
    assert told["front"].member
    assert told["front"].needs == ("(no Offer until Wednesday 2026-01-07 11:00 UTC) or (a membership of top)")
    assert (told["behind"].waits, told["behind"].needs) == (
        "front comes first in its group",
        "no membership of front",
    )
    assert told["front"].changes_ms == told["behind"].changes_ms == START_MS + 49 * HOUR_MS
    assert told["top"].needs == "1 Order"


def test_who_names_another_segment_is_told_of_that_and_of_its_time() -> None:
    told = explained(
        "1 Click",
        buyers={"did": "Order"},
        clickers={**C, "within": "2d"},
        others={"not_member_of": "clickers"},
        both={"all": [{"member_of": "buyers"}, {"member_of": "clickers"}]},
    )
    assert told["both"].needs == "a membership of buyers"
    assert told["others"].needs == "no membership of clickers"
    assert told["others"].changes_ms == START_MS + 49 * HOUR_MS
    assert told["both"].changes_ms is None


def test_what_time_would_do_after_the_year_9999_it_does_not_do() -> None:
    for_ever = "3650000d"
    told = explained(
        "0 Click",
        "1 Click",
        quiet={"sequence": {"steps": [C], "then_not": {"did": "Buy", "within": for_ever}}},
        twice={**C, "at_least": 3, "within": for_ever},
        waits={"when": {"did": "Click", "within": "1h"}, "cooldown": for_ever},
        known={"known_for": for_ever},
        as_of_ms=3 * HOUR_MS,
    )
    assert [view.changes_ms for view in told.values()] == [None] * 4
    assert told["twice"].needs == "1 more Click before the end of the year 9999"
    assert told["waits"].waits == f"no enter before the end of the year 9999: cooldown {for_ever}"


def test_what_is_not_exact_any_more_says_so() -> None:
    events = [f"{number / 1000} Click 1" for number in range(1001)]
    leaf = {**C, "sum": "p", "at_least": 5, "within": "7d"}
    (one,) = explained(*events, segment=leaf)["segment"].leaves
    assert (one.observed, one.inexact) == (1001, True)
    (other,) = explained(*events[:1000], segment=leaf)["segment"].leaves
    assert (other.observed, other.inexact) == (1000, False)
