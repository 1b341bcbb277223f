"""Sequences at and beyond the number of matches that is kept."""

from typing import Any

import pytest

from rules.catalog import Blueprint
from rules.contact import Contact
from rules.definitions import Definitions
from rules.event import Event
from rules.features.chains import MOST_MATCHES, MOST_VALUES
from rules.segment import Segment
from rules.step import Step, Transition
from streams.records import decode_record, encode_record

START_MS = 1_767_607_200_000


class Follower:
    """One contact under one sequence; stored and read again before each event."""

    def __init__(self, **sequence: Any) -> None:
        segment = Segment.model_validate({"key": "s", "when": {"sequence": sequence}})
        self.catalog = Blueprint(Definitions((segment,))).catalog()
        self.contact = Contact(id="u")
        self.moves: list[Transition] = []
        self._step = Step(self.catalog)

    def take(self, name: str, at_ms: int, *, time_ms: int | None = None, by: object = None) -> None:
        self.contact, _ = decode_record("u", encode_record(self.contact, 1))
        now_ms = START_MS + at_ms
        event_ms = now_ms if time_ms is None else START_MS + time_ms
        event = Event("u", "track", name, event_ms, now_ms, None, {"p": by}, {}, {})
        self._step.take(self.contact, event, now_ms, self.moves)

    @property
    def story(self) -> list[tuple[bool, int]]:
        return [(move.entered, move.at_ms - START_MS) for move in self.moves]


@pytest.mark.parametrize("others", [MOST_MATCHES - 1, MOST_MATCHES])
def test_the_latest_matches_of_a_step_are_exact_and_earlier_ones_are_let_go(others: int) -> None:
    follower = Follower(steps=[{"did": "A"}, {"did": "B", "within": "10ms"}])
    follower.take("A", 0)
    for number in range(others):
        follower.take("A", 100 + number)
    follower.take("B", 1000, time_ms=5)
    assert bool(follower.story) == (others < MOST_MATCHES)


@pytest.mark.parametrize("others", [MOST_VALUES - 1, MOST_VALUES])
def test_the_latest_values_are_exact_and_earlier_ones_are_let_go(others: int) -> None:
    follower = Follower(steps=[{"did": "A"}, {"did": "B"}], by="p")
    follower.take("A", 0, by="first")
    for number in range(others):
        follower.take("A", 1 + number, by=number)
    follower.take("B", 1000, by="first")
    assert bool(follower.story) == (others < MOST_VALUES)


def test_a_completion_is_kept_when_its_steps_are_not_and_can_still_be_undone() -> None:
    follower = Follower(steps=[{"did": "A"}], then_not={"did": "B", "within": "10ms"}, by="p")
    follower.take("A", 0, by="first")
    for number in range(MOST_VALUES + 5):
        # Each is undone at once, so that only the first one counts.
        follower.take("A", 100 + number, by=number)
        follower.take("B", 100 + number, by=number)
    assert follower.story == [(True, 10)]
    follower.take("B", 1000, time_ms=11, by="first")
    assert follower.story == [(True, 10)]
    follower.take("B", 1001, time_ms=10, by="first")
    assert follower.story == [(True, 10), (False, 1001)]


def test_of_many_completions_the_latest_are_kept() -> None:
    follower = Follower(steps=[{"did": "A"}], then_not={"did": "B", "within": "1ms"})
    for number in range(3 * MOST_MATCHES):
        follower.take("A", 10 * number)
    for number in range(3 * MOST_MATCHES - 1, MOST_MATCHES - 1, -1):
        assert len(follower.story) == 1
        follower.take("B", 10_000, time_ms=10 * number + 1)
    # 64 chains whose steps are kept, 64 whose steps are not: all are undone.
    assert follower.story == [(True, 1), (False, 10_000)]


def test_a_record_levels_off_however_much_a_contact_does() -> None:
    follower = Follower(
        steps=[{"did": "A"}, {"did": "A", "within": "1h"}],
        then_not={"did": "A", "within": "2h"},
        by="p",
        within="7d",
    )
    sizes = []
    for number in range(20_000):
        follower.take("A", number * 60_000, by=number // 3 % 50)
        if number in (8_000, 19_999):
            sizes.append(len(encode_record(follower.contact, 1)))
    assert sizes[1] < 1.05 * sizes[0]
    assert sizes[1] < 120_000
