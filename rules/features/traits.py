"""A trait: the latest value by event time wins, and null takes it away."""

from dataclasses import dataclass
from typing import Any

from rules.event import Event
from rules.features.feature import Feature, Fold
from rules.paths import MISSING, Values, below, flatten


@dataclass(frozen=True)
class TraitValue(Feature):
    """The values at a path of the contact's traits.

    A trait is one named fact, and its latest value replaces the whole of the earlier one: after ``address`` was set
    anew without a ``city``, ``address.city`` is missing. A dotted path can be met by a trait of just that name, which
    goes first, or inside the trait named before the first dot; the two are remembered side by side. State:
    ``[event time, values]`` of the one, then for a dotted path of the other; a time is None until the trait is set.
    """

    path: str

    def content(self) -> list[Any]:
        return ["trait", self.path]

    @property
    def names(self) -> tuple[str, ...]:
        """The traits that can change what is at the path."""
        head, dot, _ = self.path.partition(".")
        return (self.path, head) if dot else (self.path,)

    def fold(self, number: int) -> Fold:
        head, dot, rest = self.path.partition(".")
        whole = self.path

        def fold_one(state: list[Any], at: int, time_ms: int, values: Values) -> None:
            # Equal event times: the later arrival wins.
            if state[at] is None or time_ms >= state[at]:
                state[at], state[at + 1] = time_ms, values

        def fold(features: dict[int, Any], event: Event) -> None:
            traits = event.traits
            state = features.get(number)
            if state is None:
                state = features[number] = [None, MISSING, None, MISSING] if dot else [None, MISSING]
            if whole in traits:
                fold_one(state, 0, event.time_ms, flatten(traits[whole]))
            if dot and head in traits:
                fold_one(state, 2, event.time_ms, below(traits[head], rest))

        return fold

    @staticmethod
    def values(state: list[Any] | None) -> Values:
        """The values at the path as of the latest facts."""
        if state is None:
            return MISSING
        if len(state) == 4 and not state[1]:
            found: Values = state[3]
            return found
        plain: Values = state[1]
        return plain
