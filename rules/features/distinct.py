"""How many different values a property has had, and on how many dates something happened."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from rules.durations import DAY_MS
from rules.event import Event
from rules.features.feature import Feature, Fold, Source
from rules.features.limits import Limit
from rules.features.sketch import of_different, with_keys
from rules.paths import event_reader

MOST_KEYS = 2000
"""So many different values are told apart for certain; past them their number is estimated."""

Keys = Callable[[Event], list[int]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Property:
    """The values at a path."""

    path: str

    def content(self) -> list[Any]:
        return ["property", self.path]

    def keys(self) -> Keys:
        """A function that gives the keys of an event's values: equal for equal values, and for no others."""
        read = event_reader(self.path)

        def keys(event: Event) -> list[int]:
            return [value_key(value) for value in read(event) if not isinstance(value, dict)]

        return keys


@dataclass(frozen=True, slots=True)
class Date:
    """The date of the event time in a zone."""

    zone: str

    def content(self) -> list[Any]:
        return ["date", self.zone]

    def keys(self) -> Keys:
        """A function that gives the day, counted from 1970-01-01."""
        if self.zone == "UTC":
            return lambda event: [event.time_ms // DAY_MS]
        zone = ZoneInfo(self.zone)

        def keys(event: Event) -> list[int]:
            try:
                local = (_EPOCH + timedelta(milliseconds=event.time_ms)).astimezone(zone)
            except OverflowError:  # at the ends of the calendar, a zone's date can lie outside
                return [event.time_ms // DAY_MS]
            return [local.toordinal() - 719_163]

        return keys


def value_key(value: str | float | bool) -> int:
    """64 bits that tell a value from others: 1 is 1.0, and neither ``"1"`` nor true."""
    match value:
        case str():
            text = f"s{value}"
        case bool():
            text = f"b{value}"
        case _:
            text = f"n{int(value) if value == int(value) else value!r}"
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


@dataclass(frozen=True)
class RollingKeys(Feature):
    """The keys seen last, each with the latest event time that it was seen at.

    State: the times ascending, and the keys in the same order. A number of keys tested against N needs the newest N of
    them, or N + 1, whatever the window, just as a count does: ``capacity``.
    """

    source: Source
    of: Property | Date

    def content(self) -> list[Any]:
        return ["rolling keys", self.source.content(), self.of.content()]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    def fold(self) -> Fold:
        keys_of = self.of.keys()

        def fold(features: dict[int, Any], event: Event, number: int, capacity: int) -> None:
            time_ms = event.time_ms
            for key in keys_of(event):
                state = features.get(number)
                if state is None:
                    features[number] = [[time_ms], [key]]
                    continue
                times, keys = state
                if key in keys:
                    place = keys.index(key)
                    if times[place] >= time_ms:
                        continue
                    del times[place], keys[place]
                place = bisect_right(times, time_ms)
                times.insert(place, time_ms)
                keys.insert(place, key)
                if len(times) > capacity:
                    del times[:-capacity], keys[:-capacity]

        return fold


@dataclass(frozen=True)
class TotalKeys(Feature):
    """The keys of all time, or between fixed moments.

    State: the keys in order, up to as many as any test asks for (``capacity``): whether there are more is told by
    that. Past ``MOST_KEYS`` it is a sketch, from which their number is estimated.
    """

    source: Source
    of: Property | Date
    limit: Limit = field(default_factory=Limit, compare=False)

    def is_inexact(self, state: Any) -> bool:
        return isinstance(state, bytes)

    def content(self) -> list[Any]:
        return ["keys", self.source.content(), self.of.content()]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    def fold(self) -> Fold:
        keys_of, limit = self.of.keys(), self.limit

        def fold(features: dict[int, Any], event: Event, number: int, capacity: int) -> None:
            found = keys_of(event)
            state = features.get(number)
            if state is None:
                if not found:
                    return
                state = features[number] = []
            if isinstance(state, bytes):
                limit.passed += 1
                features[number] = with_keys(state, found)
                return
            for key in found:
                place = bisect_left(state, key)
                if len(state) < capacity and (place == len(state) or state[place] != key):
                    state.insert(place, key)
            if len(state) > MOST_KEYS:
                features[number] = of_different(state)

        return fold
