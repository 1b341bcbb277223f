"""Which chains of steps a contact has gone through (contract, section 4.3)."""

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rules.event import Event
from rules.features.distinct import value_key
from rules.features.feature import Feature, Fold, Source
from rules.features.limits import Limit
from rules.fields import ANY_EVENT
from rules.paths import event_scalar_reader

MOST_MATCHES = 64
"""So many of the latest matches of each step are kept, and so many completions whose steps are not."""
MOST_VALUES = 32
"""So many of the latest values of ``by`` are kept."""

ARRIVALS, GROUPS, KEPT, COMPLETIONS = range(4)
STEPS, NOTS, ENDS = range(3)
"""Where things stand in the state, and in the part of it that is about one value of ``by``."""

Match = list[int]
"""Event time, arrival number; of a step: whether a chain leads there; of an end: whether it is undone. Lists compare
in the order in which events follow each other: by time, equal times by arrival."""


@dataclass(frozen=True, slots=True)
class ChainStep:
    """Which events are the step, and how long after the step before it they come at most, in milliseconds."""

    source: Source
    gap_ms: int | None = None


@dataclass(frozen=True)
class Chains(Feature):
    """The chains of one sequence.

    State: how many matching events have arrived; for each value of ``by`` (or once) the matches of each step, those of
    what must not follow, and the ends of chains, each in order; the ends whose steps are no longer kept, each with its
    value; and the moments of all completions, in order. A chain's end once found stays one: events only ever add to
    what leads there. Only what must not follow undoes it.
    """

    steps: tuple[ChainStep, ...]
    then_not: ChainStep | None
    by: str | None
    within_ms: int | None
    limit: Limit = field(default_factory=Limit, compare=False)

    def is_inexact(self, state: Any) -> bool:
        """Whether it is full: the earliest may have been let go."""
        groups = state[GROUPS].values()
        return len(groups) == MOST_VALUES or any(
            len(matches) == MOST_MATCHES for group in groups for matches in (*group[STEPS], group[NOTS])
        )

    def content(self) -> list[Any]:
        steps = [[step.source.content(), step.gap_ms] for step in self.steps]
        then_not = None if self.then_not is None else [self.then_not.source.content(), self.then_not.gap_ms]
        return ["chains", steps, then_not, self.by, self.within_ms]

    @property
    def sources(self) -> tuple[Source, ...]:
        followed = () if self.then_not is None else (self.then_not.source,)
        return (*dict.fromkeys([*(step.source for step in self.steps), *followed]),)

    @property
    def delay_ms(self) -> int:
        """How long after its last step a chain is complete."""
        return 0 if self.then_not is None else self.then_not.gap_ms or 0

    def fold(self) -> Fold:
        matches = [_matcher(step.source) for step in self.steps]
        is_not = _matcher(self.then_not.source) if self.then_not is not None else lambda _: False
        read_by = None if self.by is None else event_scalar_reader(self.by)

        def fold(features: dict[int, Any], event: Event, number: int, _: int) -> None:
            steps = [place for place, match in enumerate(matches) if match(event)]
            is_undoing = is_not(event)
            key = 0
            if read_by is not None:
                value = read_by(event)
                if value is None:
                    return
                key = value_key(value)
            if not steps and not is_undoing:
                return
            state = features.get(number)
            if state is None:
                state = features[number] = [0, {}, [], []]
            _Folding(self, state).take(event, key, steps, is_undoing=is_undoing)

        return fold


def _matcher(source: Source) -> Callable[[Event], bool]:
    names, guard = frozenset(source.names), source.guard()
    every = ANY_EVENT in names

    def matches(event: Event) -> bool:
        return (every or event.name in names) and (guard is None or guard(event))

    return matches


class _Folding:
    """Takes one event into the state of a sequence."""

    def __init__(self, chains: Chains, state: list[Any]) -> None:
        self._chains, self._state = chains, state

    def take(self, event: Event, key: int, steps: list[int], *, is_undoing: bool) -> None:
        chains, state = self._chains, self._state
        state[ARRIVALS] += 1
        at = [event.time_ms, state[ARRIVALS]]
        group = state[GROUPS].get(key)
        if group is None:
            group = state[GROUPS][key] = [[[] for _ in chains.steps], [], []]
        is_late = any(matches and at < matches[-1][:2] for matches in group[STEPS])
        changed = is_undoing and self._undo(group, key, at)
        for place in steps:
            leads = self._is_led_to(group, place, at)
            insort(group[STEPS][place], [*at, int(leads)])
            if leads and place == len(chains.steps) - 1:
                changed |= self._end(group, at)
        if is_late and steps:
            changed |= self._follow(group, steps[0])
        self._forget(key, group, event.received_ms, changed=changed)

    def _is_led_to(self, group: list[Any], place: int, at: Match) -> bool:
        """Whether a chain of all the steps before leads to an event: the nearest one before it decides."""
        if place == 0:
            return True
        before, gap_ms = group[STEPS][place - 1], self._chains.steps[place].gap_ms
        for match in reversed(before[: bisect_left(before, at)]):
            if gap_ms is not None and at[0] - match[0] > gap_ms:
                return False
            if match[2]:
                return True
        return False

    def _follow(self, group: list[Any], first: int) -> bool:
        """After a late event: what else it leads to."""
        changed = False
        for place in range(first + 1, len(self._chains.steps)):
            for match in group[STEPS][place]:
                if not match[2] and self._is_led_to(group, place, match[:2]):
                    match[2] = 1
                    if place == len(self._chains.steps) - 1:
                        changed |= self._end(group, match[:2])
        return changed

    def _end(self, group: list[Any], at: Match) -> bool:
        """Notes the end of a chain."""
        delay_ms = self._chains.delay_ms
        undone = any(at < match and match[0] <= at[0] + delay_ms for match in group[NOTS])
        insort(group[ENDS], [*at, int(undone)])
        return not undone

    def _undo(self, group: list[Any], key: int, at: Match) -> bool:
        delay_ms, state, changed = self._chains.delay_ms, self._state, False
        insort(group[NOTS], at)
        for end in group[ENDS]:
            if not end[2] and end[:2] < at and at[0] <= end[0] + delay_ms:
                end[2], changed = 1, True
        kept = [
            end for end in state[KEPT] if end[2] != key or not (end[:2] < at and at[0] <= end[0] + delay_ms)
        ]
        changed |= len(kept) < len(state[KEPT])
        state[KEPT] = kept
        return changed

    def _forget(self, key: int, group: list[Any], received_ms: int, *, changed: bool) -> None:
        """Lets go of what is too much, and of completions that count no more."""
        chains, state = self._chains, self._state
        for matches in (*group[STEPS], group[NOTS]):
            if len(matches) > MOST_MATCHES:
                chains.limit.passed += 1
                del matches[0]
        if len(group[ENDS]) > MOST_MATCHES:
            self._keep(key, [group[ENDS].pop(0)])
        if len(state[GROUPS]) > MOST_VALUES:
            chains.limit.passed += 1
            self._evict()
            changed = True
        if chains.within_ms is not None:
            edge_ms = received_ms - chains.within_ms
            if state[COMPLETIONS] and state[COMPLETIONS][0] <= edge_ms:
                changed |= self._expire(edge_ms - chains.delay_ms)
        if changed:
            ends = [end for each in state[GROUPS].values() for end in each[ENDS] if not end[2]]
            state[COMPLETIONS] = sorted({end[0] + chains.delay_ms for end in (*ends, *state[KEPT])})

    def _evict(self) -> None:
        """Forgets the value of ``by`` whose latest match is the oldest; its completions are kept."""
        groups = self._state[GROUPS]
        key = min(
            groups, key=lambda each: max(m[-1] for m in (*groups[each][STEPS], groups[each][NOTS]) if m)
        )
        self._keep(key, groups.pop(key)[ENDS])

    def _keep(self, key: int, ends: list[Match]) -> None:
        kept = sorted([*self._state[KEPT], *([*end[:2], key] for end in ends if not end[2])])
        self._state[KEPT] = kept[-MOST_MATCHES:]

    def _expire(self, edge_ms: int) -> bool:
        """Drops ends up to a moment: none of them counts ever again."""
        state = self._state
        gone = bool(state[KEPT]) and state[KEPT][0][0] <= edge_ms
        if gone:
            state[KEPT] = [end for end in state[KEPT] if end[0] > edge_ms]
        for group in state[GROUPS].values():
            ends = group[ENDS]
            if ends and ends[0][0] <= edge_ms:
                gone = True
                group[ENDS] = [end for end in ends if end[0] > edge_ms]
        return gone
