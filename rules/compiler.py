"""From a condition to a program over features."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import assert_never

from rules import conditions as written
from rules.conditions import Condition, CountTest, Node, leaves_of
from rules.emit import Emitter, Function
from rules.features import Source
from rules.leaves import (
    EventProperty,
    Guard,
    KnownFor,
    Leaf,
    MembershipTest,
    RollingCount,
    SampleTest,
    TotalCount,
    TraitTest,
)
from rules.measured import measured
from rules.numbering import Numbering
from rules.scored import Scoring, most_counted
from rules.sequenced import SequenceLeaf
from rules.verdict import at_least

NONE_AT_ALL = CountTest(low=0, high=0)
ONCE = CountTest(low=1, high=None)
Then = Callable[[str], object]
"""Writes what is to be done with a verdict, given the expression that has it."""
MOST_DEEP = 40
"""From so many blocks in blocks on, a level of conditions, of which there are 20, opens two at most. Python takes 98."""


def compile_leaf(condition: Node, segment_key: str) -> Leaf:
    """The leaf that a condition without conditions in it stands for."""
    match condition:
        case written.Did(did=names, measure=measure):
            if measure is None:
                return _count(condition, names, condition.test)
            return measured(measure, _source(condition, names), condition)
        case written.DidNot(did_not=names):
            return _count(condition, names, NONE_AT_ALL)
        case written.Latest(latest=names, property=path, within_ms=within_ms):
            return EventProperty("latest", _source(condition, names), path, within_ms, condition.tests)
        case written.First(first=names, property=path):
            return EventProperty("first", _source(condition, names), path, None, condition.tests)
        case written.Sequence(sequence=chain):
            return SequenceLeaf(chain)
        case written.ScorePart(each=each):
            assert each is not None
            leaf = _count(each, each.did, ONCE)
            leaf.capacity = most_counted(condition)
            return leaf
        case (
            written.TraitIs()
            | written.KnownFor()
            | written.Sample()
            | written.MemberOf()
            | written.NotMemberOf()
        ):
            return _compile_fact(condition, segment_key)
        case (
            written.Score()
            | written.All()
            | written.Any_()
            | written.None_()
            | written.Not()
            | written.AtLeast()
        ):
            raise TypeError(f"{type(condition).__name__} is no leaf")
        case _:
            assert_never(condition)


def _compile_fact(
    condition: written.TraitIs | written.KnownFor | written.Sample | written.MemberOf | written.NotMemberOf,
    segment_key: str,
) -> Leaf:
    """The leaf of a condition on what a contact is."""
    match condition:
        case written.TraitIs(trait=path):
            return TraitTest(path, condition.tests)
        case written.KnownFor(known_for_ms=known_for_ms):
            return KnownFor(known_for_ms)
        case written.Sample(sample=percent, seed=seed):
            return SampleTest(float(percent), segment_key if seed is None else seed)
        case written.MemberOf(member_of=key):
            return MembershipTest(key, wanted=True)
        case written.NotMemberOf(not_member_of=key):
            return MembershipTest(key, wanted=False)
        case _:
            assert_never(condition)


def _source(
    condition: written.Did | written.DidNot | written.Latest | written.First | written.Each,
    names: tuple[str, ...],
) -> Source:
    start_ms, end_ms = condition.since_ms, None
    if condition.between_ms is not None:
        start_ms, end_ms = condition.between_ms
    return Source(names, condition.where, start_ms, end_ms)


def _count(
    condition: written.Did | written.DidNot | written.Each, names: tuple[str, ...], test: CountTest
) -> Leaf:
    source = _source(condition, names)
    if condition.within_ms is None:
        return TotalCount(source, test)
    return RollingCount(source, condition.within_ms, test)


class Translation:
    """From conditions to code: of the verdict, and of the points of a score."""

    def __init__(self, to: Emitter, leaves: Mapping[int, Leaf], numbering: Numbering) -> None:
        """``leaves`` has the compiled leaf of each leaf condition, by the identity of the condition."""
        self._to, self._leaves, self._numbering = to, leaves, numbering

    def emit(self, condition: Node) -> str:
        """Writes the code of a condition's verdict, and returns the expression that has it."""
        match condition:
            case written.All(all=inner):
                return self._all(inner)
            case written.Any_(any=inner):
                return self._folded("max", inner)
            case written.None_(none=inner):
                return f"(-{self._folded('max', inner)})"
            case written.Not(not_=only):
                return f"(-{self.emit(only)})"
            case written.AtLeast(at_least=k, of=inner):
                verdicts = ", ".join([self.emit(child) for child in inner])
                return self._to.named(f"{self._to.constant(at_least)}({k}, [{verdicts}])")
            case written.Score(score=tally):
                return self._to.named(self._scored(Scoring(tally).verdict, tally))
            case _:
                leaf = self._leaves[id(condition)]
                return leaf.emit(self._to, leaf.number(self._numbering))

    def emit_where(self, condition: Node, then: Then) -> None:
        """Writes the code of a condition's verdict, and where it is not NEVER what ``then`` writes with it."""
        if isinstance(condition, written.All):
            self._where_all(condition.all, then)
            return
        guard = self._guard(condition)
        if guard is None:
            verdict = self._to.named(self.emit(condition))
            with self._to.when(f"{verdict} is not NEVER"):
                then(verdict)
        else:
            with self._to.when(guard.condition):
                then(guard.until or "ALWAYS")

    def least(self, condition: Node) -> dict[int, int]:
        """The features, by number, whose states have so many elements wherever a condition's verdict is not NEVER."""
        match condition:
            case written.All(all=inner):
                found: dict[int, int] = {}
                for child in inner:
                    for number, low in self.least(child).items():
                        found[number] = max(low, found.get(number, 0))
                return found
            case written.Any_(any=inner):
                each = [self.least(child) for child in inner]
                of_all = set(each[0]).intersection(*each[1:])
                return {number: min(least[number] for least in each) for number in of_all}
            case _:
                leaf = self._leaves.get(id(condition))
                return {leaf.number(self._numbering): leaf.least} if leaf is not None and leaf.least else {}

    def emit_total(self, tally: written.Tally) -> str:
        """Writes the code of the points of a score, and returns the expression that has them."""
        return self._scored(Scoring(tally).total, tally)

    def _scored(self, function: Function, tally: written.Tally) -> str:
        verdicts = ", ".join(self.emit(part.when) for part in tally.of if part.when is not None)
        states = ", ".join(
            self._to.feature(self._leaves[id(part)].number(self._numbering))
            for part in tally.of
            if part.each is not None
        )
        return f"{self._to.constant(function)}(now, [{verdicts}], [{states}])"

    def _folded(self, function: str, inner: tuple[Condition, ...]) -> str:
        verdicts = [self.emit(child) for child in inner]
        return verdicts[0] if len(verdicts) == 1 else self._to.named(f"{function}({', '.join(verdicts)})")

    def _all(self, inner: tuple[Condition, ...]) -> str:
        out = self._to.variable()
        self._to.line(f"{out} = NEVER")
        self._where_all(inner, lambda verdict: self._to.line(f"{out} = {verdict}"))
        return out

    def _where_all(self, inner: tuple[Condition, ...], then: Then) -> None:
        """Once false for good, whatever the others say: most contacts are in few segments, so most end early."""
        to = self._to
        ends, others = list[str](), list[Condition]()
        with ExitStack() as blocks:
            together = list[str]()
            for child in sorted(inner, key=self._rank):
                guard = self._guard(child)
                if guard is None:
                    others.append(child)
                    continue
                if guard.until is not None:
                    ends.append(guard.until)
                # One in the other, as what the next one asks for is not looked up then where this one is false.
                if to.depth < MOST_DEEP:
                    blocks.enter_context(to.when(guard.condition))
                else:
                    together.append(guard.condition)
            if together:
                blocks.enter_context(to.when(" and ".join(together)))
            self._where_others(ends, others, then)

    def _where_others(self, ends: Sequence[str], others: Sequence[Condition], then: Then) -> None:
        """Goes on where all is true until the first of the ``ends``, but for other conditions."""
        to = self._to
        if not others and len(ends) < 2:
            then(ends[0] if ends else "ALWAYS")
            return
        out = to.variable()
        first, *more = ends or [self.emit(others[0])]
        to.line(f"{out} = {first}")
        for end in more:
            to.line(f"if {end} < {out}: {out} = {end}")
        self._lower(out, others if ends else others[1:])
        if others:
            with to.when(f"{out} is not NEVER"):
                then(out)
        else:
            then(out)

    def _guard(self, condition: Node) -> Guard | None:
        leaf = self._leaves.get(id(condition))
        return None if leaf is None else leaf.emit_guard(self._to, leaf.number(self._numbering))

    def _lower(self, out: str, others: Sequence[Condition]) -> None:
        """Writes the code that lets ``out`` be the least of what it is and the verdicts of other conditions."""
        for child in others:
            with self._to.when(f"{out} is not NEVER"):
                verdict = self._to.named(self.emit(child))
                self._to.line(f"if {verdict} < {out}: {out} = {verdict}")

    def _rank(self, condition: Condition) -> tuple[int, int]:
        """What goes first in an ``all``: what costs little, and of that what most others ask for, too."""
        leaf, often = self._leaves.get(id(condition)), 0
        if leaf is not None and leaf.feature is not None:
            often = self._to.often.get(leaf.number(self._numbering), 0)
        return self._cost(condition), -often

    def _cost(self, condition: Condition) -> int:
        return sum(self._leaves[id(leaf)].cost for leaf in leaves_of(condition))
