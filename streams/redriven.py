"""Which dead letters have been put back: a topic of its own, written in the transactions that put them back.

Consumer group offsets would not do: who puts back one reason only leaves others behind, between them.
"""

import asyncio
import json
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from kafka import errors
from kafka.admin import KafkaAdminClient

from streams.brokers import reached
from streams.connections import KafkaConnection
from streams.errors import RetryLater

STALLED_S = 30.0
"""How long reading may bring nothing before it is given up."""
Range = tuple[int, int]
"""Offsets from the first up to, and without, the second."""


def ledger_of(dead_letters: str) -> str:
    """The topic that remembers for the topic of dead letters."""
    return f"{dead_letters}-redriven"


def ensure_ledger(connection: KafkaConnection, topic: str) -> None:
    """Makes the topic if it is missing. Blocks: use a thread. Raises kafka-python's KafkaError."""
    admin = KafkaAdminClient(
        **connection.options(), bootstrap_timeout_ms=15_000, client_id="livesegments-topics"
    )
    with admin:
        # Compacted, and no key comes twice: nothing is ever forgotten.
        new = {topic: {"num_partitions": 1, "configs": {"cleanup.policy": "compact"}}}
        for made in admin.create_topics(new, raise_errors=False)["topics"]:
            error = errors.for_code(made["error_code"])
            if error not in (errors.NoError, errors.TopicAlreadyExistsError):
                raise error(made.get("error_message") or made["name"])
        admin.wait_for_topics([topic])


def entry(partition: int, ranges: Sequence[Range]) -> tuple[bytes, bytes]:
    """Key and value of the record that says which offsets of a partition one transaction puts back."""
    return b"%d/%d" % (partition, ranges[0][0]), json.dumps(ranges).encode()


def ranges_of(offsets: Iterable[int]) -> list[Range]:
    """Ascending offsets as ranges."""
    found: list[Range] = []
    for offset in offsets:
        if found and found[-1][1] == offset:
            found[-1] = (found[-1][0], offset + 1)
        else:
            found.append((offset, offset + 1))
    return found


class Ledger:
    """The dead letters that have been put back, by partition and offset."""

    def __init__(self) -> None:
        self._starts: dict[int, list[int]] = {}
        self._ends: dict[int, list[int]] = {}

    @classmethod
    async def read(cls, connection: KafkaConnection, topic: str) -> "Ledger":
        """What the topic says, up to the end that it has now. Raises RetryLater."""
        found: dict[int, list[Range]] = {}
        async with reading(connection) as consumer:
            async for record in up_to_the_end(consumer, [TopicPartition(topic, 0)]):
                partition = int((record.key or b"").split(b"/")[0])
                found.setdefault(partition, []).extend(map(tuple, json.loads(record.value or b"[]")))
        ledger = cls()
        for partition, ranges in found.items():
            ranges.sort()
            ledger._starts[partition] = [start for start, _ in ranges]
            ledger._ends[partition] = [end for _, end in ranges]
        return ledger

    def has(self, partition: int, offset: int) -> bool:
        """Whether the dead letter has been put back."""
        starts = self._starts.get(partition)
        if not starts:
            return False
        place = bisect_right(starts, offset) - 1
        return place >= 0 and offset < self._ends[partition][place]


@asynccontextmanager
async def reading(connection: KafkaConnection) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group, of what is committed. Raises as ``streams.brokers.reached`` does."""
    consumer = AIOKafkaConsumer(
        **connection.options(),
        client_id="livesegments-tools",
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=100,
    )
    try:
        async with reached(connection):
            await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def up_to_the_end(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]
) -> AsyncIterator[ConsumerRecord]:
    """All records of the places up to the ends that these have now; in order within each. Raises RetryLater."""
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends = await consumer.end_offsets(places)
    left = [place for place in places if ends[place] > 0]
    moved_at = time.monotonic()
    while left:
        for records in (await consumer.getmany(*left, timeout_ms=200, max_records=500)).values():
            moved_at = time.monotonic()
            for record in records:
                if record.offset < ends[TopicPartition(record.topic, record.partition)]:
                    yield record
        # The position passes what a transaction left behind, too.
        at = await asyncio.gather(*(consumer.position(place) for place in left))
        left = [place for place, offset in zip(left, at, strict=True) if offset < ends[place]]
        if left and time.monotonic() - moved_at > STALLED_S:
            raise RetryLater(f"{left[0].topic}/{left[0].partition} brings nothing any more: try again")
