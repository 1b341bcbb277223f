"""What has been fetched of one partition and waits for its lane: bounded, complete or refused, in the order of time.

A lane's clock is the largest received time that it has taken. So of the partition's topics none may run ahead of
another one: what is given out is the beginning of both of them merged by received time, and nothing is given out
beyond what a topic has brought, unless the broker has no more of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from streams.clock import Clock
from streams.errors import RetryLater
from streams.fetched import FetchedRecord
from streams.fetching import Batch
from streams.wire import received_time

MOST_RECORDS = 1000
"""How many records of a topic a lane is given at once."""
MOST_BYTES = 4 * 1024 * 1024
"""How many bytes, but for the last record: what becomes of them takes several times as much."""
FULL_RECORDS = 3000
FULL_BYTES = 8 * 1024 * 1024
"""From where on a topic of the partition is not fetched any more, until the lane has taken half of it."""

_EVER, _NEVER = float("inf"), float("-inf")


class Gap(RetryLater):
    """A batch was lost between the consumer and the lane: read again from the last one that is done."""


@dataclass(frozen=True, slots=True)
class Part:
    """Records of one topic, and the offset after them."""

    topic: str
    records: Sequence[FetchedRecord]
    end: int


@dataclass(slots=True)
class _Source:
    """One topic's part of the inbox."""

    topic: str
    parts: deque[Part] = field(default_factory=deque)
    """What waits, oldest first."""
    must_begin: int | None = None
    began: int | None = None
    end: int | None = None
    """Where the last batch that has come ended."""
    read_to: int | None = None
    """Up to where the broker had given all that it had; None: it may have had more."""
    gap: bool = False
    full: bool = False
    records: int = 0
    size: int = 0
    """How many records wait, and how many bytes they are."""

    def compare_beginnings(self) -> None:
        if self.must_begin is not None and self.began is not None and self.must_begin != self.began:
            self.gap = True

    @property
    def may_have_more(self) -> bool:
        """Whether there may be more of it than what has come."""
        return self.read_to is None or self.read_to != (self.must_begin if self.end is None else self.end)

    def put(self, batch: Batch) -> None:
        if self.began is None:
            self.began = batch.start
            self.compare_beginnings()
        elif batch.start != self.end:
            self.gap = True
        if batch.records[0].offset < batch.start:
            self.gap = True
        self.end = batch.end
        self.parts.append(Part(self.topic, batch.records, batch.end))
        self.records += len(batch.records)
        self.size += _size(batch.records)

    def oldest(self) -> Part:
        """Takes out what is oldest, as one part of at most ``MOST_RECORDS`` and ``MOST_BYTES``."""
        part = self.parts.popleft()
        if self.parts:
            records, end = list(part.records), part.end
            while self.parts and len(records) + len(self.parts[0].records) <= MOST_RECORDS:
                part = self.parts.popleft()
                records.extend(part.records)
                end = part.end
            part = Part(self.topic, records, end)
        return self.first(part, MOST_RECORDS if self.size <= MOST_BYTES else _fitting(part.records))

    def first(self, part: Part, count: int) -> Part:
        """Puts back what is beyond so many records of a part that was taken out."""
        if len(part.records) <= count:
            return part
        kept, rest = part.records[:count], part.records[count:]
        self.parts.appendleft(Part(self.topic, rest, part.end))
        return Part(self.topic, kept, kept[-1].offset + 1 if kept else rest[0].offset)

    def account(self, part: Part) -> None:
        """What is given out waits no longer."""
        self.records -= len(part.records)
        self.size -= _size(part.records)


class Inbox:
    """Takes batches as they come, and gives them out merged."""

    def __init__(self, hold: Callable[[str], None], release: Callable[[str], None], clock: Clock) -> None:
        """``hold`` is called with a topic of which much waits, ``release`` when there is room again. A topic that
        others wait for is never held: it is empty."""
        self.arrived = asyncio.Event()
        """Set by every batch, for whoever waits for one to clear."""
        self.missing: str | None = None
        """The topic that the last ``take`` gave nothing for the lack of, as it may have more and none has come."""
        self._hold, self._release, self._clock = hold, release, clock
        self._epoch = -1
        self._sources: dict[str, _Source] = {}

    @property
    def records(self) -> int:
        """How many wait."""
        return sum(source.records for source in self._sources.values())

    def open(self, epoch: int, topics: Sequence[str]) -> None:
        """Empties it; from now on takes batches of this epoch alone."""
        self._epoch = epoch
        self._sources = {topic: _Source(topic) for topic in topics}
        self.missing = None

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
        source.put(batch)
        # What is known of the ends is as new as the newest record, so it holds for all that waits.
        for topic, each in self._sources.items():
            each.read_to = batch.ends.get(topic)
        self.arrived.set()
        if not source.full and (source.records >= FULL_RECORDS or source.size >= FULL_BYTES):
            source.full = True
            self._hold(source.topic)

    def is_read(self, topic: str, offset: int) -> None:
        """Says that the broker has nothing of a topic from this offset on."""
        self._sources[topic].read_to = offset

    def take(self) -> list[Part]:
        """The records that come next by received time (at equal times in the order of topics), each topic's in its own
        order and at most ``MOST_RECORDS`` of it. None of those that wait, or are still to come from the broker, was
        received before the latest of them, if each topic is in order. Nothing if nothing waits, or one is ``missing``.

        Raises Gap where a batch before them was lost.
        """
        self.missing = None
        for source in self._sources.values():
            if source.gap:
                raise Gap(f"a batch of {source.topic} was lost before offset {source.end}")
        waiting = [source for source in self._sources.values() if source.parts]
        if waiting and len(waiting) < len(self._sources):
            self.missing = next(
                (each.topic for each in self._sources.values() if not each.parts and each.may_have_more), None
            )
        if not waiting or self.missing is not None:
            return []
        taken = [(source, source.oldest()) for source in waiting]
        if len(taken) > 1:
            taken = _in_time(taken, self._clock.wall_ms() + self._clock.max_future_skew_ms)
        return self._given(taken)

    def _given(self, taken: Sequence[tuple[_Source, Part]]) -> list[Part]:
        for source, part in taken:
            source.account(part)
            if source.full and source.records < FULL_RECORDS // 2 and source.size < FULL_BYTES // 2:
                source.full = False
                self._release(source.topic)
        return [part for _, part in taken if part.records]


def _in_time(taken: Sequence[tuple[_Source, Part]], future_ms: int) -> list[tuple[_Source, Part]]:
    """As much of each part as comes no later than the end of any part that may not be its topic's last."""
    limit_ms, limiting = _EVER, 0
    for place, (source, part) in enumerate(taken):
        if source.parts or source.may_have_more:
            count, latest_ms = _until(part.records, limit_ms - 1, future_ms)
            if count == len(part.records):
                limit_ms, limiting = latest_ms, place
    if limit_ms == _EVER:
        return list(taken)
    return [
        # At equal times those of the earlier topic come first, of which there may be more at the limit.
        (source, source.first(part, _until(part.records, limit_ms - (place > limiting), future_ms)[0]))
        for place, (source, part) in enumerate(taken)
    ]


def _until(records: Sequence[FetchedRecord], limit_ms: float, future_ms: int) -> tuple[int, float]:
    """How many records come before the first one received later than a moment; and the latest moment of these."""
    latest_ms = _NEVER
    for count, record in enumerate(records):
        received_ms: int | None = record.timestamp
        if record.headers:
            # Unreadable: it moves no clock.
            received_ms = received_time(record.headers, received_ms)
        if received_ms is None or received_ms > future_ms:
            continue
        if received_ms > limit_ms:
            return count, latest_ms
        latest_ms = max(latest_ms, received_ms)
    return len(records), latest_ms


def _fitting(records: Sequence[FetchedRecord]) -> int:
    """How many are given out at once, at least one."""
    size = 0
    for count, record in enumerate(records[:MOST_RECORDS]):
        size += record.size
        if size > MOST_BYTES:
            return count + 1
    return MOST_RECORDS


def _size(records: Sequence[FetchedRecord]) -> int:
    return sum([record.size for record in records])
