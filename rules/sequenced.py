"""The leaf of a sequence."""

from bisect import bisect_right
from typing import Any

from rules.conditions import Chain
from rules.contact import Contact
from rules.durations import format_moment
from rules.emit import Emitter
from rules.features import Chains, ChainStep, Source
from rules.features.chains import COMPLETIONS, GROUPS, STEPS
from rules.leaves import Leaf, Loses, Observe
from rules.verdict import ALWAYS, NEVER, SHIFT_MS


class SequenceLeaf(Leaf):
    """A chain of the steps was complete within the window, or ever."""

    cost = 5

    def __init__(self, chain: Chain) -> None:
        steps = tuple(ChainStep(Source(step.did, step.where), step.within_ms) for step in chain.steps)
        then_not = None
        if chain.then_not is not None:
            then_not = ChainStep(Source(chain.then_not.did, chain.then_not.where), chain.then_not.within_ms)
        self._within_ms, self._steps = chain.within_ms, len(steps)
        self._gaps_ms = [step.gap_ms for step in steps]
        self.feature = Chains(steps, then_not, chain.by, chain.within_ms)

    def emit(self, to: Emitter, number: int) -> str:
        state, out = to.feature(number), to.variable()
        to.line(f"{out} = NEVER if {state} is None else {to.constant(self._verdict)}({state}, now)")
        return out

    def _verdict(self, state: Any, now: int) -> int:
        completions, now_ms, within_ms = state[COMPLETIONS], now - SHIFT_MS, self._within_ms
        # Those that are still to come wait for what must not follow.
        place = bisect_right(completions, now_ms)
        if within_ms is None:
            if place:
                return ALWAYS
        elif place and completions[place - 1] > now_ms - within_ms:
            ends: int = completions[place - 1] + within_ms
            for completion in completions[place:]:
                if completion > ends:
                    break
                # Complete before the one before it is over: no gap between them.
                ends = completion + within_ms
            return ends + SHIFT_MS
        return -(completions[place] + SHIFT_MS) if place < len(completions) else NEVER

    def observer(self, number: int) -> Observe:
        def observe(contact: Contact, now_ms: int) -> str:
            state = contact.features.get(number)
            if state is None:
                return f"0 of {self._steps} steps"
            place = bisect_right(state[COMPLETIONS], now_ms)
            if place:
                return f"complete at {format_moment(state[COMPLETIONS][place - 1])}"
            return f"{self._furthest(state, now_ms)[0]} of {self._steps} steps"

        return observe

    def loses(self, number: int) -> Loses:
        def loses(contact: Contact, now_ms: int) -> int | None:
            state = contact.features.get(number)
            if state is None or bisect_right(state[COMPLETIONS], now_ms):
                return None
            return self._furthest(state, now_ms)[1]

        return loses

    def _furthest(self, state: Any, now_ms: int) -> tuple[int, int | None]:
        """How many steps the longest chain has that can go on, and until when its next step can come; None: ever."""
        if bisect_right(state[COMPLETIONS], now_ms) < len(state[COMPLETIONS]):
            return self._steps, None  # it waits for what must not follow
        for place in reversed(range(self._steps - 1)):
            led = [m[0] for group in state[GROUPS].values() for m in group[STEPS][place] if m[2]]
            gap_ms = self._gaps_ms[place + 1]
            if led and (gap_ms is None or max(led) + gap_ms >= now_ms):
                return place + 1, None if gap_ms is None else max(led) + gap_ms
        return 0, None
