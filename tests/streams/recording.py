"""Lanes that keep what they are given, and a worker around them: the transport's tests need no more."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.app import SegmentsApp, build_app
from streams.clock import Clock
from streams.connections import KafkaConnection
from streams.fetched import FetchedRecord
from streams.store import FenceLost

Hook = Callable[[int, str, Sequence[FetchedRecord]], Awaitable[None]]


async def until(condition: Callable[[], object], timeout_s: float = 15) -> None:
    """Returns when the condition holds."""
    async with asyncio.timeout(timeout_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


class Storage:
    """What lanes keep their state in: offsets and records change together, under a fence."""

    def __init__(self) -> None:
        self.offsets: dict[int, dict[str, int]] = defaultdict(dict)
        self.taken: dict[int, list[tuple[str, int, bytes | None]]] = defaultdict(list)
        self.batches: dict[int, list[Mapping[str, Sequence[FetchedRecord]]]] = defaultdict(list)
        """What each lane was given at once."""
        self.fences: dict[int, int] = defaultdict(int)
        self.ticks: dict[int, list[int | None]] = defaultdict(list)
        self.lanes: dict[int, RecordingLane] = {}
        self.before: Hook | None = None
        """Called before records are kept; what it raises, the lane raises."""

    def lane(self, partition: int) -> "RecordingLane":
        self.lanes[partition] = RecordingLane(self, partition)
        return self.lanes[partition]

    def values(self, topic: str) -> list[bytes | None]:
        return [value for taken in self.taken.values() for at, _, value in taken if at == topic]

    async def until(self, count: int, timeout_s: float = 30) -> None:
        """Returns when so many records are kept."""
        await until(lambda: sum(len(taken) for taken in self.taken.values()) >= count, timeout_s)

    def is_complete(self) -> bool:
        """Whether each partition of each topic was kept from its beginning, in order, each record once."""
        for taken in self.taken.values():
            by_topic: dict[str, list[int]] = defaultdict(list)
            for topic, offset, _ in taken:
                by_topic[topic].append(offset)
            if any(offsets != list(range(len(offsets))) for offsets in by_topic.values()):
                return False
        return True


class RecordingLane:
    def __init__(self, storage: Storage, partition: int) -> None:
        self.next_wake_ms: int | None = None
        self.trouble: Exception | None = None
        self.has_work = self.is_sweeping = False
        self._storage, self._partition = storage, partition
        self._fence = 0

    async def start(self) -> dict[str, int]:
        self._storage.fences[self._partition] += 1
        self._fence = self._storage.fences[self._partition]
        return dict(self._storage.offsets[self._partition])

    async def handle(self, records: Mapping[str, Sequence[FetchedRecord]]) -> None:
        if self._storage.before is not None:
            for topic, of_topic in records.items():
                await self._storage.before(self._partition, topic, of_topic)
        if self._storage.fences[self._partition] != self._fence:
            raise FenceLost(self._partition, self._fence)
        self._storage.batches[self._partition].append(records)
        for topic, of_topic in records.items():
            self._storage.taken[self._partition].extend(
                (topic, record.offset, record.value) for record in of_topic
            )
            self._storage.offsets[self._partition][topic] = of_topic[-1].offset + 1

    async def tick(self, clock_ms: int | None) -> None:
        self._storage.ticks[self._partition].append(clock_ms)
        if clock_ms is not None:
            self.next_wake_ms = None
        await asyncio.sleep(0.005)  # as long as a store takes

    async def close(self) -> None:
        """It has nothing of its own."""


@asynccontextmanager
async def worker(
    kafka: str, group: str, topics: tuple[str, ...], storage: Storage, **options: Any
) -> AsyncIterator[SegmentsApp]:
    """A worker in this event loop, with a consumer thread of its own."""
    options.setdefault("session_s", 6.0)
    options.setdefault("clock", Clock())
    app = build_app(KafkaConnection((kafka,)), group, topics, storage.lane, **options)
    await app.start()
    try:
        yield app
    finally:
        await app.assignment.close()
        await app.stop()


async def produce(kafka: str, topic: str, values: Iterable[str], partitions: Sequence[int]) -> None:
    """Puts values on the partitions in turn; returns when all are acknowledged."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=5) as producer:
        sent = [
            await producer.send(topic, value.encode(), partition=partitions[number % len(partitions)])
            for number, value in enumerate(values)
        ]
        await asyncio.gather(*sent)
