"""What has been fetched of one partition and waits for its lane: bounded, in order, and complete or refused."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord

from streams.errors import RetryLater
from streams.fetching import Batch

MOST_RECORDS = 1000
"""How many records a lane is given at once."""
FULL_RECORDS = 3000
FULL_BYTES = 8 * 1024 * 1024
"""From where on the partition is not fetched any more, until the lane has taken half of it."""


class Gap(RetryLater):
    """A batch was lost between the consumer and the lane: read again from the last one that is done."""


@dataclass(slots=True)
class _Source:
    """One topic's part of the inbox."""

    batches: deque[Batch] = field(default_factory=deque)
    must_begin: int | None = None
    began: int | None = None
    end: int | None = None
    gap: bool = False

    def compare_beginnings(self) -> None:
        if self.must_begin is not None and self.began is not None and self.must_begin != self.began:
            self.gap = True


class Inbox:
    """Takes batches as they come, and gives them out merged."""

    def __init__(self, hold: Callable[[], None], release: Callable[[], None]) -> None:
        """``hold`` is called when it is full, ``release`` when there is room again."""
        self.arrived = asyncio.Event()
        """Set by every batch, for whoever waits for one to clear."""
        self._hold, self._release = hold, release
        self._full = False
        self._epoch = -1
        self._sources: dict[str, _Source] = {}
        self._turn: deque[str] = deque()
        self.records = 0
        """How many wait."""
        self._bytes = 0

    def open(self, epoch: int, topics: Sequence[str]) -> None:
        """Empties it; from now on takes batches of this epoch alone."""
        self._epoch = epoch
        self._sources = {topic: _Source() for topic in topics}
        self._turn = deque(topics)
        self.records = self._bytes = 0
        self._full = False

    def begin(self, starts: Mapping[str, int]) -> None:
        """Says where the first batch of each topic must begin."""
        for topic, start in starts.items():
            source = self._sources[topic]
            source.must_begin = start
            source.compare_beginnings()

    def put(self, batch: Batch) -> None:
        """Takes a batch, unless it is of another epoch."""
        if batch.epoch != self._epoch:
            return
        source = self._sources[batch.tp.topic]
        if source.began is None:
            source.began = batch.start
            source.compare_beginnings()
        elif batch.start != source.end:
            source.gap = True
        if batch.records[0].offset < batch.start:
            source.gap = True
        source.end = batch.end
        source.batches.append(batch)
        self.records += len(batch.records)
        self._bytes += _size(batch.records)
        self.arrived.set()
        if not self._full and (self.records >= FULL_RECORDS or self._bytes >= FULL_BYTES):
            self._full = True
            self._hold()

    def take(self) -> tuple[str, Sequence[ConsumerRecord], int] | None:
        """The oldest records of a topic, at most ``MOST_RECORDS``, and the offset after them; the topics in turn.

        Raises Gap where a batch before them was lost.
        """
        for _ in range(len(self._turn)):
            topic = self._turn[0]
            self._turn.rotate(-1)
            source = self._sources[topic]
            if source.gap:
                raise Gap(f"a batch of {topic} was lost before offset {source.end}")
            if source.batches:
                return (topic, *self._merged(source.batches))
        return None

    def _merged(self, batches: deque[Batch]) -> tuple[Sequence[ConsumerRecord], int]:
        batch = batches.popleft()
        records, end = batch.records, batch.end
        if batches:
            records = list(records)
            while batches and len(records) + len(batches[0].records) <= MOST_RECORDS:
                batch = batches.popleft()
                records.extend(batch.records)
                end = batch.end
        if len(records) > MOST_RECORDS:
            rest = records[MOST_RECORDS:]
            records = records[:MOST_RECORDS]
            end = records[-1].offset + 1
            batches.appendleft(Batch(batch.tp, batch.epoch, end, batch.end, rest))
        self.records -= len(records)
        self._bytes -= _size(records)
        if self._full and self.records < FULL_RECORDS // 2 and self._bytes < FULL_BYTES // 2:
            self._full = False
            self._release()
        return records, end


def _size(records: Sequence[ConsumerRecord]) -> int:
    return sum([record.serialized_value_size for record in records])
