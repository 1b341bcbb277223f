"""Sums of a property's numbers, and how many numbers there were: what sums and averages are made of."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rules.event import Event
from rules.features.feature import Feature, Fold, Source
from rules.features.limits import EXACT, Limit, cell_ms
from rules.features.numbers import kept, scaled
from rules.paths import event_reader
from rules.sharing import shared


@shared
def number_reader(path: str) -> Callable[[Event], list[int]]:
    """A function that reads the numbers at a path of an event, in millionths; whatever is no number is left out."""
    read = event_reader(path)

    def numbers(event: Event) -> list[int]:
        return [number for value in read(event) if (number := scaled(value)) is not None]

    return numbers


@dataclass(frozen=True)
class TotalAmount(Feature):
    """Over all time, or between fixed moments. State: ``[sum in millionths, how many numbers]``."""

    source: Source
    path: str

    def content(self) -> list[Any]:
        return ["amount", self.source.content(), self.path]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    def fold(self) -> Fold:
        numbers = number_reader(self.path)

        def fold(features: dict[int, Any], event: Event, number: int, _: int) -> None:
            found = numbers(event)
            if found:
                total, count = features.get(number, (0, 0))
                features[number] = [kept(int(total) + sum(found)), count + len(found)]

        return fold


TIMES, SUMS, COUNTS, MERGED, TOTAL, COUNT = range(6)
"""Where things stand in the state of ``RollingAmount``."""


@dataclass(frozen=True)
class RollingAmount(Feature):
    """Within a window that ends now.

    State: event times ascending, the sum and the number of numbers at each, how many of the first of these are merged,
    and the sum and number of all. The newest 1,000 events stand alone. Older ones are merged with those of the same
    hundredth of the window, and leave with the latest of them: so what is kept is bounded, and past 1,000 events the
    window's edge is off by at most 1 % of its length. All sums are in millionths.
    """

    source: Source
    path: str
    within_ms: int
    limit: Limit = field(default_factory=Limit, compare=False)

    def is_inexact(self, state: Any) -> bool:
        return bool(state[MERGED])

    def content(self) -> list[Any]:
        return ["rolling amount", self.source.content(), self.path, self.within_ms]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    def fold(self) -> Fold:
        numbers, within_ms, limit = number_reader(self.path), self.within_ms, self.limit
        cell = cell_ms(within_ms)

        def fold(features: dict[int, Any], event: Event, number: int, _: int) -> None:
            found = numbers(event)
            state = features.get(number)
            if state is None:
                if not found:
                    return
                state = features[number] = [[], [], [], 0, 0, 0]
            # The contact's own time is no earlier than this, so what is outside now never counts again.
            edge_ms = event.received_ms - within_ms
            if state[TIMES] and state[TIMES][0] <= edge_ms:
                _drop(state, bisect_right(state[TIMES], edge_ms))
            if found and event.time_ms > edge_ms:
                _add(state, event.time_ms, sum(found), len(found), cell)
                if len(state[TIMES]) - state[MERGED] > EXACT:
                    limit.passed += 1
                    _merge_oldest(state, cell)
            elif not state[TIMES]:
                del features[number]

        return fold


def _drop(state: list[Any], count: int) -> None:
    """Forgets the first entries, which have left the window."""
    state[TOTAL] = kept(int(state[TOTAL]) - sum(map(int, state[SUMS][:count])))
    state[COUNT] -= sum(state[COUNTS][:count])
    for part in (TIMES, SUMS, COUNTS):
        del state[part][:count]
    state[MERGED] = max(state[MERGED] - count, 0)


def _add(state: list[Any], time_ms: int, amount: int, count: int, cell: int) -> None:
    times = state[TIMES]
    place = len(times) if not times or time_ms >= times[-1] else bisect_right(times, time_ms)
    state[TOTAL] = kept(int(state[TOTAL]) + amount)
    state[COUNT] += count
    if place < state[MERGED]:
        for other in (place, place - 1):
            if other >= 0 and times[other] // cell == time_ms // cell:
                times[other] = max(times[other], time_ms)
                state[SUMS][other] = kept(int(state[SUMS][other]) + amount)
                state[COUNTS][other] += count
                return
        state[MERGED] += 1
    times.insert(place, time_ms)
    state[SUMS].insert(place, kept(amount))
    state[COUNTS].insert(place, count)


def _merge_oldest(state: list[Any], cell: int) -> None:
    """The oldest of the entries that stand alone joins the one before it, if that is of the same cell."""
    times, sums, counts, place = state[TIMES], state[SUMS], state[COUNTS], state[MERGED]
    if place and times[place] // cell == times[place - 1] // cell:
        sums[place] = kept(int(sums[place]) + int(sums[place - 1]))
        counts[place] += counts[place - 1]
        del times[place - 1], sums[place - 1], counts[place - 1]
    else:
        state[MERGED] += 1
