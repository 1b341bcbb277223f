"""The stores under contract: each gives any number of store objects on the same data, as workers have them."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import pytest

from streams.store import Commit, ContactStore
from streams.store.memory import MemoryData, MemoryStore
from streams.store.redis import RedisStore

PREFIX = "livesegments"
PARTITION = 3
IDS = ["u1", "u2", "u3"]
SEGMENTS = ["hot", "lapsed"]
NewStore: TypeAlias = Callable[[], ContactStore]


def memory_stores() -> NewStore:
    data = MemoryData()
    return lambda: MemoryStore(data)


def redis_stores(url: str, prefix: str) -> NewStore:
    return lambda: RedisStore(url, prefix)


@contextlib.asynccontextmanager
async def opened(url: str, *, timeout_s: float = 10.0) -> AsyncIterator[RedisStore]:
    """A store in Redis with the prefix `PREFIX`, closed at the end."""
    store = RedisStore(url, PREFIX, timeout_s=timeout_s)
    try:
        yield store
    finally:
        await store.close()


def stores(kind: str, request: pytest.FixtureRequest) -> NewStore:
    if kind == "memory":
        return memory_stores()
    url = (
        request.getfixturevalue("redis_url")
        if kind == "redis"
        else request.getfixturevalue("redis_cluster").url
    )
    return redis_stores(url, request.getfixturevalue("unique"))


class Owner:
    """A worker that has taken the partition, and commits as one does."""

    def __init__(self, store: ContactStore, fence: int) -> None:
        self.store = store
        self.fence = fence

    @classmethod
    async def of(cls, store: ContactStore) -> "Owner":
        return cls(store, (await store.take(PARTITION)).fence)

    def batch(self, **changes: object) -> Commit:
        return Commit(partition=PARTITION, fence=self.fence, **({"clock_ms": 1000} | changes))  # type: ignore[arg-type]


async def seen(store: ContactStore, ids: list[str], segments: list[str]) -> dict[str, object]:
    """All that a store shows of the partition, without its fence."""
    state = await store.take(PARTITION)
    scanned: dict[str, bytes] = {}
    cursor, begun = 0, False
    while cursor or not begun:
        begun = True
        cursor, page = await store.scan(PARTITION, cursor, 2)
        scanned.update(page)
    return {
        "offsets": state.offsets,
        "clock_ms": state.clock_ms,
        "outbox": state.outbox,
        "meta": state.meta,
        "next_wake_ms": state.next_wake_ms,
        "due": await store.due(PARTITION, 2**53 - 1, 10_000, inclusive=True),
        "contacts": dict(zip(ids, await store.load(PARTITION, ids), strict=True)),
        "scanned": scanned,
        "counts": await store.counts(PARTITION),
        "members": await store.member_counts(segments),
    }
