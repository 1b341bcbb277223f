"""Where contacts are kept between batches: bytes in, bytes out, one atomic commit per partition and batch.

The store knows nothing of rules, events or transitions. Every partition is a world of its own: its records,
wakes, memberships, counters, outbox, clock and offsets change together, in one commit, or not at all.

A partition is worked on like this:

1. `take` the partition. It gives a new *fence*, a number that only grows, and everything an owner must know.
   Whoever held an earlier fence can commit nothing from then on.
2. `load` records, work on them, `commit` what has changed under that fence.
3. When a commit raises `StoreUnavailable`, nobody can say whether it was done: the answer may be what got lost.
   Commit **the very same object** again, unchanged, until there is an answer. The store gives each commit of a
   fence a number, the store's data remember the number of the last commit done, and so a repeated commit is
   recognised and answered as done, with the same result, and applied once. A different commit meanwhile is
   refused (`StateMoved`), since it would be built on a state that may or may not be there.
4. When a commit raises any `PartitionMoved`, nothing of it was written: what the caller remembers of the
   partition no longer agrees with what is stored. Drop it and `take` the partition anew, if it is still one's own.

Times are integer milliseconds since 1970 (UTC).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.store.errors import (
    EvictingStore,
    FenceLost,
    OffsetMismatch,
    PartitionCountMismatch,
    PartitionMoved,
    StateMoved,
    StoreDenied,
    StoreError,
    StoreRefused,
    StoreUnavailable,
    Trouble,
)

__all__ = [
    "Commit",
    "CommitResult",
    "ContactStore",
    "Enrolled",
    "EvictingStore",
    "FenceLost",
    "Glance",
    "Observe",
    "OffsetMismatch",
    "PartitionCountMismatch",
    "PartitionMoved",
    "PartitionState",
    "StateMoved",
    "StoreDenied",
    "StoreError",
    "StoreRefused",
    "StoreUnavailable",
    "Trouble",
]

Observe = Callable[[str, float, bool], None]
"""Called after each operation with its name, its duration in seconds, and whether the store failed it."""


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What an owner finds when it takes a partition, read in one moment."""

    fence: int
    offsets: dict[str, int]
    """Source topic -> next offset to read. A topic never committed is absent."""
    clock_ms: int | None
    """None before the first commit."""
    outbox: list[tuple[int, bytes]]
    """(sequence, blob) of the entries not yet trimmed, oldest first."""
    meta: dict[str, bytes]
    next_wake_ms: int | None
    """The earliest stored wake."""


@dataclass(frozen=True, slots=True)
class Glance:
    """The little of a partition that says how far it is: cheap to read, however much is stored."""

    offsets: dict[str, int]
    """Source topic -> next offset to read. A topic never committed is absent."""
    clock_ms: int | None
    """None before the first commit."""
    outbox_sequence: int
    """Sequence of the newest outbox entry ever appended, 0 if none."""
    outbox_entries: int
    """How many are not yet trimmed."""


@dataclass(slots=True)
class Commit:
    """All that one batch changes in one partition. Not to be changed once it was given to a store."""

    partition: int
    fence: int
    clock_ms: int
    """Becomes the partition's clock unless that is later already."""
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Topic -> (next offset expected to be stored, the new one). Where none is stored, any is as expected:
    a topic's first commit decides where it begins. Empty for a commit of wakes alone."""
    contacts: dict[str, bytes] = field(default_factory=dict)
    """Contact id -> its whole record."""
    wakes: dict[str, int | None] = field(default_factory=dict)
    """Contact id -> its wake; None removes it."""
    entered: dict[str, list[str]] = field(default_factory=dict)
    """Segment -> contact ids that are members from now on. One contact must not enter and exit the same segment
    in one commit: give the outcome. (Where it does, it is no member afterwards.)"""
    exited: dict[str, list[str]] = field(default_factory=dict)
    """Segment -> contact ids that are members no longer."""
    counts: dict[str, int] = field(default_factory=dict)
    """Counter -> what to add to it."""
    outbox: bytes | None = None
    """Appended as the next outbox entry."""
    trim: int = 0
    """Outbox entries with a sequence up to this one are removed; never the one that this commit appends."""
    meta: dict[str, bytes] = field(default_factory=dict)
    most_due: int = 0
    """How many contacts the answer names that are due at the partition's clock."""
    number: int | None = field(default=None, init=False, compare=False)
    """The store's own: by this number a commit is recognised when it is tried again."""


@dataclass(frozen=True, slots=True)
class CommitResult:
    outbox_sequence: int
    """Sequence of the newest outbox entry ever appended, 0 if none: that of this commit, if it had one."""
    next_wake_ms: int | None
    """The earliest stored wake, after this commit."""
    due: tuple[str, ...] = ()
    """The contacts whose wake is before the partition's clock, after this commit: at most `Commit.most_due`, the earliest
    first, equal ones by id."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What stands for a name in contacts' records."""

    number: int
    """Never given to another name of its kind."""
    since_ms: int
    """When the name got it."""


class ContactStore(Protocol):
    """All methods raise `StoreUnavailable` when the store cannot be reached or cannot do its work now.

    Commits of one partition come one after another; different partitions may be worked on at the same time, and none
    waits for another one's answer.
    """

    async def open(self, partitions: int) -> list[str]:
        """Binds the store to a number of partitions, and gives warnings about the server's settings (also logged).

        Raises `PartitionCountMismatch` where it is bound to another number, `EvictingStore` where the server may
        throw records away, `StoreDenied` where it lets this user not in.
        """
        ...

    async def partition_count(self) -> int | None:
        """The number of partitions that the store is bound to; None: it never was opened."""
        ...

    async def register(self, definitions: dict[str, bytes]) -> dict[str, int]:
        """Takes the fingerprint of every segment in force, and gives the versions of all segments ever registered.

        A version is 1 at first and counts up each time the fingerprint differs from the one registered last, also
        when a segment comes back that was missing from the last call.
        """
        ...

    async def raise_versions(self, versions: dict[str, int]) -> None:
        """Lets no segment have an earlier version than the one given for it."""
        ...

    async def enrol(
        self, kind: str, names: Sequence[str], now_ms: int, *, keep_others: bool
    ) -> dict[str, Enrolled]:
        """Gives each name of a kind its number, for all partitions and workers: the one that it has, or a new one.

        Without `keep_others`, names of the kind that are not given lose theirs, and get another if they come back.
        """
        ...

    async def enrolled(self, kind: str) -> dict[str, Enrolled]:
        """The names of a kind that have numbers. Changes nothing."""
        ...

    async def versions(self) -> dict[str, int]:
        """The versions of all segments ever registered. Changes nothing."""
        ...

    async def peek(self, partition: int) -> PartitionState:
        """What `take` would find, without taking the fence; the one given is that in force, 0 if none ever was."""
        ...

    async def glance(self, partition: int) -> Glance:
        """How far a partition is, by a few commands that only read, and no script. Not all of one moment."""
        ...

    async def outbox(self, partition: int) -> list[bytes]:
        """The outbox entries not yet trimmed, oldest first. Changes nothing."""
        ...

    async def due_count(self, partition: int, before_ms: int) -> int:
        """How many contacts have a wake before a moment. Changes nothing."""
        ...

    async def note(self, partition: int, name: str, value: bytes) -> None:
        """Writes a field of a partition's `meta`, whoever owns it: what an operator has to say to its owner, who reads
        it when taking the partition, and must not write it."""
        ...

    async def take(self, partition: int) -> PartitionState:
        """Takes the fence of a partition: from now on no earlier owner can commit."""
        ...

    async def forget(self, partition: int, segments: Sequence[str], meta: dict[str, bytes]) -> None:
        """Drops all that is stored of a partition, with the members of these segments, and leaves this `meta` alone.
        First it takes the fence, so that no owner can commit any more, and leaves the `meta`; the rest goes after it, so
        call it again where it failed."""
        ...

    async def load(self, partition: int, ids: Sequence[str]) -> list[bytes | None]:
        """The records of these contacts, in this order; None where there is none."""
        ...

    async def commit(self, commit: Commit) -> CommitResult:
        """Writes all of it or nothing, once, however often it is tried.

        Raises `FenceLost`, `OffsetMismatch` or `StateMoved`, having written nothing.
        """
        ...

    async def due(
        self, partition: int, before_ms: int, limit: int, inclusive: bool = False
    ) -> list[tuple[str, int]]:
        """Contacts whose wake is before a moment (or at it, if inclusive), earliest first, equal ones by id."""
        ...

    async def scan(self, partition: int, cursor: int, count: int) -> tuple[int, list[tuple[str, bytes]]]:
        """About `count` contacts with their records, and the cursor to go on with; 0 begins, and 0 says the end.

        Every contact that is there from begin to end comes at least once, some perhaps more often.
        """
        ...

    async def members(self, segment: str) -> int:
        """How many members a segment has, over all partitions."""
        ...

    async def member_counts(self, segments: Sequence[str]) -> dict[str, int]:
        """How many members each segment has, over all partitions."""
        ...

    async def counts(self, partition: int) -> dict[str, int]:
        """The counters of a partition."""
        ...

    async def close(self) -> None: ...
