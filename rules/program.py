"""One segment, ready to run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.compiler import Then, Translation, compile_leaf
from rules.conditions import Node, Score, Tally, leaves_of, told_of
from rules.contact import Contact
from rules.emit import Emitter
from rules.features import Feature
from rules.lacks import Sight
from rules.layers import Unit, named_by
from rules.leaves import KnownFor, Leaf, Loses, Observe, SampleTest
from rules.numbering import Numbering
from rules.policy import Policy
from rules.segment import Segment
from rules.text import describe
from rules.verdict import SHIFT_MS, change_ms

Judge = Callable[[dict[int, Any], int, Contact], int]
"""From features, now (shifted) and the contact to a verdict."""

MOST_TURNS = 2_000
"""So many moments at which a leaf may turn are looked ahead: more than any keeps event times."""

Evidence = tuple[str, Any, bool]
"""A leaf condition in plain English, what was observed, and whether it holds."""
Tell = Callable[[dict[int, Any], int, Contact, int], list[Evidence]]
"""From features, now (shifted), the contact and now (milliseconds UTC) to the evidence of all the leaves."""


@dataclass(frozen=True, slots=True)
class LeafProgram:
    """A leaf condition with what is needed to tell people about it."""

    written: Node
    text: str
    feature: Feature | None
    number: int
    """Under which contacts keep the feature's state; -1: they keep none."""
    needs: int
    """How much of the feature's past it needs: of occurrences, how many of the newest."""
    judge: Judge
    observe: Observe
    loses: Loses

    @property
    def memory(self) -> str | None:
        """What has to have been remembered for it: equal for leaves that need the same; None: nothing."""
        return None if self.feature is None else f"{self.feature.key}\n{self.needs}"

    def turns_ms(self, contact: Contact, now_ms: int) -> int | None:
        """When time alone turns it first; None: never. At the moment that a verdict names it only *may* turn: two events
        that leave at once can leave too few where one was too many."""
        verdict = self.judge(contact.features, now_ms + SHIFT_MS, contact)
        holds, moment_ms = verdict > 0, change_ms(verdict)
        for _ in range(MOST_TURNS):
            if moment_ms is None:
                break
            verdict = self.judge(contact.features, moment_ms + SHIFT_MS, contact)
            if (verdict > 0) != holds:
                return moment_ms
            moment_ms = change_ms(verdict)
        return None

    def is_inexact(self, contact: Contact) -> bool:
        """Whether more has happened than what is kept of the contact tells exactly."""
        if self.feature is None or self.number not in contact.features:
            return False
        return self.feature.is_inexact(contact.features[self.number])


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A segment's compiled definition."""

    segment: Segment
    key: str
    number: int
    """Under which contacts keep their membership."""
    place: int
    """In the order in which segments of one moment are judged."""
    unit: int
    """Which of the units that are judged one after the other it belongs to."""
    policy: Policy | None
    """What it goes by, and every segment of a group does; None: its verdict alone."""
    names: tuple[str, ...]
    """The segments whose membership it reads, by key."""
    version: int
    judge: Judge
    leaves: tuple[LeafProgram, ...]
    tell: Tell
    least: Mapping[int, int]
    """Features, by number, that have so many elements wherever the verdict is not false for good."""
    emit_where: Callable[[Emitter, Then], None]
    """Writes the code of the verdict, and of what is to be done with one that is not false for good, into a function that
    gives several."""
    reads_newcomers: bool
    """Whether the verdict on a contact without any feature can be or become true."""

    def evidence(self, contact: Contact, now_ms: int) -> list[Evidence]:
        """Every leaf with what it sees of the contact as of ``now_ms``."""
        return self.tell(contact.features, now_ms + SHIFT_MS, contact, now_ms)

    def sights(self, contact: Contact, now_ms: int) -> list[Sight]:
        """Every leaf as it is for the contact as of ``now_ms``, and what is to come of it."""
        sights = []
        for leaf in self.leaves:
            holds = leaf.judge(contact.features, now_ms + SHIFT_MS, contact) > 0
            observed, loses_ms = leaf.observe(contact, now_ms), leaf.loses(contact, now_ms)
            turns_ms = leaf.turns_ms(contact, now_ms)
            sights.append(Sight(leaf.written, leaf.text, observed, holds, turns_ms, loses_ms))
        return sights


def _never(contact: Contact, now_ms: int) -> None:
    """A score has no window of its own."""


class Draft:
    """A segment whose leaves are compiled, but not yet bound to the numbers of its features."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._written = list(leaves_of(segment.when))
        self._compiled: dict[int, Leaf] = {
            id(leaf): compile_leaf(leaf, segment.key) for leaf in self._written
        }

    @property
    def leaves(self) -> list[Leaf]:
        """The compiled leaves, in the order in which they are written."""
        return [self._compiled[id(leaf)] for leaf in self._written]

    def program(self, numbering: Numbering, unit: Unit, number: int, place: int) -> Program:
        """The program, given the numbers of segments and features, the unit that it is judged with, which of the units
        that is, and the program's own place in the order of all."""

        def emit_where(to: Emitter, then: Then) -> None:
            Translation(to, self._compiled, numbering).emit_where(self.segment.when, then)

        to = Emitter()
        translation = Translation(to, self._compiled, numbering)
        judge = to.function(translation.emit(self.segment.when))
        segment, leaves = self.segment, self._leaf_programs(numbering)
        return Program(
            segment=segment,
            key=segment.key,
            number=numbering.segments[segment.key],
            place=place,
            unit=number,
            policy=segment.policy or (Policy() if unit.is_group else None),
            names=named_by(segment),
            version=numbering.versions.get(segment.key, 1),
            judge=judge,
            leaves=leaves,
            tell=self._teller(leaves, numbering),
            least=translation.least(segment.when),
            emit_where=emit_where,
            reads_newcomers=self._reads_newcomers(judge),
        )

    def _leaf_programs(self, numbering: Numbering) -> tuple[LeafProgram, ...]:
        programs = []
        for written in told_of(self.segment.when):
            to = Emitter()
            judge = to.function(Translation(to, self._compiled, numbering).emit(written))
            if isinstance(written, Score):
                observer = self._observer_of(written.score, numbering)
                programs.append(LeafProgram(written, describe(written), None, -1, 0, judge, observer, _never))
                continue
            leaf = self._compiled[id(written)]
            number = leaf.number(numbering)
            observer = leaf.observer(number)
            programs.append(
                LeafProgram(
                    written,
                    describe(written),
                    leaf.feature,
                    number,
                    leaf.capacity,
                    judge,
                    observer,
                    leaf.loses(number),
                )
            )
        return tuple(programs)

    def _teller(self, leaves: Sequence[LeafProgram], numbering: Numbering) -> Tell:
        """All the leaves in one function: of a thousand segments, one for each leaf would seldom be in any cache."""
        to = Emitter("features, now, contact, now_ms")
        told = []
        for leaf in leaves:
            verdict = Translation(to, self._compiled, numbering).emit(leaf.written)
            compiled = self._compiled.get(id(leaf.written))
            if compiled is None:
                observed = f"{to.constant(leaf.observe)}(contact, now_ms)"
            else:
                observed = compiled.emit_observed(to, leaf.number)
            told.append(f"({to.constant(leaf.text)}, {observed}, {verdict} > 0)")
        return to.function(f"[{', '.join(told)}]")

    def _observer_of(self, tally: Tally, numbering: Numbering) -> Observe:
        to = Emitter()
        total = to.function(Translation(to, self._compiled, numbering).emit_total(tally))
        return lambda contact, now_ms: total(contact.features, now_ms + SHIFT_MS, contact)

    def _reads_newcomers(self, judge: Judge) -> bool:
        if any(isinstance(leaf, KnownFor | SampleTest) for leaf in self.leaves):
            return True
        nobody = Contact(id="", now_ms=0, first_received_ms=0)
        # Without features and without the contact's own facts there is no moment at which the verdict could change.
        return judge({}, SHIFT_MS, nobody) > 0
