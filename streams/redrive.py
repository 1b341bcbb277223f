"""Puts dead letters back onto the events topic: each once, whatever becomes of the program that does it.

A transaction puts back some of them and notes in the ledger which (``streams.redriven``), both or neither. All runs
for one topic use one transactional id. So whoever begins ends what an earlier run left undone, shuts it out if it still
runs, and only then reads what has been put back.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced
from kafka.errors import AuthorizationError as TopicsDenied
from kafka.errors import KafkaError as TopicsError

from streams.brokers import NoSuchTopic, partition_count, reached
from streams.connections import KafkaConnection
from streams.errors import StreamsError
from streams.redriven import Ledger, ensure_ledger, ledger_of, reading, up_to_the_end
from streams.returning import REDRIVEN, Outcome, Returner
from streams.topics import TopicNames
from streams.wire import CUT

AT_ONCE = 500
AT_ONCE_BYTES = 4_000_000
"""How much goes into one transaction."""


class RedriveFailed(StreamsError):
    """What was put back before stays so; begin again."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bound: an offset of the dead letters' partitions, or the moment (milliseconds UTC) at which one was written."""

    offset: int | None = None
    moment_ms: int | None = None

    def is_before(self, record: ConsumerRecord) -> bool:
        """Whether the record stands at the bound or after it."""
        if self.offset is not None:
            return bool(record.offset >= self.offset)
        return bool(record.timestamp >= (self.moment_ms or 0))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are to be put back."""

    reasons: frozenset[str] = frozenset()
    """None: all."""
    partitions: frozenset[int] = frozenset()
    """None: all."""
    begin: Place | None = None
    end: Place | None = None
    again: bool = False
    """Also those that have been put back once and became dead letters again."""

    def takes(self, record: ConsumerRecord, reason: str) -> bool:
        return (
            (not self.reasons or reason in self.reasons)
            and (not self.partitions or record.partition in self.partitions)
            and (self.begin is None or self.begin.is_before(record))
            and (self.end is None or not self.end.is_before(record))
        )


@dataclass(slots=True)
class Redriven:
    """What has become of the dead letters so far."""

    put_back: Counter[str] = field(default_factory=Counter)
    """By reason; of a dry run: what would be."""
    sent_before: int = 0
    came_back: int = 0
    """Put back once, and dead letters again."""
    cut: int = 0
    """Not the whole record, which was too long to be carried."""
    not_ours: int = 0
    """Records without a reason: nobody knows what they are."""
    too_large: int = 0
    """More than the events topic takes."""
    looked_at: int = 0


async def redrive(
    connection: KafkaConnection,
    topics: TopicNames,
    selection: Selection,
    *,
    dry_run: bool,
    told: Callable[[Redriven], None] = lambda _: None,
) -> Redriven:
    """Puts back the selected dead letters, of those that there are now; ``dry_run`` only counts them.

    ``told`` is called as it goes on. Raises RedriveFailed, and what ``streams.brokers.partition_count`` does.
    """
    partitions = await partition_count(connection, topics.dead_letters)
    places = [TopicPartition(topics.dead_letters, number) for number in range(partitions)]
    done, ledger_topic = Redriven(), ledger_of(topics.dead_letters)
    if dry_run:
        ledger = await _ledger_if_any(connection, ledger_topic)
        async with reading(connection) as consumer:
            async for record in up_to_the_end(consumer, places):
                if (reason := _chosen(record, selection, ledger, done)) is not None:
                    done.put_back[reason] += 1
                told(done)
        return done
    await partition_count(connection, topics.events)
    async with reached(connection):
        await _ensure(connection, ledger_topic)
    try:
        async with (
            Returner(connection, topics.events, ledger_topic) as returner,
            reading(connection) as consumer,
        ):
            waiting = _Waiting(returner, done)
            async for record in up_to_the_end(consumer, places):
                if (reason := _chosen(record, selection, returner.ledger, done)) is not None:
                    await waiting.add(record, reason)
                told(done)
            await waiting.put_back()
    except ProducerFenced:
        raise RedriveFailed(
            "another `segments redrive` has begun, or Kafka took too long: this one stops; begin again, nothing is put "
            "back twice"
        ) from None
    except KafkaError as error:
        raise RedriveFailed(
            f"Kafka does not take them: {error or type(error).__name__} ({sum(done.put_back.values()):,} were put back "
            "before); begin again, nothing is put back twice"
        ) from error
    return done


async def _ledger_if_any(connection: KafkaConnection, topic: str) -> Ledger:
    try:
        await partition_count(connection, topic)
    except NoSuchTopic:
        return Ledger()
    return await Ledger.read(connection, topic)


async def _ensure(connection: KafkaConnection, topic: str) -> None:
    try:
        await asyncio.to_thread(ensure_ledger, connection, topic)
    except TopicsDenied as error:
        raise RedriveFailed(
            f"Kafka does not let {connection.username or 'this client'} make the topic {topic}, in which is noted what "
            "was put back: make it (one partition, cleanup.policy=compact), and allow READ and WRITE"
        ) from error
    except TopicsError as error:
        raise RedriveFailed(f"the topic {topic} cannot be made: {error}") from error


def _chosen(record: ConsumerRecord, selection: Selection, ledger: Ledger, done: Redriven) -> str | None:
    """The reason of a dead letter that is to be put back; None of another, which is counted."""
    done.looked_at += 1
    headers = dict(record.headers)
    reason = (headers.get("reason") or b"").decode(errors="replace")
    if not reason or headers.get("source_offset") is None:
        done.not_ours += 1
    elif not selection.takes(record, reason):
        return None
    elif CUT in headers:
        done.cut += 1
    elif ledger.has(record.partition, record.offset):
        done.sent_before += 1
    elif REDRIVEN in headers and not selection.again:
        done.came_back += 1
    else:
        return reason
    return None


class _Waiting:
    """Dead letters on their way back, as many as go into one transaction."""

    def __init__(self, returner: Returner, done: Redriven) -> None:
        self._returner, self._done = returner, done
        self._records: list[ConsumerRecord] = []
        self._reasons: list[str] = []
        self._bytes = 0

    async def add(self, record: ConsumerRecord, reason: str) -> None:
        size = len(record.value or b"") + len(record.key or b"")
        if len(self._records) >= AT_ONCE or self._bytes + size > AT_ONCE_BYTES:
            await self.put_back()
        self._records.append(record)
        self._reasons.append(reason)
        self._bytes += size

    async def put_back(self) -> None:
        """All that wait."""
        records, reasons = self._records, self._reasons
        self._records, self._reasons, self._bytes = [], [], 0
        if records:
            found = await self._returner.put_back(records)
            self._done.sent_before += found.count(Outcome.BEFORE)
            self._done.too_large += found.count(Outcome.TOO_LARGE)
            self._done.put_back.update(
                reason for reason, outcome in zip(reasons, found, strict=True) if outcome is Outcome.PUT_BACK
            )
