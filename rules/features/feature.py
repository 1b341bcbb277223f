"""What all features have in common."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rules.event import Event
from rules.features.limits import Limit
from rules.fields import ANY_EVENT
from rules.paths import event_reader
from rules.sharing import shared
from rules.value_tests import Where
from rules.values import predicate

Fold = Callable[[dict[int, Any], Event, int, int], object]
"""Takes a matching event into the features of its contact: into the state under the number that comes third, of which
conditions need so much as the fourth says, where some need more than others."""

Matches = Callable[[Event], bool]


@dataclass(frozen=True, slots=True)
class Source:
    """Which events a feature is made of."""

    names: tuple[str, ...]
    """Event names, sorted; ``("*",)``: any track, page or screen."""
    where: tuple[Where, ...] = ()
    start_ms: int | None = None
    """First event time that counts; None: any."""
    end_ms: int | None = None
    """First event time that counts no more; None: none."""

    def content(self) -> dict[str, Any]:
        """What tells this source from others, in JSON's types."""
        found: dict[str, Any] = {"names": list(self.names)}
        if self.where:
            found["where"] = {where.path: where.plain.content for where in self.where}
        if self.start_ms is not None:
            found["start_ms"] = self.start_ms
        if self.end_ms is not None:
            found["end_ms"] = self.end_ms
        return found

    def guard(self) -> Matches | None:
        """Whether an event of one of the names belongs to the source; None where every one does."""
        return _guard(self.where, self.start_ms, self.end_ms)


@shared
def _guard(where: tuple[Where, ...], start_ms: int | None, end_ms: int | None) -> Matches | None:
    tests = [(event_reader(w.path), predicate(w.tests)) for w in where]
    if not tests and start_ms is None and end_ms is None:
        return None

    def matches(event: Event) -> bool:
        if start_ms is not None and event.time_ms < start_ms:
            return False
        if end_ms is not None and event.time_ms >= end_ms:
            return False
        return all(passes(read(event)) for read, passes in tests)

    return matches


def guard_of(sources: Sequence[Source]) -> Matches | None:
    """Whether an event, of one of the names of any of the sources, belongs to one of them; None where every one does."""
    if len(sources) == 1:
        return sources[0].guard()
    guards = [(frozenset(source.names), source.guard()) for source in sources]

    def matches(event: Event) -> bool:
        return any(
            (event.name in names or ANY_EVENT in names) and (guard is None or guard(event))
            for names, guard in guards
        )

    return matches


@dataclass(frozen=True)
class Feature(ABC):
    """One thing remembered of every contact that has it."""

    @abstractmethod
    def content(self) -> list[Any]:
        """What tells this feature from others, in JSON's types."""

    @cached_property
    def key(self) -> str:
        """The feature's name: equal content, equal key, in every process and version."""
        return json.dumps(self.content(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def limited(self) -> Limit | None:
        """Counts the events past which it was no longer exact; None: it always is."""
        return getattr(self, "limit", None)

    @property
    def tells_change(self) -> bool:
        """Whether ``fold`` returns whether a verdict can be another than before, but for verdicts that go by when the
        event was; else one always can."""
        return False

    def is_inexact(self, state: Any) -> bool:  # noqa: ARG002 - most are exact, always
        """Whether more has happened than a state tells exactly."""
        return False

    @property
    def sources(self) -> tuple[Source, ...]:
        """The events that it is made of: any of these; none where traits are."""
        return ()

    @abstractmethod
    def fold(self) -> Fold:
        """A function that takes one event of any of the sources into the feature's state.

        It knows neither number nor capacity, so that features that differ in nothing but their events' names have the
        same one: of thousands, it stays in the processor's caches.
        """
