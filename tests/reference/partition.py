"""One partition's records in order, its clock, and what becomes of its contacts (sections 2, 3 and 5)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.reference.conditions import History, durations_of, holds, moments_to_look_at
from tests.reference.membership import Memberships
from tests.reference.records import Taken, read

REMEMBERED_IDS = 128
BEFORE_ALL_MS = -(10**18)


@dataclass(frozen=True)
class Expected:
    """A transition; `at_ms` is its timestamp."""

    contact: str
    segment: str
    entered: bool
    at_ms: int
    sequence: int
    reason: str
    cause: str | None
    member_for_ms: int | None


@dataclass
class Judged:
    """What came out: the transitions of each contact in order, and the dead letters as (index, reason)."""

    transitions: dict[str, list[Expected]] = field(default_factory=dict)
    dead_letters: list[tuple[int, str]] = field(default_factory=list)


def judge(
    segments: list[dict[str, Any]],
    records: Iterable[Any],
    until_ms: int | None = None,
    groups: list[dict[str, Any]] | None = None,
) -> Judged:
    """All that a file of these records brings about, up to its own clock or up to `until_ms`."""
    partition = _Partition(segments, groups or [])
    judged = Judged()
    for index, record in enumerate(records):
        taken = read(record)
        if isinstance(taken, str):
            judged.dead_letters.append((index, taken))
        elif until_ms is None or taken.received_ms <= until_ms:
            partition.take(taken)
    partition.end(until_ms)
    judged.transitions = {
        name: person.transitions for name, person in partition.contacts.items() if person.transitions
    }
    return judged


class _Partition:
    def __init__(self, segments: list[dict[str, Any]], groups: list[dict[str, Any]]) -> None:
        self.segments, self.groups = segments, groups
        self.contacts: dict[str, _Contact] = {}
        self.clock: int | None = None

    def take(self, taken: Taken) -> None:
        self.clock = taken.received_ms if self.clock is None else max(self.clock, taken.received_ms)
        # What the clock has gone beyond comes first, for everybody and so for this contact.
        for contact in self.contacts.values():
            contact.pass_wakes_before(self.clock)
        contact = self.contacts.setdefault(taken.contact, _Contact(taken.contact, self.segments, self.groups))
        contact.take(taken)
        # An event that was received long before the clock can open a window that has ended since.
        contact.pass_wakes_before(self.clock)

    def end(self, until_ms: int | None) -> None:
        last = self.clock if until_ms is None else until_ms
        if last is not None:
            for contact in self.contacts.values():
                contact.pass_wakes_before(last + 1)


class _Contact:
    def __init__(self, name: str, segments: list[dict[str, Any]], groups: list[dict[str, Any]]) -> None:
        self.memberships = Memberships(segments, groups)
        self.durations = durations_of([segment["when"] for segment in segments])
        self.history = History(name)
        self.candidates: list[int] = []
        self.ids: list[str] = []
        self.own_time: int | None = None
        self.judged_at = self.looked_until = BEFORE_ALL_MS
        self.entered_at: dict[str, int] = {}
        self.counts: dict[str, int] = defaultdict(int)
        self.transitions: list[Expected] = []

    def take(self, taken: Taken) -> None:
        is_repetition = taken.message_id is not None and taken.message_id in self.ids
        if taken.message_id is not None and not is_repetition:
            self.ids = [*self.ids, taken.message_id][-REMEMBERED_IDS:]
        if not taken.is_of_contact:
            return
        if self.own_time is None or taken.received_ms > self.own_time:
            self.own_time = taken.received_ms
        if is_repetition:
            return
        self.history.events.append(taken)
        self.candidates = sorted(moments_to_look_at(self.history, self.durations))
        self.looked_until = BEFORE_ALL_MS
        self._judge(self.own_time, "event", taken.message_id)

    def pass_wakes_before(self, limit: int) -> None:
        if not self.history.events:
            return
        for moment in self.candidates:
            if max(self.judged_at + 1, self.looked_until) <= moment < limit:
                # What policies wait for comes in between, and can bring more to wait for.
                self._pass_policies(moment)
                self._judge(moment, "time", None)
        self._pass_policies(limit)
        self.looked_until = max(self.looked_until, limit)

    def _pass_policies(self, limit: int) -> None:
        while (due := self.memberships.next_due()) is not None and due < limit:
            self._judge(due, "time", None)

    def _judge(self, now: int, reason: str, cause: str | None) -> None:
        moved, changed = self.memberships.judge(
            now, lambda segment, members: holds(segment["when"], self.history, now, segment["key"], members)
        )
        for key in moved:
            self._move(key, now, reason, cause)
        if changed or reason == "event":
            self.own_time, self.judged_at = max(now, self.own_time or now), now

    def _move(self, key: str, now: int, reason: str, cause: str | None) -> None:
        since = self.entered_at.pop(key, None)
        if since is None:
            self.entered_at[key] = now
        self.counts[key] += 1
        self.transitions.append(
            Expected(
                contact=self.history.contact,
                segment=key,
                entered=since is None,
                at_ms=now,
                sequence=self.counts[key],
                reason=reason,
                cause=cause,
                member_for_ms=None if since is None else now - since,
            )
        )
