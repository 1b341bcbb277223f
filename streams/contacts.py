"""One partition's contacts in memory, and what a piece of work does to them. No I/O: the lane does that."""

import sys
from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import dataclass, field

from rules.contact import Contact
from rules.event import Event
from rules.step import PROCESSED, Change, Outcome, Step, Transition
from streams.records import decode_record, encode_record

NO_CLOCK_MS = -62_135_596_800_001
"""The clock of a partition from which nothing has been taken: before the first moment of the year 1."""


@dataclass(slots=True)
class Work:
    """What a piece of work, a batch of events or of wakes, has changed so far."""

    clock_ms: int
    transitions: list[Transition] = field(default_factory=list)
    received_ms: list[int] = field(default_factory=list)
    """For each transition that an event caused, when that event was received, in the order of ``transitions``."""
    changed: dict[str, int | None] = field(default_factory=dict)
    """Contacts whose record changed, with the wake that is stored of each."""
    records: dict[str, bytes] = field(default_factory=dict)
    """The records of those that were put away, as they are to be stored."""
    wakes: dict[str, int | None] = field(default_factory=dict)
    """The wakes of the same contacts."""
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    late: int = 0
    """Events that came after the clock had gone beyond them."""

    def note(self, contact: Contact, stored_ms: int | None) -> None:
        """The record of a contact changes, of which a wake is stored."""
        self.changed.setdefault(contact.id, stored_ms)

    def changed_wakes(self) -> dict[str, int | None]:
        """The wakes to store: those that are not what is stored."""
        changed = self.changed
        return {
            contact_id: wake_ms
            for contact_id, wake_ms in self.wakes.items()
            if wake_ms != changed[contact_id]
        }


class Contacts:
    """The contacts of one partition that are in memory, bounded in number.

    They are kept as their records, but for the few that are being worked on: a record is one piece of memory, where an
    object is forty, most of which are in no cache of the processor when its next event comes. To read a record takes
    less than to wait for those, and a record takes a sixth of the room.

    What is here may be ahead of the store while a commit is on its way; if that is not done, drop it.
    """

    def __init__(
        self,
        step: Step,
        epoch: int,
        change: Change | None,
        capacity: int,
        capacity_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        """``capacity_bytes`` bounds them by the size of their records, too, so that a few with very much to remember do
        not take the place of many."""
        self._step = step
        self._epoch = epoch
        self._change = change
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._records: dict[str, bytes] = {}
        """As the store has them, or will have them with the commit that is on its way; none of them is to be brought
        through a change of definitions any more."""
        self._absent: set[str] = set()
        """Of whom the store has no record."""
        self._at_work: dict[str, Contact] = {}
        """Those of which objects have been made."""
        self._size = 0
        """Of all the records, in bytes."""

    def missing(self, ids: Collection[str]) -> list[str]:
        """Those of the contacts that are not in memory, each once, in their order."""
        missing = set(ids).difference(self._records, self._absent)
        return [contact_id for contact_id in dict.fromkeys(ids) if contact_id in missing] if missing else []

    @property
    def known(self) -> Container[str]:
        """The ids of the contacts in memory, as they are at any time, but for those of whom there is no record yet."""
        return self._records.keys()

    def bring_in(
        self, ids: Sequence[str], records: Sequence[bytes | None], work: Work, most: int | None = None
    ) -> int:
        """Takes stored records into memory; those from before a change of definitions are brought through it. Returns
        how many: all, or as many as bring about ``most`` transitions."""
        known = self._records
        for count, (contact_id, record) in enumerate(zip(ids, records, strict=True)):
            if most is not None and len(work.transitions) >= most:
                return count
            if contact_id in known:
                continue
            if record is None:
                self._absent.add(contact_id)
                continue
            known[contact_id] = record
            self._size += len(record)
            if self._change is not None:
                contact, epoch = decode_record(contact_id, record)
                wake_ms = contact.wake_ms
                if epoch != self._epoch and self._step.redefine(contact, self._change, work.transitions):
                    self._at_work[contact_id] = contact
                    work.note(contact, wake_ms)
        return len(ids)

    def take(
        self,
        events: Sequence[Event],
        work: Work,
        most: int = sys.maxsize,
        passed_ms: int = NO_CLOCK_MS,
        delay_ms: int = 0,
    ) -> int:
        """Takes events of contacts that are in memory, in the order of the log, until there are ``most`` transitions of
        them and of the wakes before them; returns how many. Those count as late that come behind ``passed_ms``, up to
        where time alone has moved the clock, or more than ``delay_ms`` behind the clock.
        """
        # Every event comes by here: what is the same for all is looked up before.
        at_work, read, step, advance = self._at_work, self._read, self._step.take, self._step.advance
        changed, transitions, clock_ms = work.changed, work.transitions, work.clock_ms
        count = odd = 0
        for event in events:
            contact_id, received_ms, before_ms = event.contact_id, event.received_ms, clock_ms
            contact = at_work.get(contact_id) or read(contact_id)
            wake_ms = contact.wake_ms
            if contact_id not in changed:
                changed[contact_id] = wake_ms
            if received_ms > clock_ms:  # noqa: PLR1730 - a call takes longer
                clock_ms = received_ms
            if wake_ms is not None and wake_ms < clock_ms:
                advance(contact, clock_ms, transitions, most=most)
                wake_ms = contact.wake_ms
                if wake_ms is not None and wake_ms < clock_ms:
                    clock_ms = before_ms
                    break
            before = len(transitions)
            outcome = step(contact, event, clock_ms, transitions)
            count += 1
            if outcome is not PROCESSED:
                odd += 1
                work.outcomes[outcome] += 1
            if received_ms < before_ms:
                # Time has moved the clock beyond it, or it is far behind the others: its contact may have been moved in
                # its absence.
                work.late += received_ms < max(passed_ms, before_ms - delay_ms)
            after = len(transitions)
            if after > before:
                for transition in transitions[before:]:
                    if transition.reason == "event":
                        work.received_ms.append(received_ms)
            if after >= most:
                break
        work.clock_ms = clock_ms
        work.outcomes[PROCESSED] += count - odd
        return count

    def wake(self, contact_id: str, work: Work, most: int | None = None) -> None:
        """Lets the wakes of a contact that the clock has gone beyond happen; once there are ``most`` transitions, the
        others are left for another time."""
        contact = self.get(contact_id)
        work.note(contact, contact.wake_ms)
        self._step.advance(contact, work.clock_ms, work.transitions, most=most)

    def get(self, contact_id: str) -> Contact:
        """A contact that is in memory. What becomes of it is kept if ``work`` notes it before it is put away."""
        return self._at_work.get(contact_id) or self._read(contact_id)

    def _read(self, contact_id: str) -> Contact:
        record = self._records.get(contact_id)
        if record is not None:
            contact = decode_record(contact_id, record)[0]
        elif contact_id in self._absent:
            contact = Contact(contact_id)
        else:
            raise KeyError(contact_id)
        self._at_work[contact_id] = contact
        return contact

    def put_away(self, work: Work) -> None:
        """Makes records of the contacts that were worked on."""
        epoch, known, changed, records, wakes = (
            self._epoch, self._records, work.changed, work.records, work.wakes,
        )  # fmt: skip
        for contact_id, contact in self._at_work.items():
            if contact_id in changed:
                record = encode_record(contact, epoch)
                self._size += len(record) - len(known.get(contact_id, b""))
                known[contact_id] = records[contact_id] = record
                wakes[contact_id] = contact.wake_ms
        self._at_work.clear()

    def settle(self) -> None:
        """A piece of work is done: makes room, the longest known contacts first, where there are more than the
        capacity."""
        self._absent.clear()
        records = self._records
        if len(records) <= self._capacity and self._size <= self._capacity_bytes:
            return
        most, most_bytes = self._capacity - self._capacity // 10, self._capacity_bytes * 9 // 10
        for contact_id in list(records):
            if len(records) <= most and self._size <= most_bytes:
                return
            self._size -= len(records.pop(contact_id))

    def changes_done(self) -> None:
        """Every stored contact has been brought through the change of definitions."""
        self._change = None


def memberships(transitions: Iterable[Transition]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Who is a member from now on and who no longer, per segment: the outcome of these transitions."""
    latest = {(transition.segment, transition.contact_id): transition.entered for transition in transitions}
    entered: dict[str, list[str]] = {}
    exited: dict[str, list[str]] = {}
    for (segment, contact_id), is_member in latest.items():
        (entered if is_member else exited).setdefault(segment, []).append(contact_id)
    return entered, exited
