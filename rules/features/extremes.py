"""The least, or the greatest, of a property's numbers."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Any, Literal

from rules.event import Event
from rules.features.amounts import number_reader
from rules.features.feature import Feature, Fold, Source
from rules.features.limits import EXACT, Limit, cell_ms
from rules.features.numbers import kept

Extreme = Literal["minimum", "maximum"]
TIMES, VALUES, MERGED = range(3)
"""Where things stand in the state of ``RollingExtreme``."""


def sign_of(extreme: Extreme) -> int:
    """By what a number is multiplied so that the extreme one is the least."""
    return 1 if extreme == "minimum" else -1


@dataclass(frozen=True)
class TotalExtreme(Feature):
    """Over all time, or between fixed moments. State: the number, in millionths."""

    extreme: Extreme
    source: Source
    path: str

    def content(self) -> list[Any]:
        return [self.extreme, self.source.content(), self.path]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    def fold(self) -> Fold:
        numbers, choose = number_reader(self.path), min if self.extreme == "minimum" else max

        def fold(features: dict[int, Any], event: Event, number: int, _: int) -> None:
            found = numbers(event)
            if found:
                if number in features:
                    found.append(int(features[number]))
                features[number] = kept(choose(found))

        return fold


@dataclass(frozen=True)
class RollingExtreme(Feature):
    """Within a window that ends now.

    Kept are the events that are or can still become the extreme one: those that none after them surpasses. State: their
    times ascending, their numbers in millionths (of a maximum: negated) ascending too, and how many of the first are
    merged, by the same rule as in ``RollingAmount``.
    """

    extreme: Extreme
    source: Source
    path: str
    within_ms: int
    limit: Limit = field(default_factory=Limit, compare=False)

    def is_inexact(self, state: Any) -> bool:
        return bool(state[MERGED])

    def content(self) -> list[Any]:
        return [f"rolling {self.extreme}", self.source.content(), self.path, self.within_ms]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    def fold(self) -> Fold:
        numbers, within_ms, limit = number_reader(self.path), self.within_ms, self.limit
        sign, cell = sign_of(self.extreme), cell_ms(within_ms)

        def fold(features: dict[int, Any], event: Event, number: int, _: int) -> None:
            found = [sign * amount for amount in numbers(event)]
            state = features.get(number)
            if state is None:
                if not found:
                    return
                state = features[number] = [[], [], 0]
            edge_ms = event.received_ms - within_ms
            if state[TIMES] and state[TIMES][0] <= edge_ms:
                gone = bisect_right(state[TIMES], edge_ms)
                del state[TIMES][:gone], state[VALUES][:gone]
                state[MERGED] = max(state[MERGED] - gone, 0)
            if found and event.time_ms > edge_ms:
                _add(state, event.time_ms, min(found))
                if len(state[TIMES]) - state[MERGED] > EXACT:
                    limit.passed += 1
                    _merge_oldest(state, cell)
            elif not state[TIMES]:
                del features[number]

        return fold


def _add(state: list[Any], time_ms: int, value: int) -> None:
    times, values = state[TIMES], state[VALUES]
    place = bisect_right(times, time_ms)
    if place < len(times) and int(values[place]) <= value:
        return  # it leaves before one that is no larger
    first = bisect_left(values, value, 0, place, key=int)
    times[first:place] = [time_ms]
    values[first:place] = [kept(value)]
    state[MERGED] = min(state[MERGED], first)


def _merge_oldest(state: list[Any], cell: int) -> None:
    times, values, place = state[TIMES], state[VALUES], state[MERGED]
    if place and times[place] // cell == times[place - 1] // cell:
        # The smaller one is the earlier one, and stays for as long as the later.
        del times[place - 1], values[place]
    else:
        state[MERGED] += 1
