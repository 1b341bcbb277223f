"""A trait: the latest value by event time wins, and null takes it away."""

from dataclasses import dataclass
from typing import Any

from rules.event import Event
from rules.features.feature import Feature, Fold
from rules.paths import MISSING, Values, below, flatten
from rules.sharing import shared


@dataclass(frozen=True)
class TraitValue(Feature):
    """The values at a path of the contact's traits.

    A trait is one named fact, and its latest value replaces the whole of the earlier one: after ``address`` was set
    anew without a ``city``, ``address.city`` is missing. A dotted path can be met by a trait of just that name, which
    goes first, or inside the trait named before the first dot; the two are remembered side by side. State:
    ``[event time, values]`` of the one, then for a dotted path of the other; a time is None until the trait is set,
    and the values are None where it is null.
    """

    path: str

    def content(self) -> list[Any]:
        return ["trait", self.path]

    @property
    def names(self) -> tuple[str, ...]:
        """The traits that can change what is at the path."""
        head, dot, _ = self.path.partition(".")
        return (self.path, head) if dot else (self.path,)

    def fold(self) -> Fold:
        return _folding(self.path)

    @staticmethod
    def values(state: list[Any] | None) -> Values:
        """The values at the path as of the latest facts."""
        if state is None:
            return MISSING
        found: Values | None = state[1]
        if found is None and len(state) == 4:
            found = state[3]
        return MISSING if found is None else found


@shared
def _folding(path: str) -> Fold:
    head, dot, rest = path.partition(".")

    def fold_one(state: list[Any], at: int, time_ms: int, values: Values | None) -> None:
        # Equal event times: the later arrival wins.
        if state[at] is None or time_ms >= state[at]:
            state[at], state[at + 1] = time_ms, values

    def fold(features: dict[int, Any], event: Event, number: int, _: int) -> None:
        traits = event.traits
        state = features.get(number)
        if state is None:
            state = features[number] = [None, None, None, None] if dot else [None, None]
        if path in traits:
            value = traits[path]
            fold_one(state, 0, event.time_ms, None if value is None else flatten(value))
        if dot and head in traits:
            fold_one(state, 2, event.time_ms, below(traits[head], rest))

    return fold
