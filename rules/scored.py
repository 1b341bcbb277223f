"""The verdict and the total of a score."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rules.conditions import MOST_COUNTED, ScorePart, Tally
from rules.contact import Contact
from rules.contradictions import exact
from rules.features.numbers import SCALE, shown
from rules.verdict import ALWAYS, SHIFT_MS

LOOK_AHEAD = 32
"""How many departures of events are looked at for the one that changes the outcome. If it is none of them the contact
is looked at again then."""

Judge = Callable[[dict[int, Any], int, Contact], int]


def most_counted(part: ScorePart) -> int:
    """How many events of an ``each`` can make a difference."""
    if part.max is None:
        return MOST_COUNTED
    return min(MOST_COUNTED, math.ceil(exact(part.max) / exact(part.points)))


@dataclass(frozen=True, slots=True)
class _Counted:
    """An ``each`` in whole units of points."""

    points: int
    most: int | None
    capacity: int
    within_ms: int | None

    def given(self, count: int) -> int:
        """The points that so many events give."""
        points = self.points * count
        return points if self.most is None else min(points, self.most)


class Scoring:
    """Works out a score from the verdicts of its conditions and the states of what it counts.

    Points are taken in units of which all of them are whole numbers, so the sum is exact.
    """

    def __init__(self, tally: Tally) -> None:
        self._unit = tally.unit or Fraction(1)
        self._low, self._high = tally.test.in_units(self._unit)
        self._when = [self._units(part.points) for part in tally.of if part.each is None]
        self._each = [
            _Counted(
                self._units(part.points),
                None if part.max is None else self._units(part.max),
                most_counted(part),
                part.each.within_ms,
            )
            for part in tally.of
            if part.each is not None
        ]

    def _units(self, points: float) -> int:
        return int(exact(points) / self._unit)

    def _passes(self, score: int) -> bool:
        return (self._low is None or score >= self._low) and (self._high is None or score <= self._high)

    def verdict(self, now: int, verdicts: Sequence[int], states: Sequence[Any]) -> int:
        """The verdict as of now, shifted: from those of the conditions, and from the states of what is counted."""
        score, until = 0, ALWAYS
        for points, verdict in zip(self._when, verdicts, strict=True):
            if verdict > 0:
                score += points
            until = min(until, abs(verdict))
        leaving: list[tuple[int, int]] = []
        counts = []
        for place, (counted, state) in enumerate(zip(self._each, states, strict=True)):
            count = self._count(counted, state, now)
            counts.append(count)
            score += counted.given(count)
            if counted.within_ms is not None and count:
                ends = counted.within_ms + SHIFT_MS
                leaving += [(moment + ends, place) for moment in state[-count:][: LOOK_AHEAD + 1]]
        passes = self._passes(score)
        for looked_at, (moment, place) in enumerate(sorted(leaving)[: LOOK_AHEAD + 1]):
            if moment >= until:
                break
            counted, count = self._each[place], counts[place]
            counts[place] -= 1
            score += counted.given(count - 1) - counted.given(count)
            if self._passes(score) != passes or looked_at == LOOK_AHEAD:
                until = moment
                break
        return until if passes else -until

    def total(self, now: int, verdicts: Sequence[int], states: Sequence[Any]) -> float:
        """The score as of now, shifted."""
        score = sum(points for points, verdict in zip(self._when, verdicts, strict=True) if verdict > 0)
        for counted, state in zip(self._each, states, strict=True):
            score += counted.given(self._count(counted, state, now))
        return shown(score * self._unit * SCALE)

    @staticmethod
    def _count(counted: _Counted, state: Any, now: int) -> int:
        """How many events count, up to as many as make a difference."""
        if not state:
            return 0
        if counted.within_ms is None:
            return min(int(state), counted.capacity)
        return min(len(state) - bisect_right(state, now - SHIFT_MS - counted.within_ms), counted.capacity)
