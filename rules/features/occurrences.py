"""How often, and when: the newest event times of a source, or their bare number."""

from bisect import insort
from dataclasses import dataclass
from typing import Any

from rules.event import Event
from rules.features.feature import Feature, Fold, Source


@dataclass(frozen=True)
class Occurrences(Feature):
    """The newest event times of a source, ascending. State: a list of milliseconds UTC.

    A rolling count tested against N needs the newest N times, or N + 1, and no more, whatever the window: how many to
    keep is the catalog's to say (the most that any condition asks for) and no part of the feature's name, so that
    raising a count forgets nothing.
    """

    source: Source

    def content(self) -> list[Any]:
        return ["occurrences", self.source.content()]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    def fold(self) -> Fold:
        return _keep_newest


@dataclass(frozen=True)
class Total(Feature):
    """How many events a source has had, over all time or between its fixed moments. State: a number."""

    source: Source

    def content(self) -> list[Any]:
        return ["total", self.source.content()]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    def fold(self) -> Fold:
        return _count


def _keep_newest(features: dict[int, Any], event: Event, number: int, capacity: int) -> None:
    time_ms = event.time_ms
    times: list[int] | None = features.get(number)
    if times is None:
        features[number] = [time_ms]
        return
    if time_ms >= times[-1]:
        times.append(time_ms)
    else:
        insort(times, time_ms)
    if len(times) > capacity:
        del times[:-capacity]


def _count(features: dict[int, Any], event: Event, number: int, capacity: int) -> None:  # noqa: ARG001
    features[number] = features.get(number, 0) + 1
