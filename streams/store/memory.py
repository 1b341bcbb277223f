"""The store's contract on plain dicts: for tests, scenarios and replays. Nothing outlives the process."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from streams.store import Commit, CommitResult, Enrolled, Glance, PartitionState
from streams.store.errors import FenceLost, OffsetMismatch, PartitionCountMismatch, PartitionMoved, StateMoved
from streams.store.ownership import Ownership


class _Wakes:
    """Wakes by contact, and in time order: a heap whose outdated entries are skipped, and swept now and then."""

    def __init__(self) -> None:
        self._at_ms: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def change(self, wakes: dict[str, int | None]) -> None:
        for contact_id, at_ms in wakes.items():
            if at_ms is None:
                self._at_ms.pop(contact_id, None)
            elif self._at_ms.get(contact_id) != at_ms:
                self._at_ms[contact_id] = at_ms
                heapq.heappush(self._heap, (at_ms, contact_id))
        if len(self._heap) > 2 * len(self._at_ms) + 1000:
            self._heap = sorted((at_ms, contact_id) for contact_id, at_ms in self._at_ms.items())

    def first(self, limit: int, last_ms: float) -> list[tuple[str, int]]:
        found: list[tuple[int, str]] = []
        while self._heap and len(found) < limit and self._heap[0][0] <= last_ms:
            at_ms, contact_id = entry = heapq.heappop(self._heap)
            if self._at_ms.get(contact_id) == at_ms and (not found or found[-1] != entry):
                found.append(entry)
        for entry in found:
            heapq.heappush(self._heap, entry)
        return [(contact_id, at_ms) for at_ms, contact_id in found]

    def count(self, before_ms: int) -> int:
        return sum(at_ms < before_ms for at_ms in self._at_ms.values())

    def next_ms(self) -> int | None:
        return next((at_ms for _, at_ms in self.first(1, math.inf)), None)


@dataclass(slots=True)
class _Partition:
    fence: int = 0
    done: int = 0
    """Number of the last commit done under the fence."""
    clock_ms: int | None = None
    offsets: dict[str, int] = field(default_factory=dict)
    contacts: dict[str, bytes] = field(default_factory=dict)
    wakes: _Wakes = field(default_factory=_Wakes)
    members: dict[str, set[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    outbox: dict[int, bytes] = field(default_factory=dict)
    outbox_sequence: int = 0
    meta: dict[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class MemoryData:
    """What is stored. Handed to a second `MemoryStore`, it plays the server that outlives its client."""

    partition_count: int | None = None
    partitions: dict[int, _Partition] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    fingerprints: dict[str, bytes] = field(default_factory=dict)
    numbers: dict[str, dict[str, Enrolled]] = field(default_factory=dict)
    """By kind, then by name."""
    newest_number: dict[str, int] = field(default_factory=dict)


class MemoryStore:
    """A `ContactStore` in this process."""

    def __init__(self, data: MemoryData | None = None) -> None:
        self.data = MemoryData() if data is None else data
        self._ownership = Ownership()

    async def open(self, partitions: int) -> list[str]:
        stored = self.data.partition_count
        if stored is not None and stored != partitions:
            raise PartitionCountMismatch(stored, partitions)
        self.data.partition_count = partitions
        return []

    async def partition_count(self) -> int | None:
        return self.data.partition_count

    async def register(self, definitions: dict[str, bytes]) -> dict[str, int]:
        for key, fingerprint in definitions.items():
            if self.data.fingerprints.get(key) != fingerprint:
                self.data.versions[key] = self.data.versions.get(key, 0) + 1
        self.data.fingerprints = dict(definitions)
        return dict(self.data.versions)

    async def raise_versions(self, versions: dict[str, int]) -> None:
        for key, version in versions.items():
            self.data.versions[key] = max(version, self.data.versions.get(key, 0))

    async def enrol(
        self, kind: str, names: Sequence[str], now_ms: int, *, keep_others: bool
    ) -> dict[str, Enrolled]:
        known = self.data.numbers.setdefault(kind, {})
        if not keep_others:
            for name in known.keys() - set(names):
                del known[name]
        for name in names:
            if name not in known:
                number = self.data.newest_number[kind] = self.data.newest_number.get(kind, 0) + 1
                known[name] = Enrolled(number, now_ms)
        return {name: known[name] for name in names}

    async def enrolled(self, kind: str) -> dict[str, Enrolled]:
        return dict(self.data.numbers.get(kind, {}))

    async def versions(self) -> dict[str, int]:
        return dict(self.data.versions)

    async def take(self, partition: int) -> PartitionState:
        stored = self._partition(partition)
        stored.fence += 1
        stored.done = 0
        self._ownership.taken(partition, stored.fence)
        return await self.peek(partition)

    async def peek(self, partition: int) -> PartitionState:
        stored = self._partition(partition)
        return PartitionState(
            fence=stored.fence,
            offsets=dict(stored.offsets),
            clock_ms=stored.clock_ms,
            outbox=list(stored.outbox.items()),
            meta=dict(stored.meta),
            next_wake_ms=stored.wakes.next_ms(),
        )

    async def glance(self, partition: int) -> Glance:
        stored = self._partition(partition)
        return Glance(dict(stored.offsets), stored.clock_ms, stored.outbox_sequence, len(stored.outbox))

    async def outbox(self, partition: int) -> list[bytes]:
        return list(self._partition(partition).outbox.values())

    async def due_count(self, partition: int, before_ms: int) -> int:
        return self._partition(partition).wakes.count(before_ms)

    async def note(self, partition: int, name: str, value: bytes) -> None:
        self._partition(partition).meta[name] = value

    async def forget(self, partition: int, segments: Sequence[str], meta: dict[str, bytes]) -> None:  # noqa: ARG002
        fence = self._partition(partition).fence + 1
        self.data.partitions[partition] = _Partition(fence=fence, meta=dict(meta))

    async def load(self, partition: int, ids: Sequence[str]) -> list[bytes | None]:
        contacts = self._partition(partition).contacts
        return [contacts.get(contact_id) for contact_id in ids]

    async def commit(self, commit: Commit) -> CommitResult:
        number = self._ownership.number(commit)
        stored = self._partition(commit.partition)
        try:
            if self._agrees(stored, commit, number):
                self._write(stored, commit)
                stored.done = number
        except PartitionMoved:
            self._ownership.not_done(commit)
            raise
        self._ownership.done(commit)
        clock_ms = commit.clock_ms if stored.clock_ms is None else stored.clock_ms
        due = stored.wakes.first(commit.most_due, clock_ms - 1)
        names = tuple(contact_id for contact_id, _ in due)
        return CommitResult(stored.outbox_sequence, stored.wakes.next_ms(), names)

    async def due(
        self, partition: int, before_ms: int, limit: int, inclusive: bool = False
    ) -> list[tuple[str, int]]:
        return self._partition(partition).wakes.first(limit, before_ms if inclusive else before_ms - 1)

    async def scan(self, partition: int, cursor: int, count: int) -> tuple[int, list[tuple[str, bytes]]]:
        contacts = self._partition(partition).contacts  # in order of arrival, whatever is written again
        page = list(islice(contacts.items(), cursor, cursor + count))
        following = cursor + len(page)
        return (following if following < len(contacts) else 0), page

    async def members(self, segment: str) -> int:
        return (await self.member_counts([segment]))[segment]

    async def member_counts(self, segments: Sequence[str]) -> dict[str, int]:
        partitions = self.data.partitions.values()
        return {key: sum(len(each.members.get(key, ())) for each in partitions) for key in segments}

    async def counts(self, partition: int) -> dict[str, int]:
        return dict(self._partition(partition).counts)

    async def close(self) -> None:
        """Nothing to let go of; the data stay."""

    def _partition(self, partition: int) -> _Partition:
        return self.data.partitions.setdefault(partition, _Partition())

    @staticmethod
    def _agrees(stored: _Partition, commit: Commit, number: int) -> bool:
        """True where the commit is to be written now, False where that was done before."""
        if stored.fence != commit.fence:
            raise FenceLost(commit.partition, commit.fence)
        if stored.done == number:
            return False
        if stored.done != number - 1:
            raise StateMoved(commit.partition, f"commit {number} is not the one after {stored.done}")
        for topic, (expected, _) in commit.offsets.items():
            if stored.offsets.get(topic, expected) != expected:
                raise OffsetMismatch(commit.partition, topic, expected, stored.offsets[topic])
        return True

    @staticmethod
    def _write(stored: _Partition, commit: Commit) -> None:
        if stored.clock_ms is None or stored.clock_ms < commit.clock_ms:
            stored.clock_ms = commit.clock_ms
        stored.offsets.update({topic: offset for topic, (_, offset) in commit.offsets.items()})
        stored.contacts.update(commit.contacts)
        stored.wakes.change(commit.wakes)
        for segment, ids in commit.entered.items():
            stored.members.setdefault(segment, set()).update(ids)
        for segment, ids in commit.exited.items():
            stored.members.setdefault(segment, set()).difference_update(ids)
        for name, added in commit.counts.items():
            stored.counts[name] = stored.counts.get(name, 0) + added
        for sequence in [sequence for sequence in stored.outbox if sequence <= commit.trim]:
            del stored.outbox[sequence]
        if commit.outbox is not None:
            stored.outbox_sequence += 1
            stored.outbox[stored.outbox_sequence] = commit.outbox
        stored.meta.update(commit.meta)
