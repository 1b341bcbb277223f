"""Leaf conditions, compiled: what each needs to be remembered, the code of its verdict, what it observes."""

import hashlib
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rules.conditions import CountTest
from rules.contact import Contact
from rules.durations import format_moment
from rules.emit import Emitter
from rules.features import Feature, Occurrences, PropertyValue, Source, Total, TraitValue
from rules.features.latest import Order
from rules.numbering import Numbering
from rules.paths import Values
from rules.value_tests import ValueTests
from rules.values import is_timed, only_text, predicate, timed_predicate
from rules.verdict import SHIFT_MS

Loses = Callable[[Contact, int], int | None]
"""From a contact and now to a moment, both in milliseconds UTC; None: there is none."""
Observe = Callable[[Contact, int], Any]
"""From a contact and now, in milliseconds UTC, to what the leaf measures there, in JSON's types."""


@dataclass(frozen=True, slots=True)
class Guard:
    """The code of a verdict that is never false until a moment: true, or false for good. An ``all`` tests those first, one
    inside the other, which most contacts leave at the first."""

    condition: str
    """Whether the verdict is true."""
    until: str | None = None
    """The variable that ``condition`` sets to the verdict where it is true; None: the verdict is ALWAYS then."""


class Leaf(ABC):
    """A condition without conditions in it."""

    feature: Feature | None = None
    """What must be remembered for it; None: the contact itself tells."""
    capacity: int = 0
    """For features of which some need more than others, such as the newest times: how many it needs."""
    cost: int = 1
    """Rough cost of its verdict; the cheap ones of an ``all`` go first."""
    least: int = 0
    """How many elements the state of its feature, a list, has wherever the verdict is not false for good."""
    reads_time: bool = False
    """Whether its verdict can be another one although the feature says that none can (``Feature.tells_change``), since
    it goes by when the event was, too."""

    def number(self, numbering: Numbering) -> int:
        """Under which contacts keep what it reads: that of its feature; -1 where it has none."""
        return -1 if self.feature is None else numbering.features[self.feature.key]

    @abstractmethod
    def emit(self, to: Emitter, number: int) -> str:
        """Writes the code of the verdict over what has that number, and returns the variable that holds it."""

    def emit_guard(self, to: Emitter, number: int) -> Guard | None:  # noqa: ARG002
        """The verdict that ``emit`` gives, as a guard; None where it has none."""
        return None

    @abstractmethod
    def observer(self, number: int) -> Observe:
        """A function that tells what the leaf measures."""

    def emit_observed(self, to: Emitter, number: int) -> str:
        """Writes the code of what the leaf measures, where ``now_ms`` is now, and returns the expression that has it."""
        return f"{to.constant(self.observer(number))}(contact, now_ms)"

    def loses(self, number: int) -> Loses:  # noqa: ARG002 - nothing leaves a window
        """A function that tells when the oldest of the events that count leaves the window."""
        return lambda contact, now_ms: None  # noqa: ARG005


class RollingCount(Leaf):
    """``low <= count <= high`` of the events within a window that ends now."""

    def __init__(self, source: Source, within_ms: int, test: CountTest) -> None:
        self.feature = Occurrences(source)
        self.capacity = max(test.low, 1 if test.high is None else test.high + 1)
        self.least = test.low
        self._within_ms, self._test = within_ms, test

    def emit(self, to: Emitter, number: int) -> str:
        return emit_rolling_count(to, to.feature(number), self._within_ms, self._test)

    def emit_guard(self, to: Emitter, number: int) -> Guard | None:
        low = self._test.low
        if not low or self._test.high is not None:
            return None
        times, until = to.feature(number), to.variable()
        ends, enough = to.number(self._within_ms + SHIFT_MS), to.at_least(number, low)
        is_in_window = f"({until} := {times}[-{low}] + {ends}) > now"
        return Guard(f"{enough} and {is_in_window}" if enough else is_in_window, until)

    def observer(self, number: int) -> Observe:
        return lambda contact, now_ms: in_window(contact.features.get(number, ()), now_ms, self._within_ms)

    def emit_observed(self, to: Emitter, number: int) -> str:
        return f"{to.constant(in_window)}({to.feature(number)} or (), now_ms, {to.number(self._within_ms)})"

    def loses(self, number: int) -> Loses:
        return lambda contact, now_ms: leaves_ms(contact.features.get(number, ()), now_ms, self._within_ms)


def emit_rolling_count(to: Emitter, times: str, within_ms: int, test: CountTest) -> str:
    """Writes the code of ``low <= number of times in the window <= high``, and returns the variable of its verdict.
    ``times``: the variable of the newest times, ascending, or None."""
    out, ends = to.variable(), to.number(within_ms + SHIFT_MS)
    if test.low:
        # True until the low-th newest leaves the window.
        to.line(f"{out} = NEVER")
        with to.when(f"{times} is not None and len({times}) >= {test.low}"):
            to.line(f"{out} = {times}[-{test.low}] + {ends}")
            to.line(f"if {out} <= now: {out} = NEVER")
    else:
        to.line(f"{out} = ALWAYS")
    if test.high is not None:
        # False until the one that is too many leaves the window.
        excess = to.variable()
        with to.when(f"{times} is not None and len({times}) > {test.high}"):
            to.line(f"{excess} = {times}[-{test.high + 1}] + {ends}")
            to.line(f"if {excess} > now: {out} = min({out}, -{excess})")
    return out


def in_window(times: Sequence[int], now_ms: int, within_ms: int) -> int:
    """How many of the times, ascending, are in a window that ends now."""
    return bisect_right(times, now_ms) - bisect_right(times, now_ms - within_ms)


def leaves_ms(times: Sequence[int], now_ms: int, within_ms: int) -> int | None:
    """When the first of the times, ascending, leaves a window that ends now; None: none of them is in it."""
    place = bisect_right(times, now_ms - within_ms)
    return times[place] + within_ms if place < len(times) and times[place] <= now_ms else None


class TotalCount(Leaf):
    """``low <= count <= high`` of all the events of a source whose bounds, if any, are fixed moments."""

    def __init__(self, source: Source, test: CountTest) -> None:
        self.feature = Total(source)
        self._test = test

    def emit(self, to: Emitter, number: int) -> str:
        out = to.variable()
        to.line(f"{out} = ALWAYS if {self.emit_guard(to, number).condition} else NEVER")
        return out

    def emit_guard(self, to: Emitter, number: int) -> Guard:
        high = "" if self._test.high is None else f" <= {self._test.high}"
        return Guard(f"{self._test.low} <= ({to.feature(number)} or 0){high}")

    def observer(self, number: int) -> Observe:
        return lambda contact, _: contact.features.get(number, 0)

    def emit_observed(self, to: Emitter, number: int) -> str:
        return f"({to.feature(number)} or 0)"


class ValueLeaf(Leaf):
    """Value tests on what a feature remembers; subclasses say where its values stand."""

    cost = 2

    def __init__(self, tests: ValueTests) -> None:
        self._tests = tests

    def _emit_tests(self, to: Emitter, values: str) -> str:
        if is_timed(self._tests):
            return f"{to.constant(timed_predicate(self._tests))}({values}, now)"
        return f"(ALWAYS if {self._emit_passes(to, values)} else NEVER)"

    def _emit_passes(self, to: Emitter, values: str) -> str:
        """The code of tests that are not timed."""
        text = only_text(self._tests)
        if text is not None:
            return f"{to.constant(text)} in {values}"
        return f"{to.constant(predicate(self._tests))}({values})"


class TraitTest(ValueLeaf):
    """A trait passes its tests; a missing one can pass negative tests only."""

    def __init__(self, path: str, tests: ValueTests) -> None:
        super().__init__(tests)
        self.feature = TraitValue(path)

    def emit(self, to: Emitter, number: int) -> str:
        return to.named(self._emit_tests(to, self._values(to, number)))

    def emit_guard(self, to: Emitter, number: int) -> Guard | None:
        if is_timed(self._tests):
            return None
        return Guard(self._emit_passes(to, self._values(to, number)))

    def _values(self, to: Emitter, number: int) -> str:
        return f"{to.constant(TraitValue.values)}({to.feature(number)})"

    def observer(self, number: int) -> Observe:
        return lambda contact, _: as_json(TraitValue.values(contact.features.get(number)))


class EventProperty(ValueLeaf):
    """A property of the latest or first event of a source passes its tests; without such an event it is false."""

    def __init__(
        self, order: Order, source: Source, path: str, within_ms: int | None, tests: ValueTests
    ) -> None:
        super().__init__(tests)
        self.feature = PropertyValue(order, source, path)
        self._within_ms = within_ms
        self.reads_time = within_ms is not None

    def emit(self, to: Emitter, number: int) -> str:
        kept, out = to.feature(number), to.variable()
        to.line(f"{out} = NEVER")
        with to.when(f"{kept} is not None"):
            to.line(f"{out} = {self._emit_tests(to, f'{kept}[1]')}")
            if self._within_ms is not None:
                # The latest event of the window is the latest of all, until it leaves the window.
                leaves = to.variable()
                to.line(f"{leaves} = {kept}[0] + {to.number(self._within_ms + SHIFT_MS)}")
                to.line(f"{out} = min({out}, {leaves}) if {leaves} > now else NEVER")
        return out

    def emit_guard(self, to: Emitter, number: int) -> Guard | None:
        if is_timed(self._tests):
            return None
        kept = to.feature(number)
        passes = f"{kept} is not None and {self._emit_passes(to, f'{kept}[1]')}"
        if self._within_ms is None:
            return Guard(passes)
        until, ends = to.variable(), to.number(self._within_ms + SHIFT_MS)
        return Guard(f"{passes} and ({until} := {kept}[0] + {ends}) > now", until)

    def observer(self, number: int) -> Observe:
        def observe(contact: Contact, now_ms: int) -> Any:
            kept = contact.features.get(number)
            if kept is None or (self._within_ms is not None and kept[0] + self._within_ms <= now_ms):
                return None
            return as_json(kept[1])

        return observe


class KnownFor(Leaf):
    """The contact's smallest received time is at least so long ago."""

    def __init__(self, known_for_ms: int) -> None:
        self._known_for_ms = known_for_ms

    def emit(self, to: Emitter, number: int) -> str:  # noqa: ARG002 - no feature
        out = to.variable()
        to.line(f"{out} = contact.first_received_ms + {to.number(self._known_for_ms + SHIFT_MS)}")
        to.line(f"{out} = ALWAYS if now >= {out} else -{out}")
        return out

    def observer(self, number: int) -> Observe:  # noqa: ARG002 - no feature
        return lambda contact, _: format_moment(contact.first_received_ms or 0)


def bucket(seed: str, contact_id: str) -> int:
    """The stable place of a contact among 10,000, as the contract's section 4.1 has it."""
    return int(hashlib.sha256(f"{seed}:{contact_id}".encode()).hexdigest()[:15], 16) % 10_000


class SampleTest(Leaf):
    """The contact is one of a stable percentage."""

    cost = 9

    def __init__(self, percent: float, seed: str) -> None:
        self._below, self._seed = round(percent * 100), seed

    def emit(self, to: Emitter, number: int) -> str:  # noqa: ARG002 - no feature
        out, place, seed = to.variable(), to.constant(bucket), to.constant(self._seed)
        to.line(f"{out} = ALWAYS if {place}({seed}, contact.id) < {to.number(self._below)} else NEVER")
        return out

    def observer(self, number: int) -> Observe:  # noqa: ARG002 - no feature
        return lambda contact, _: bucket(self._seed, contact.id) / 100


class MembershipTest(Leaf):
    """The contact is, or is not, a member of another segment."""

    def __init__(self, segment: str, *, wanted: bool) -> None:
        self.segment = segment
        """The key of the segment."""
        self._wanted = wanted

    def number(self, numbering: Numbering) -> int:
        return numbering.segments[self.segment]

    def emit(self, to: Emitter, number: int) -> str:
        out, member, other = to.variable(), *(("ALWAYS", "NEVER") if self._wanted else ("NEVER", "ALWAYS"))
        to.line(f"{out} = contact.memberships.get({to.number(number)})")
        to.line(f"{out} = {member} if {out} is not None and {out}.sequence & 1 else {other}")
        return out

    def observer(self, number: int) -> Observe:
        def observe(contact: Contact, _: int) -> bool:
            membership = contact.memberships.get(number)
            return membership is not None and membership.is_member

        return observe


def as_json(values: Values) -> Any:
    """None, the one value, or the list of them."""
    if len(values) == 1:
        return values[0]
    return list(values) or None
