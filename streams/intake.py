"""A fetched batch, sorted: events to take, records to send on to their contact's partition, dead letters."""

import heapq
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Protocol

from rules.event import Event
from streams.outbox import Headers, Output
from streams.partitioning import murmur2
from streams.topics import TopicNames
from streams.wire import (
    NotUnpacked,
    Reason,
    Rejected,
    carried,
    dead_letter_headers,
    decode,
    received_at_header,
    received_time,
    unless_long,
)


class Record(Protocol):
    """A Kafka record, such as ``FetchedRecord`` and aiokafka's ``ConsumerRecord``. ``timestamp`` is in milliseconds UTC."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(slots=True)
class Taken:
    """What a batch holds, in its order."""

    events: list[Event] = field(default_factory=list)
    forwards: list[Output] = field(default_factory=list)
    dead_letters: list[Output] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)
    """How many dead letters there are for each reason."""
    repeated: int = 0
    """Records that were sent on twice, and are dropped."""
    forwarded: dict[int, int] | None = None
    """Source partition -> offset of the last record sent on from it; None: as before."""
    offsets: list[int] = field(default_factory=list)
    """Of each of the events; empty where they are of several topics."""


def together(parts: Iterable[Taken]) -> Taken:
    """What several topics' batches hold: the events in the order of received times, each topic's in its own order."""
    first, *others = parts
    if not others:
        return first
    every = [first, *others]
    rejected: Counter[str] = Counter()
    for taken in every:
        rejected.update(taken.rejected)
    return Taken(
        list(heapq.merge(*(taken.events for taken in every), key=attrgetter("received_ms"))),
        [output for taken in every for output in taken.forwards],
        [output for taken in every for output in taken.dead_letters],
        rejected,
        sum(taken.repeated for taken in every),
        next((taken.forwarded for taken in every if taken.forwarded is not None), None),
    )


@lru_cache(maxsize=65_536)
def home(contact_id: str, partitions: int) -> int:
    """The partition of a contact: that of Kafka's default partitioner for the key."""
    return (murmur2(contact_id.encode()) & 0x7FFFFFFF) % partitions


class Intake:
    """Sorts the records of one partition of the two source topics.

    A contact's state is in one partition, its home. A record of the events topic under another key, or in another
    partition, is sent on to the home partition of the by-contact topic, and taken from there.
    """

    def __init__(self, partition: int, topics: TopicNames, partitions: int, max_future_skew_ms: int) -> None:
        self.forwarded: dict[int, int] = {}
        """Source partition -> offset of the last record taken that was sent on from it."""
        self._partition, self._topics, self._partitions = partition, topics, partitions
        self._max_future_skew_ms = max_future_skew_ms

    def take(
        self, topic: str, records: Sequence[Record], now_ms: int, known: Container[str] = frozenset()
    ) -> Taken:
        """Sorts a batch. ``known``: ids of contacts of which this partition is known to be the home."""
        taken = Taken()
        sent_on = topic == self._topics.by_contact
        here, partitions, skew_ms = self._partition, self._partitions, self._max_future_skew_ms
        events, offsets = taken.events, taken.offsets
        for record in records:
            if sent_on and self._came_before(record, taken):
                taken.repeated += 1
                continue
            headers, timestamp_ms = record.headers, record.timestamp
            received_ms = (
                received_time(headers, timestamp_ms) if headers or timestamp_ms < 0 else timestamp_ms
            )
            event = decode(record.value, received_ms, skew_ms, now_ms)
            if not isinstance(event, Event):
                self._bury(topic, record, event, received_ms, now_ms, taken)
                continue
            contact_id = event.contact_id
            if sent_on or (
                record.key == contact_id.encode()
                and (contact_id in known or home(contact_id, partitions) == here)
            ):
                events.append(event)
                offsets.append(record.offset)
            else:
                taken.forwards.append(self._forward(topic, record, event))
        return taken

    def _came_before(self, record: Record, taken: Taken) -> bool:
        """Whether a record was sent on twice: each partition's are sent on in the order of their offsets, so one that
        is not beyond the last one taken has been taken already. Notes it if not."""
        named = dict(record.headers)
        partition, offset = named.get("source_partition"), named.get("source_offset")
        if not (partition and offset and partition.isdigit() and offset.isdigit()):
            return False  # Not sent on by us: whoever put it there means it.
        last = (self.forwarded if taken.forwarded is None else taken.forwarded).get(int(partition), -1)
        if int(offset) <= last:
            return True
        if taken.forwarded is None:
            taken.forwarded = dict(self.forwarded)
        taken.forwarded[int(partition)] = int(offset)
        return False

    def _forward(self, topic: str, record: Record, event: Event) -> Output:
        # Of a producer that packs them well, they may be more than the topic takes, and would stop the partition.
        kept = [
            header
            for header in unless_long(record.headers)
            if header[0] not in ("received_at", "source_topic", "source_partition", "source_offset")
        ]
        return Output(
            self._topics.by_contact,
            home(event.contact_id, self._partitions),
            event.contact_id.encode(),
            record.value,
            [*kept, *self._source(topic, record), received_at_header(event.received_ms)],
        )

    def _source(self, topic: str, record: Record) -> list[tuple[str, bytes | None]]:
        return [
            ("source_topic", topic.encode()),
            ("source_partition", b"%d" % self._partition),
            ("source_offset", b"%d" % record.offset),
        ]

    def _bury(
        self,
        topic: str,
        record: Record,
        rejected: Rejected,
        received_ms: int | None,
        now_ms: int,
        taken: Taken,
    ) -> None:
        if isinstance(record.value, NotUnpacked):
            rejected = Rejected(Reason.TOO_LARGE, record.value.detail)
        letter = carried(record.key, record.value, record.headers)
        headers: Headers = dead_letter_headers(
            rejected,
            source_topic=topic,
            source_partition=self._partition,
            source_offset=record.offset,
            received_ms=received_ms,
            failed_ms=now_ms,
            headers=letter.headers,
        )
        taken.dead_letters.append(
            Output(
                self._topics.dead_letters, self._partition, letter.key, letter.value, [*headers, *letter.said]
            )
        )
        taken.rejected[rejected.reason] = taken.rejected.get(rejected.reason, 0) + 1
