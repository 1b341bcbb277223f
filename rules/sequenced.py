"""The leaf of a sequence."""

from bisect import bisect_right
from typing import Any

from rules.conditions import Chain
from rules.contact import Contact
from rules.durations import format_moment
from rules.emit import Emitter
from rules.features import Chains, ChainStep, Source
from rules.features.chains import COMPLETIONS, GROUPS, STEPS
from rules.leaves import Leaf, Observe
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
            return f"{self._furthest(state)} of {self._steps} steps"

        return observe

    def _furthest(self, state: Any) -> int:
        """How many steps the longest chain has."""
        return max(
            (
                place + 1
                for group in state[GROUPS].values()
                for place, matches in enumerate(group[STEPS])
                if any(match[2] for match in matches)
            ),
            default=0,
        )
