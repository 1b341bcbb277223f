"""Programs that are judged together: those that the same events can touch."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from rules.compiler import MOST_DEEP
from rules.contact import Contact
from rules.emit import Emitter
from rules.program import Program
from rules.verdict import NEVER, SHIFT_MS

Found = Callable[[tuple[Program, int]], None]
"""Is called with each verdict that matters."""
Constants = tuple[Any, ...]
Judge = Callable[[dict[int, Any], int, Contact, Found, Constants], None]
"""From features, now (shifted) and the contact."""
Made = tuple[Judge, Constants]
"""A function, and what to call it with: so that panels of the same shape share it, and it stays in the processor's caches."""
Verdicts = list[tuple[Program, int]]
"""Programs with their verdicts, in the order in which segments of one moment are judged."""

MOST_IN_ONE = 50
"""How many programs are made one function: 0.1 ms for each of them, where none of the same shape was compiled before. More
are called one by one, which takes no longer where they are many."""


def ordered(programs: Iterable[Program]) -> tuple[Program, ...]:
    """Programs without repetition, in the order in which segments of one moment are judged."""
    return tuple(sorted(set(programs), key=lambda program: program.place))


def verdicts(programs: Iterable[Program], contact: Contact, now_ms: int) -> Verdicts:
    """The verdicts of a few programs, one by one."""
    features, now = contact.features, now_ms + SHIFT_MS
    return [(program, program.judge(features, now, contact)) for program in programs]


class Panel:
    """Gives the verdicts of its programs that matter: all but those that are false for good on a contact of whom
    nothing is kept about the segment, which are most.

    All of them are one generated function, and another one for contacts who are in no segment and were in none, as most
    are. That one asks but once for what several segments need, such as three orders, and most contacts have little of it:
    so most segments are passed over without a look at them.
    """

    __slots__ = ("_of_members", "_of_others", "programs")

    def __init__(self, programs: Iterable[Program]) -> None:
        self.programs = ordered(programs)
        self._of_members: Made | None = None
        self._of_others: Made | None = None

    def verdicts(self, contact: Contact, now_ms: int) -> Verdicts:
        """The verdicts that matter on a contact as of a moment, in order."""
        found: Verdicts = []
        if contact.memberships:
            judge, constants = self._of_members or self._made_of_members()
            judge(contact.features, now_ms + SHIFT_MS, contact, found.append, constants)
            return found
        judge, constants = self._of_others or self._made_of_others()
        judge(contact.features, now_ms + SHIFT_MS, contact, found.append, constants)
        if len(found) > 1:
            found.sort(key=_place)
        return found

    def prepare(self) -> int:
        """Makes what gives the verdicts now, not when they are first asked for; returns of how many conditions."""
        if len(self.programs) > MOST_IN_ONE:
            return 0
        if self._of_members is None:
            self._made_of_members()
        if self._of_others is None:
            self._made_of_others()
        return 2 * sum(len(program.leaves) for program in self.programs)

    def _made_of_members(self) -> Made:
        """Made when it is first needed, as many a combination of filters is never passed."""
        self._of_members = made = self._made(_emit_in_order)
        return made

    def _made_of_others(self) -> Made:
        self._of_others = made = self._made(_emit_by_need)
        return made

    def _made(self, emit: Callable[[Emitter, Sequence[Program]], None]) -> Made:
        if len(self.programs) > MOST_IN_ONE:
            return self._one_by_one, ()
        leaves = [leaf for program in self.programs for leaf in program.leaves]
        to = Emitter(
            "features, now, contact, found",
            Counter(leaf.number for leaf in leaves if leaf.feature is not None),
        )
        emit(to, self.programs)
        return to.parts("None")

    def _one_by_one(
        self, features: dict[int, Any], now: int, contact: Contact, found: Found, _: Constants
    ) -> None:
        for program in self.programs:
            verdict = program.judge(features, now, contact)
            if verdict != NEVER or program.number in contact.memberships:
                found((program, verdict))


def _place(verdict: tuple[Program, int]) -> int:
    return verdict[0].place


def _emit_in_order(to: Emitter, programs: Sequence[Program]) -> None:
    """Writes the code that tells the verdicts that matter on contacts of whom something is kept about some segments."""
    to.line("memberships = contact.memberships")
    for program in programs:
        out = to.variable()
        to.line(f"{out} = NEVER")
        program.emit_where(to, partial(_set, to, out))
        with to.when(f"{out} is not NEVER or {to.number(program.number)} in memberships"):
            _tell(to, program, out)


def _set(to: Emitter, variable: str, value: str) -> None:
    to.line(f"{variable} = {value}")


def _tell(to: Emitter, program: Program, verdict: str) -> None:
    to.line(f"found(({to.constant(program)}, {verdict}))")


def _emit_by_need(to: Emitter, programs: Sequence[Program]) -> None:
    """Writes the code that tells those verdicts that are not false for good, in any order."""
    while to.depth < MOST_DEEP and (need := _first_need(to, programs)) is not None:
        number, low = need
        with to.when_at_least(number, low):
            _emit_by_need(to, [program for program in programs if program.least.get(number, 0) >= low])
        programs = [program for program in programs if program.least.get(number, 0) < low]
    for program in programs:
        program.emit_where(to, partial(_tell, to, program))


def _first_need(to: Emitter, programs: Sequence[Program]) -> tuple[int, int] | None:
    """How many elements of which feature to ask for first, of those that are not known to be there; None: nobody needs
    any. That is what most programs need, and rather three than one, as fewer contacts have three."""
    needs: dict[int, Counter[int]] = {}
    for number, low in (need for program in programs for need in program.least.items()):
        if not to.is_enough(number, low):
            needs.setdefault(number, Counter())[low] += 1
    first, most = None, 0
    # By the order of programs and not by numbers, as panels of one shape have to become one function.
    for number, lows in needs.items():
        count = 0
        for low in sorted(lows, reverse=True):
            # Who needs more needs so many, too.
            count += lows[low]
            if count * low > most:
                first, most = (number, low), count * low
    return first
