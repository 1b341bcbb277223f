"""Reads topic partitions from their beginning to the end that they have when it begins."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from streams.clock import Clock
from streams.connections import KafkaConnection
from streams.errors import RetryLater
from streams.fetched import FetchedRecord, fetched
from streams.fetching import Batch
from streams.inbox import Inbox
from streams.outbox import Place
from streams.packed import MOST_UNPACKED_BYTES, look_into
from streams.rebuild.lane import RebuildLane
from streams.wire import received_time

ANSWER_MS = 25_000
STALLED_S = 60.0
"""How long a partition that has more may bring nothing."""
MOST_RECORDS = 4000
"""How many records are in hand at once, of each partition that is read."""


@dataclass(frozen=True, slots=True)
class Extent:
    """From where to where a topic partition holds records."""

    begin: int
    end: int

    @property
    def records(self) -> int:
        """How many, at most."""
        return self.end - self.begin


class Log:
    """Some topic partitions, each read once, from its beginning to its end."""

    def __init__(self, consumer: AIOKafkaConsumer, extents: Mapping[Place, Extent]) -> None:
        self.extents = extents
        self._consumer = consumer
        self._at = {place: extent.begin for place, extent in extents.items()}
        self._moved_s = dict.fromkeys(extents, time.monotonic())

    @property
    def records(self) -> int:
        """How many records all of them hold, at most."""
        return sum(extent.records for extent in self.extents.values())

    def is_read(self, place: Place) -> bool:
        """Whether all of it was fetched."""
        return self._at[place] >= self.extents[place].end

    async def fetch(self, places: Sequence[Place]) -> dict[Place, list[ConsumerRecord]]:
        """What comes next of some of them. Raises RetryLater where nothing comes though there is more."""
        found: dict[Place, list[ConsumerRecord]] = {}
        came = await self._consumer.getmany(
            *(TopicPartition(*place) for place in places), timeout_ms=500, max_records=MOST_RECORDS
        )
        for place in places:
            partition, extent = TopicPartition(*place), self.extents[place]
            records = came.get(partition, [])
            # The position passes what transactions left behind too, of which no record tells.
            position = await self._consumer.position(partition)
            if position > self._at[place]:
                self._at[place], self._moved_s[place] = position, time.monotonic()
            elif time.monotonic() - self._moved_s[place] > STALLED_S:
                raise RetryLater(
                    f"{place[0]}/{place[1]} cannot be read beyond offset {position}: run it again"
                )
            if kept := [record for record in records if record.offset < extent.end]:
                found[place] = kept
        return found

    async def all(self, places: Sequence[Place]) -> AsyncIterator[list[ConsumerRecord]]:
        """All the records, in order within a partition, some at a time."""
        while left := [place for place in places if not self.is_read(place)]:
            for records in (await self.fetch(left)).values():
                yield records


@asynccontextmanager
async def opened(
    connection: KafkaConnection, places: Sequence[Place], most_unpacked_bytes: int = MOST_UNPACKED_BYTES
) -> AsyncIterator[Log]:
    """The topic partitions, to be read; no batch that unpacks to more, as by a worker. Raises RetryLater where Kafka does
    not let them be read now."""
    partitions = [TopicPartition(*place) for place in places]
    options: dict[str, Any] = {
        "client_id": "livesegments-rebuild",
        "group_id": None,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "request_timeout_ms": ANSWER_MS,
        "isolation_level": "read_committed",
    }
    consumer = AIOKafkaConsumer(**connection.options(), **options)
    try:
        await consumer.start()
        look_into(consumer._fetcher, most_unpacked_bytes)  # noqa: SLF001 - the seam
        consumer.assign(partitions)
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, begins[partition])
        yield Log(
            consumer,
            {
                (partition.topic, partition.partition): Extent(begins[partition], ends[partition])
                for partition in partitions
            },
        )
    except (KafkaError, OSError) as error:
        said = str(error) or type(error).__name__
        raise RetryLater(f"{', '.join(sorted({t for t, _ in places}))} cannot be read: {said}") from error
    finally:
        await consumer.stop()


async def first_received_ms(log: Log, place: Place) -> int | None:
    """When the oldest record that says so, of the first ones, was received, in milliseconds UTC."""
    async for records in log.all([place]):
        times = (received_time(record.headers, record.timestamp) for record in records)
        return next((received_ms for received_ms in times if received_ms is not None), None)
    return None


async def take_again(
    lane: RebuildLane,
    log: Log,
    clock: Clock,
    was_future: Callable[[str, int], bool],
    told: Callable[[int], None],
) -> None:
    """Lets a lane take all records of its topics, in the order of received times, as a worker would have. ``was_future``
    says by topic and offset which were dead letters for the lack of a few minutes; ``told`` is called with how many
    more are done."""
    extents = {topic: extent for (topic, _), extent in log.extents.items()}
    handed = {topic: extent.begin for topic, extent in extents.items()}
    read: dict[str, int] = {}
    inbox = Inbox(lambda _: None, lambda _: None, clock)  # nothing is fetched before it is asked for
    inbox.open(0, list(extents))
    inbox.begin(handed)

    def note_read() -> None:
        for topic in extents:
            if log.is_read((topic, lane.partition)):
                read[topic] = handed[topic]
                inbox.is_read(topic, handed[topic])

    note_read()
    while True:
        parts = inbox.take()
        if parts:
            await lane.handle({part.topic: part.records for part in parts})
            while await lane.tick(None):
                pass
            told(sum(len(part.records) for part in parts))
            continue
        wanted = [inbox.missing] if inbox.missing is not None else [t for t in extents if t not in read]
        if not wanted:
            return
        found = await log.fetch([(topic, lane.partition) for topic in wanted])
        for (topic, number), records in found.items():
            start, handed[topic] = handed[topic], records[-1].offset + 1
            known = [_blank(r) if was_future(topic, r.offset) else fetched(None, r) for r in records]
            inbox.put(Batch(TP(topic, number), 0, start, handed[topic], known, read))
        note_read()


def _blank(record: ConsumerRecord) -> FetchedRecord:
    """In place of a record that was received too far in the future then, and would not be now: nothing but a place."""
    return FetchedRecord(record.offset, -1, record.key, None, (), 0)
