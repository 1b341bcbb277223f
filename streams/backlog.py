"""What waits: records that are not taken, wakes that are due, outputs that are not published. Looks, changes nothing.

A look costs a few small reads of Redis for each partition, and one question to each broker. The offsets that count are
those in Redis; the group's, in Kafka, come a few seconds later. Offsets count what ends a transaction, too, of which no
record tells; so where a partition rests, it is looked whether there is a record at all.
"""

import time
from asyncio import gather
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.brokers import NoSuchTopic, partition_count, reached
from streams.clock import wall_ms
from streams.connections import KafkaConnection
from streams.errors import StreamsError
from streams.outbox import PublishFailed, decode_entry, unpublished
from streams.pace import Sight
from streams.publisher import KafkaPublisher
from streams.store import ContactStore, Glance, PartitionCountMismatch, StoreUnavailable, Trouble
from streams.topics import TopicNames
from streams.wire import received_time

FETCH_BYTES = 16_384
"""Of one partition at a time: the broker gives at least a whole batch, whatever its size."""
PATIENCE_S = 2.0
"""How long the first record that waits may take to come."""


class StateBeyond(StreamsError):
    """The topic ends before the state does: somebody has to look."""


@dataclass(frozen=True, slots=True)
class Part:
    """One source topic of a partition."""

    offset: int
    """The state goes on from here."""
    end: int

    @property
    def waiting(self) -> int:
        return max(self.end - self.offset, 0)


@dataclass(frozen=True, slots=True)
class PartitionLook:
    """A partition at one moment."""

    parts: Mapping[str, Part]
    """By source topic."""
    due: int | None
    """How many contacts have a wake that is due; None: it may not be asked."""
    outbox: tuple[int, int]
    """The sequence of the newest entry, and how many are not trimmed. The last one never is before the next commit."""

    @property
    def waiting(self) -> int:
        return sum(part.waiting for part in self.parts.values())

    @property
    def position(self) -> int:
        return sum(part.offset for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class Look:
    """All partitions at one moment."""

    at_s: float
    """Monotonic."""
    partitions: Mapping[int, PartitionLook]

    def sights(self) -> dict[int, Sight]:
        """What a pace is made of."""
        return {
            number: Sight(self.at_s, each.position, each.waiting) for number, each in self.partitions.items()
        }


class BacklogReader:
    """Opens what looks need, in a ``with`` block; the store is the caller's.

    Everything raises StoreUnavailable, RetryLater where no broker answers, and ConfigurationError where one does not
    let us in.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: TopicNames,
        store: ContactStore,
        wake_delay_ms: int | None,
    ) -> None:
        """``wake_delay_ms``: how far behind the wall clock time moves contacts; None: events alone move them."""
        self._connection, self._topics, self._store = connection, topics, store
        self._wake_delay_ms = wake_delay_ms
        self._open = AsyncExitStack()
        self._consumer: AIOKafkaConsumer
        self._places: list[TopicPartition] = []
        self._begins: dict[TopicPartition, int] = {}
        self._empty: dict[TopicPartition, Part] = {}
        """Where offsets wait and no record does."""

    async def __aenter__(self) -> Self:
        """Raises NoSuchTopic, and PartitionCountMismatch where the state belongs to another number of partitions."""
        count = await partition_count(self._connection, self._topics.events)
        stored = await self._store.partition_count()
        if stored not in (None, count):
            raise PartitionCountMismatch(stored, count)
        topics = [self._topics.events]
        try:
            await partition_count(self._connection, self._topics.by_contact)
            topics.append(self._topics.by_contact)
        except NoSuchTopic:
            if stored is not None:
                raise  # or records would wait there unseen; before a worker has run there is none
        self._places = [TopicPartition(topic, number) for number in range(count) for topic in topics]
        self._consumer = AIOKafkaConsumer(
            **self._connection.options(),
            client_id="livesegments-lag",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=FETCH_BYTES,
            isolation_level="read_committed",
        )
        self._open.push_async_callback(self._consumer.stop)
        try:
            async with reached(self._connection):
                await self._consumer.start()
                self._consumer.assign(self._places)
                self._consumer.pause(*self._places)
                self._begins = await self._consumer.beginning_offsets(self._places)
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def look(self) -> Look:
        """How it is now."""
        # Offsets first: what comes meanwhile then waits, and nothing seems to be taken before it was there.
        numbers = sorted({place.partition for place in self._places})
        glances = dict(zip(numbers, await gather(*map(self._store.glance, numbers)), strict=True))
        async with reached(self._connection):
            ends = await self._consumer.end_offsets(self._places)
        at_s = time.monotonic()
        parts: dict[int, dict[str, Part]] = {number: {} for number in numbers}
        for place in self._places:
            offset = glances[place.partition].offsets.get(place.topic, 0)
            parts[place.partition][place.topic] = self._part(place, offset, ends[place])
        looks = await gather(*(self._partition(number, glances[number], parts[number]) for number in numbers))
        return Look(at_s, dict(zip(numbers, looks, strict=True)))

    def _part(self, place: TopicPartition, offset: int, end: int) -> Part:
        if offset > end:
            raise StateBeyond(
                f"the state is at offset {offset} of {place.topic}/{place.partition}, which ends at {end}: the topic was "
                "made anew, or lost records: `segments doctor` tells more"
            )
        part = Part(max(offset, self._begins[place]), end)
        return replace(part, end=part.offset) if self._empty.get(place) == part else part

    async def _partition(self, number: int, glance: Glance, parts: Mapping[str, Part]) -> PartitionLook:
        look = PartitionLook(parts, None, (glance.outbox_sequence, glance.outbox_entries))
        return replace(look, due=await self._due(number, glance.clock_ms, look.waiting == 0))

    async def _due(self, number: int, clock_ms: int | None, is_read: bool) -> int | None:
        """How many wakes the partition's clock has gone beyond: its own, and where all is read the wall clock."""
        if clock_ms is None:
            return 0
        if is_read and self._wake_delay_ms is not None:
            clock_ms = max(clock_ms, wall_ms() - self._wake_delay_ms)
        try:
            return await self._store.due_count(number, clock_ms)
        except StoreUnavailable as error:
            if error.trouble is Trouble.DENIED:
                return None
            raise

    async def oldest(self, look: Look, partitions: Collection[int]) -> tuple[Look, dict[int, int]]:
        """For partitions where something waits, the received time (milliseconds UTC) of the first record that does, of
        both topics the earlier; and the same look without what only seemed to wait."""
        looks, found = dict(look.partitions), dict[int, int]()
        for number in partitions:
            parts = dict(looks[number].parts)
            for topic, part in parts.items():
                if part.waiting == 0:
                    continue
                place = TopicPartition(topic, number)
                is_there, received_ms = await self._first(place, part)
                if not is_there:
                    self._empty[place] = part
                    parts[topic] = replace(part, end=part.offset)
                elif received_ms is not None:
                    found[number] = min(received_ms, found.get(number, received_ms))
            looks[number] = replace(looks[number], parts=parts)
        return replace(look, partitions=looks), found

    async def _first(self, place: TopicPartition, part: Part) -> tuple[bool, int | None]:
        """Whether there is a record that waits, and when it was received, if it says so."""
        consumer, until_s = self._consumer, time.monotonic() + PATIENCE_S
        async with reached(self._connection):
            consumer.seek(place, part.offset)
            consumer.resume(place)
            try:
                while time.monotonic() < until_s:
                    for records in (await consumer.getmany(place, timeout_ms=200, max_records=1)).values():
                        return True, received_time(records[0].headers, records[0].timestamp)
                    if await consumer.position(place) >= part.end:
                        return False, None
            finally:
                consumer.pause(place)
        return True, None

    async def unpublished(self, partitions: Collection[int]) -> int | None:
        """How many outputs of partitions are in the outbox and on no topic; None: it may not be looked."""
        entries = [decode_entry(blob) for number in partitions for blob in await self._store.outbox(number)]
        publisher = KafkaPublisher(self._connection)
        try:
            return len(await unpublished(publisher, entries))
        except PublishFailed:
            return None
        finally:
            await publisher.stop()
