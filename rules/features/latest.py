"""A property of the latest, or of the first, event of a source."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, lt
from typing import Any, Literal

from rules.event import Event
from rules.features.feature import Feature, Fold, Source
from rules.paths import event_reader
from rules.sharing import shared

Order = Literal["latest", "first"]


def order_of(order: Order) -> Callable[[int, int], bool]:
    """Whether a newcomer's event time displaces the kept one; of equal times the later arrival is the latest, the
    earlier the first."""
    return ge if order == "latest" else lt


@dataclass(frozen=True)
class PropertyValue(Feature):
    """State: ``[event time in milliseconds UTC, the values at the path]``."""

    order: Order
    source: Source
    path: str

    def content(self) -> list[Any]:
        return [self.order, self.source.content(), self.path]

    @property
    def sources(self) -> tuple[Source, ...]:
        return (self.source,)

    @property
    def tells_change(self) -> bool:
        return True

    def fold(self) -> Fold:
        return _folding(self.order, self.path)


@shared
def _folding(order: Order, path: str) -> Fold:
    read, displaces = event_reader(path), order_of(order)

    def fold(features: dict[int, Any], event: Event, number: int, _: int) -> bool:
        kept = features.get(number)
        if kept is None:
            features[number] = [event.time_ms, read(event)]
            return True
        if not displaces(event.time_ms, kept[0]):
            return False
        before, values = kept[1], read(event)
        kept[0], kept[1] = event.time_ms, values
        if len(values) == 1 == len(before):
            # Equal texts are the same; 1, 1.0 and true are equal, and no test takes them for the same.
            value = values[0]
            return value != before[0] or type(value) is not str
        return True

    return fold
