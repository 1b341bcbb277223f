"""What can go wrong with the store. Each class says what happens next."""

from enum import StrEnum


class Trouble(StrEnum):
    """Why the store cannot do its work now: few, so that they can label a metric."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    LOADING = "loading"
    BUSY = "busy"
    OUT_OF_MEMORY = "out_of_memory"
    READ_ONLY = "read_only"
    CANNOT_PERSIST = "cannot_persist"
    DENIED = "denied"
    CLUSTER = "cluster"
    """A slot has no node now, or is on its way to another one."""
    ERROR = "error"


class StoreError(Exception):
    """Whatever the store says. The classes below say what to do."""


class StoreUnavailable(StoreError):
    """Retry the same call, with backoff: it may well work later. A commit may have been done or not."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(f"the store cannot work now ({trouble}): {detail}")
        self.trouble = trouble
        self.detail = detail


class StoreRefused(StoreError):
    """Stop: no retry helps, someone has to change a setting."""


class PartitionCountMismatch(StoreRefused):
    """Stop: the state was made for another number of partitions, and would be looked for in the wrong ones."""

    def __init__(self, stored: int, asked: int) -> None:
        super().__init__(
            f"the state was made for {stored} partitions, but the events topic has {asked}: "
            f"go back to {stored} partitions, or start anew under another SEGMENTS_GROUP"
        )
        self.stored = stored
        self.asked = asked


class EvictingStore(StoreRefused):
    """Stop: this Redis would throw contacts away when its memory is full."""

    def __init__(self, policy: str, which: str = "Redis") -> None:
        super().__init__(
            f"{which} has maxmemory-policy {policy} and would silently drop contacts when its memory is full: "
            "set maxmemory-policy noeviction"
        )
        self.policy = policy


class StoreDenied(StoreRefused):
    """Stop: wrong password, or a user that lacks rights."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"Redis denied access: {detail.rstrip('.')}: see user and password in SEGMENTS_REDIS, and the user's rights"
        )


class NoSuchDatabase(StoreRefused):
    """Stop: this Redis has fewer databases."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"Redis has no database of that number ({detail}): see SEGMENTS_REDIS, whose last part is the database"
        )


class PartitionMoved(StoreError):
    """Nothing was written. Drop what is remembered of the partition; take it anew, if it is still one's own."""

    def __init__(self, partition: int, detail: str) -> None:
        super().__init__(f"partition {partition}: {detail}")
        self.partition = partition


class FenceLost(PartitionMoved):
    """Another owner has taken the partition."""

    def __init__(self, partition: int, held: int) -> None:
        super().__init__(partition, f"fence {held} is not in force: another owner has taken the partition")
        self.held = held


class OffsetMismatch(PartitionMoved):
    """The batch does not begin where the stored state ends."""

    def __init__(self, partition: int, topic: str, expected: int, stored: int) -> None:
        super().__init__(partition, f"next offset of {topic} is {stored} in the store, not {expected}")
        self.topic = topic
        self.expected = expected
        self.stored = stored


class StateMoved(PartitionMoved):
    """The stored state is not the one that the commit was built on: it was put back to an older copy, or an
    earlier commit is still without an answer."""
