"""The one step of a contact: advance its clock, fold an event, judge, note the next wake.

Live processing, replay, tests and previews run this same code under different drivers. It mutates the contact that it
is given; a driver that could not keep the outcome drops the contact and reads it again.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from rules.catalog import Catalog
from rules.contact import Contact, Membership
from rules.event import Event
from rules.panel import Verdicts, ordered, verdicts
from rules.program import Evidence, Program
from rules.repetitions import repeats
from rules.schedule import next_wake_ms, take_due
from rules.settlement import NOBODY, settle

MOST_IN_FULL = 1000
"""How many transitions of one contact at one moment may have evidence of any length. Together they are committed at once:
with more, what an event says and all of them show would be too much, however little each of them may show."""


class Reason(StrEnum):
    """What made a membership change."""

    EVENT = "event"
    TIME = "time"
    DEFINITION = "definition"


class Outcome(StrEnum):
    """What became of a record that was taken."""

    PROCESSED = "processed"
    REPETITION = "repetition"
    RESERVED = "reserved"
    """``group`` and ``alias``: only their message id counts, until they get a meaning."""


PROCESSED = Outcome.PROCESSED
"""Of nearly every event: to find it in its class takes as long as four steps of Python."""


class Transition(msgspec.Struct, gc=False):
    """An enter or an exit of one contact and one segment."""

    contact_id: str
    segment: str
    entered: bool
    sequence: int
    at_ms: int
    reason: str
    cause: str | None
    """The message id of the event that did it."""
    member_for_ms: int | None
    """Of an exit: how long the contact was a member."""
    version: int
    evidence: list[Evidence]
    brief: bool = False
    """Whether it is one of more than ``MOST_IN_FULL``: its evidence is to be told with short texts."""


class Gone(msgspec.Struct, frozen=True):
    """A segment that is no longer defined."""

    number: int
    key: str
    version: int


class Change(msgspec.Struct, frozen=True):
    """A change of definitions, as a stored contact meets it."""

    at_ms: int
    """The partition's clock when the change came into force, in milliseconds UTC."""
    changed: frozenset[int]
    """Numbers of the segments that are new or mean something else."""
    gone: tuple[Gone, ...] = ()


class Step:
    """The step function under one catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def take(self, contact: Contact, event: Event, clock_ms: int, out: list[Transition]) -> Outcome:
        """Takes one event of the contact.

        ``clock_ms`` is the clock of the contact's partition with this event's received time in it. Transitions are
        appended to ``out`` in the order in which they happen.
        """
        wake_ms = contact.wake_ms
        if wake_ms is not None and wake_ms < clock_ms:
            self.advance(contact, clock_ms, out)
            wake_ms = contact.wake_ms
        message_id, received_ms, now_ms = event.message_id, event.received_ms, contact.now_ms
        is_repetition = message_id is not None and repeats(contact.seen, message_id)
        is_reserved = event.kind in {"group", "alias"}
        if now_ms is None or now_ms < received_ms:
            now_ms = received_ms
            if not is_reserved:
                contact.now_ms = now_ms
        if is_repetition:
            return Outcome.REPETITION
        if is_reserved:
            return Outcome.RESERVED
        panel = self._catalog.fold(contact.features, event)
        others: Sequence[Program] = ()
        first_ms = contact.first_received_ms
        if first_ms is None or received_ms < first_ms:
            contact.first_received_ms = received_ms
            others = self._catalog.newcomers.programs
        if wake_ms is not None and wake_ms <= now_ms:
            # A wake at the very moment of the event is judged together with it, and is the event's doing.
            others = [*others, *self._due(contact, now_ms)]
        if others:
            found = verdicts(ordered([*panel.programs, *others]), contact, now_ms)
        else:
            found = panel.verdicts(contact, now_ms)
        if found:
            self._settle(contact, found, now_ms, Reason.EVENT, message_id, out)
        return PROCESSED

    def advance(
        self,
        contact: Contact,
        until_ms: int,
        out: list[Transition],
        *,
        inclusive: bool = False,
        held: frozenset[int] = NOBODY,
        most: int | None = None,
    ) -> None:
        """Lets the contact's wakes before ``until_ms`` happen, in time order; ``inclusive``: the one at it too.
        Segments of ``held``, by number, are left alone. With ``most``, those are left for another call that come when
        there are so many transitions in ``out``."""
        while (wake_ms := contact.wake_ms) is not None and (most is None or len(out) < most):
            if wake_ms > until_ms or (wake_ms == until_ms and not inclusive):
                return
            due = verdicts(ordered(self._due(contact, wake_ms)), contact, wake_ms)
            if self._settle(contact, due, wake_ms, Reason.TIME, None, out, held):
                contact.now_ms = wake_ms
            # The stored wake may have been early: what is left is exact.
            contact.wake_ms = next_wake_ms(contact)

    def redefine(self, contact: Contact, change: Change, out: list[Transition]) -> bool:
        """Brings a stored contact under changed definitions; returns whether its record changed."""
        contact.schedule = None
        before = msgspec.msgpack.encode(contact)
        for number in change.changed:
            if (membership := contact.memberships.get(number)) is not None:
                membership.next_ms = None
        contact.features = {
            number: state
            for number, state in contact.features.items()
            if number in self._catalog.feature_numbers
        }
        deliberate = {program.number for program in self._catalog.programs if program.policy is not None}
        contact.standings = {
            number: kept for number, kept in contact.standings.items() if number in deliberate
        }
        gone = {item.number: item for item in change.gone}
        for number in gone.keys() & contact.memberships.keys():
            contact.memberships[number].next_ms = None
        contact.wake_ms = next_wake_ms(contact)
        if contact.first_received_ms is None:
            # No event of its own yet: nothing was ever judged.
            return _differs(contact, before)
        self.advance(contact, change.at_ms, out, held=change.changed)
        at_ms = max(contact.now_ms or change.at_ms, change.at_ms)
        # Nobody that is left names a segment that is gone.
        left = [self._leave(contact, item, at_ms) for item in change.gone if _is_member(contact, item.number)]
        out.extend(sorted(left, key=lambda transition: transition.segment))
        changed = ordered(
            p for number in change.changed if (p := self._catalog.by_number.get(number)) is not None
        )
        moved = self._settle(contact, verdicts(changed, contact, at_ms), at_ms, Reason.DEFINITION, None, out)
        if left or moved:
            contact.now_ms = at_ms
        return _differs(contact, before)

    def _due(self, contact: Contact, now_ms: int) -> list[Program]:
        by_number = self._catalog.by_number
        return [by_number[number] for number in take_due(contact, now_ms) if number in by_number]

    def _settle(
        self,
        contact: Contact,
        found: Verdicts,
        now_ms: int,
        reason: Reason,
        cause: str | None,
        out: list[Transition],
        held: frozenset[int] = NOBODY,
    ) -> bool:
        """Draws the consequences of verdicts as of ``now_ms``; returns whether time has changed anything."""

        def turn(program: Program, membership: Membership) -> None:
            out.append(_turn(contact, program, membership, now_ms, reason, cause))

        before = len(out)
        moved = settle(self._catalog, contact, found, now_ms, turn, held)
        if len(out) - before > MOST_IN_FULL:
            for transition in out[before:]:
                transition.brief = True
        return moved

    def _leave(self, contact: Contact, gone: Gone, at_ms: int) -> Transition:
        membership = contact.memberships[gone.number]
        since_ms, membership.since_ms = membership.since_ms, at_ms
        membership.sequence += 1
        return Transition(
            contact_id=contact.id,
            segment=gone.key,
            entered=False,
            sequence=membership.sequence,
            at_ms=at_ms,
            reason=Reason.DEFINITION,
            cause=None,
            member_for_ms=at_ms - since_ms,
            version=gone.version,
            evidence=[],
        )


def _turn(
    contact: Contact, program: Program, membership: Membership, now_ms: int, reason: Reason, cause: str | None
) -> Transition:
    """Changes a membership and returns the transition that says so."""
    since_ms, membership.since_ms = membership.since_ms, now_ms
    membership.sequence += 1
    entered = membership.is_member
    return Transition(
        contact_id=contact.id,
        segment=program.key,
        entered=entered,
        sequence=membership.sequence,
        at_ms=now_ms,
        reason=reason,
        cause=cause,
        member_for_ms=None if entered else now_ms - since_ms,
        version=program.version,
        evidence=program.evidence(contact, now_ms),
    )


def _is_member(contact: Contact, number: int) -> bool:
    membership = contact.memberships.get(number)
    return membership is not None and membership.is_member


def _differs(contact: Contact, before: bytes) -> bool:
    contact.schedule = None
    return msgspec.msgpack.encode(contact) != before
