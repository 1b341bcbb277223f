"""Refuses fetched batches that unpack to more than a worker has room for, before aiokafka unpacks them.

It unpacks a batch as a whole, when the first record of it is asked for, into a buffer of as much as that takes. So a
batch of a megabyte that unpacks to thirty gigabytes would end the worker, and each one that takes its place. In place of
the records of such a batch comes one that stands for all of them, and becomes a dead letter.
"""

# ruff: noqa: SLF001 - the seam; tests/streams/test_seam.py fails when it moves

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from mode import get_logger

from streams.unpacking import exceeds, may_exceed
from streams.wire import NotUnpacked

logger = get_logger(__name__)

MOST_UNPACKED_BYTES = 512 * 1024 * 1024
"""Where nobody says another: the default of SEGMENTS_UNPACKED_MIB."""
_HEAD = struct.Struct(">qi")
"""Of a batch: its first offset, and how many bytes follow."""
_MAGIC_AT, _ATTRIBUTES_AT, _PAYLOAD_AT = 16, 21, 61
_CODEC = 0b111


@dataclass(slots=True)
class _Standing:
    """In place of all the records of a batch, as aiokafka gives out one."""

    offset: int
    """Of the last of them, so that none is asked for again."""
    timestamp: int
    timestamp_type: int
    value: bytes
    key: None = None
    checksum: None = None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)


class _Suspect:
    """A batch that may unpack to too much, for ``PartitionRecords``: looked at when its records are asked for, which is
    after its checksum was, and if it is not one of a transaction that was given up."""

    def __init__(self, batch: Any, place: TopicPartition, codec: int, packed: memoryview, limit: int) -> None:
        self._batch, self._place, self._codec, self._packed, self._limit = batch, place, codec, packed, limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        if not exceeds(self._codec, self._packed, self._limit):
            yield from self._batch
            return
        batch, place = self._batch, self._place
        logger.warning(
            "a batch of %s/%d, offsets %d to %d, of %d bytes as packed, unpacks to more than %d MiB: it becomes one dead "
            "letter (SEGMENTS_UNPACKED_MIB)",
            place.topic, place.partition, batch.base_offset, batch.next_offset - 1, len(self._packed), self._limit >> 20,
        )  # fmt: skip
        value = NotUnpacked.of(batch.base_offset, len(self._packed), self._limit)
        yield _Standing(batch.next_offset - 1, batch.max_timestamp, batch.timestamp_type, value)


class _Looked:
    """What one answer brings of a partition, for ``PartitionRecords``: aiokafka's ``MemoryRecords``, besides whose batches
    it is looked at the bytes that they are of."""

    def __init__(self, records: Any, answered: bytes, place: TopicPartition, limit: int) -> None:
        self._records, self._answered, self._place, self._limit = records, memoryview(answered), place, limit
        self._at = 0
        self.has_next = records.has_next

    def next_batch(self) -> Any:
        """The next one; a ``_Suspect`` where it may be too much."""
        batch, start = self._records.next_batch(), self._at
        _, length = _HEAD.unpack_from(self._answered, start)
        self._at = start + _HEAD.size + length
        if self._answered[start + _MAGIC_AT] < 2:
            return batch  # Of before Kafka 0.11: no broker takes them any more.
        codec = self._answered[start + _ATTRIBUTES_AT + 1] & _CODEC
        packed = self._answered[start + _PAYLOAD_AT : self._at]
        if codec and may_exceed(codec, packed, self._limit):
            return _Suspect(batch, self._place, codec, packed, self._limit)
        return batch


class _Client:
    """The fetcher's, whose answers are kept until what they bring is looked at."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.answered: dict[TopicPartition, bytes] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        """As the client's."""
        answer = await self._client.send(node_id, request, **options)
        for topic, partitions in getattr(answer, "topics", ()):
            for number, *_, brought in partitions:
                if isinstance(brought, bytes):
                    self.answered[TopicPartition(topic, number)] = brought
        return answer


def look_into(fetcher: Any, limit_bytes: int) -> None:
    """Lets a fetcher give out no batch that unpacks to more."""
    usual = fetcher._proc_fetch_request
    client = fetcher._client if isinstance(fetcher._client, _Client) else _Client(fetcher._client)
    fetcher._client = client

    async def ask(assignment: Any, node_id: Any, request: Any) -> Any:
        result = await usual(assignment, node_id, request)
        for topic, partitions in request.topics:
            for number, *_ in partitions:
                place = TopicPartition(topic, number)
                answered, brought = client.answered.pop(place, None), fetcher._records.get(place)
                if answered is not None and isinstance(brought, FetchResult):
                    of_place = brought._partition_records
                    if not isinstance(of_place._records, _Looked):
                        of_place._records = _Looked(of_place._records, answered, place, limit_bytes)
        return result

    fetcher._proc_fetch_request = ask
