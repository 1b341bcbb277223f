"""Reads the ends of topic partitions: which records had been published before a worker was lost."""

# ruff: noqa: SLF001 - the client has no public way to ask whether a topic is there; a test watches what is used of it

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from streams.connections import KafkaConnection
from streams.outbox import Place, PublishFailed, record_id

STALLED_S = 30.0
"""How long a tail may bring nothing before reading it is given up."""
ANSWER_MS = 10_000
AT_ONCE = 4
"""How many tails are read at a time."""


class TailReader:
    """Looks at topic partitions from an offset to the end that they have when it is asked."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._free = asyncio.Semaphore(AT_ONCE)

    async def ends(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """The offset that the next record of each topic partition will have. Raises PublishFailed: unknown."""
        wanted = {TopicPartition(*place): place for place in places}
        async with self._consumer(f"the ends of {len(places)} topic partitions") as consumer:
            await _find(consumer, {topic for topic, _ in places})
            ends = await consumer.end_offsets(list(wanted))
            return {place: ends[partition] for partition, place in wanted.items()}

    async def published(self, place: Place, from_offset: int, ids: set[bytes]) -> set[bytes]:
        """Which of the ids (see ``streams.outbox.record_id``) stand at or after ``from_offset``.

        The end is asked for after whoever published has stopped to, and every record up to it is looked at, so the
        answer is sure: an id that is not in it was not published. Raises PublishFailed: unknown.
        """
        if not ids:
            return set()
        partition = TopicPartition(*place)
        async with self._consumer(f"{place[0]}/{place[1]}") as consumer:
            await _find(consumer, {partition.topic})
            consumer.assign([partition])
            beginning = (await consumer.beginning_offsets([partition]))[partition]
            end = (await consumer.end_offsets([partition]))[partition]
            # Beyond the end: the topic was made anew, and all of it is newer than the offset.
            start = beginning if from_offset > end else max(from_offset, beginning)
            if start >= end:
                return set()
            consumer.seek(partition, start)
            return await _read(consumer, partition, end, ids)

    @asynccontextmanager
    async def _consumer(self, what: str) -> AsyncIterator[AIOKafkaConsumer]:
        async with self._free:
            consumer = AIOKafkaConsumer(
                **self._connection.options(),
                client_id="livesegments-recovery",
                group_id=None,
                request_timeout_ms=ANSWER_MS,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=100,
                # What was undone never arrived; and the end is that of what is decided.
                isolation_level="read_committed",
            )
            try:
                await consumer.start()
                yield consumer
            except (KafkaError, OSError) as error:
                raise PublishFailed(f"cannot read {what}: {error or type(error).__name__}") from error
            finally:
                await consumer.stop()


async def _find(consumer: AIOKafkaConsumer, topics: set[str]) -> None:
    """Raises at once where a topic is gone or forbidden: the client itself asks again and again until time is up."""
    client = consumer._client
    await client.set_topics(topics)
    for topic in topics:
        if topic in client.cluster.unauthorized_topics:
            raise TopicAuthorizationFailedError(f"allow DESCRIBE and READ on the topic {topic}")
        if client.cluster.partitions_for_topic(topic) is None:
            raise UnknownTopicOrPartitionError(f"the topic {topic} does not exist: make it anew")


async def _read(
    consumer: AIOKafkaConsumer, partition: TopicPartition, end: int, ids: set[bytes]
) -> set[bytes]:
    found: set[bytes] = set()
    position, moved_at = -1, time.monotonic()
    while len(found) < len(ids):
        for records in (await consumer.getmany(partition, timeout_ms=200)).values():
            found.update(known for record in records if (known := record_id(record.headers)) in ids)
        # The position passes what a transaction left behind too, of which no record tells.
        now_at = await consumer.position(partition)
        if now_at >= end:
            break
        if now_at > position:
            position, moved_at = now_at, time.monotonic()
        elif time.monotonic() - moved_at > STALLED_S:
            raise PublishFailed(
                f"{partition.topic}/{partition.partition} cannot be read beyond offset {position}"
            )
    return found
