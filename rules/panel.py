"""Programs that are judged together: those that the same events can touch."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rules.contact import Contact
from rules.emit import Emitter
from rules.program import Program
from rules.verdict import NEVER, SHIFT_MS

Found = Callable[[tuple[Program, int]], None]
"""Is called with each verdict that matters."""
Constants = tuple[Any, ...]
Judge = Callable[[dict[int, Any], int, Contact, Mapping[int, Any], Found, Constants], None]
"""From features, now (shifted), the contact and its memberships."""
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

    All of them are one generated function, which looks up a feature where something hangs on it.
    """

    __slots__ = ("_constants", "_judge", "programs")

    def __init__(self, programs: Iterable[Program]) -> None:
        self.programs = ordered(programs)
        self._judge: Judge | None = None
        self._constants: Constants = ()
        """Kept here, so that panels of the same shape share their function, too: it stays in the processor's caches."""

    def verdicts(self, contact: Contact, now_ms: int) -> Verdicts:
        """The verdicts that matter on a contact as of a moment, in order."""
        found: Verdicts = []
        judge = self._judge or self._made()
        judge(
            contact.features, now_ms + SHIFT_MS, contact, contact.memberships, found.append, self._constants
        )
        return found

    def prepare(self) -> int:
        """Makes what gives the verdicts now, not when they are first asked for; returns how many conditions it has."""
        if self._judge is None:
            self._made()
        return sum(len(program.leaves) for program in self.programs)

    def _made(self) -> Judge:
        """What gives the verdicts; made when it is first needed, as many a combination of filters is never passed."""
        if len(self.programs) > MOST_IN_ONE:
            self._judge = self._one_by_one
        else:
            self._judge, self._constants = self._compiled()
        return self._judge

    def _compiled(self) -> tuple[Judge, Constants]:
        leaves = [leaf for program in self.programs for leaf in program.leaves]
        often = Counter(leaf.number for leaf in leaves if leaf.feature is not None)
        to = Emitter("features, now, contact, memberships, found", often)
        for program in self.programs:
            verdict = to.named(program.emit(to))
            # Most contacts have none, which is asked in less time.
            kept = f"(memberships and {to.number(program.number)} in memberships)"
            with to.when(f"{verdict} is not NEVER or {kept}"):
                to.line(f"found(({to.constant(program)}, {verdict}))")
        return to.parts("None")

    def _one_by_one(
        self,
        features: dict[int, Any],
        now: int,
        contact: Contact,
        memberships: Mapping[int, Any],
        found: Found,
        _: Constants,
    ) -> None:
        for program in self.programs:
            verdict = program.judge(features, now, contact)
            if verdict != NEVER or program.number in memberships:
                found((program, verdict))
