"""Puts dead letters back in transactions, each with a note in the ledger of which they were."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Sequence
from enum import Enum, auto
from typing import Any, Self

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.brokers import reached
from streams.connections import KafkaConnection
from streams.outbox import Headers
from streams.redriven import Ledger, entry, ranges_of
from streams.wire import RECEIVED_AT

logger = logging.getLogger(__name__)

REDRIVEN = "redriven"
"""The header of a record that was put back: partition and offset of its dead letter. It is kept if it becomes one
again, so that it is not put back for ever."""
_OF_DEAD_LETTERS = frozenset(
    {"reason", "detail", "source_topic", "source_partition", "source_offset", "failed_at", REDRIVEN}
)
TRANSACTION_MS = 15_000
"""How long a transaction may take. One of a run that was killed holds back the events behind it for so long."""
BATCH_BYTES = 900_000
"""What a batch holds; below the broker's default limit. A larger record is a batch of its own."""
CLOSING_S = 5.0
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


def headers_back(record: ConsumerRecord) -> Headers:
    """The headers of a dead letter's record when it is put back: its own, and the received time that it had."""
    kept = [header for header in record.headers if header[0] not in _OF_DEAD_LETTERS]
    # Its place last: of several received times the last one counts.
    kept.sort(key=lambda header: header[0] == RECEIVED_AT)
    return [*kept, (REDRIVEN, b"%d/%d" % (record.partition, record.offset))]


class Outcome(Enum):
    """What became of a dead letter that was to be put back."""

    PUT_BACK = auto()
    BEFORE = auto()
    """Another run has done it."""
    TOO_LARGE = auto()
    """The topic takes none of that size."""


class Returner:
    """The one run that may put dead letters back: entering shuts out every other one, and what that has not committed
    never comes. Its methods raise aiokafka's KafkaError; ProducerFenced where another run has begun."""

    def __init__(self, connection: KafkaConnection, events: str, ledger: str) -> None:
        self.ledger = Ledger()
        """What has been put back, as of the beginning."""
        self._connection, self._events, self._ledger_topic = connection, events, ledger
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def put_back(self, records: Sequence[ConsumerRecord]) -> list[Outcome]:
        """Says what became of each."""
        if await self._transaction(records):
            return [Outcome.PUT_BACK] * len(records)
        # One of them was refused, and this producer's numbers are out of step by it.
        await self._start()
        found = []
        for record in records:
            if self.ledger.has(record.partition, record.offset):
                found.append(Outcome.BEFORE)
            elif len(records) > 1 and await self._transaction([record]):
                found.append(Outcome.PUT_BACK)
            else:
                found.append(Outcome.TOO_LARGE)
                await self._start()
        return found

    async def _start(self) -> None:
        await self._stop()
        producer = AIOKafkaProducer(
            **self._connection.options(),
            client_id="livesegments-redrive",
            transactional_id=self._ledger_topic,
            transaction_timeout_ms=TRANSACTION_MS,
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
        )
        self._producer = producer
        try:
            async with reached(self._connection):
                await producer.start()
        except BaseException:
            await self._stop()
            raise
        # Not before: what an earlier run was about to commit is decided now.
        self.ledger = await Ledger.read(self._connection, self._ledger_topic)

    async def _stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await asyncio.wait_for(producer.stop(), CLOSING_S)
            except Exception:  # it is given up in any case
                logger.debug("a producer did not close cleanly", exc_info=True)

    async def _transaction(self, records: Sequence[ConsumerRecord]) -> bool:
        """All of them or none; False where the topic does not take a record of that size."""
        producer = self._producer
        assert producer is not None
        await producer.begin_transaction()
        try:
            errors = await self._send(producer, records)
            if not errors:
                await producer.commit_transaction()
                return True
        except BaseException:
            await _undo(producer)
            raise
        await _undo(producer)
        if any(isinstance(error, _TOO_LARGE) for error in errors):
            return False  # whatever else failed, failed by it
        raise errors[0]

    async def _send(
        self, producer: AIOKafkaProducer, records: Sequence[ConsumerRecord]
    ) -> list[BaseException]:
        """What has failed."""
        by_partition: dict[int, list[ConsumerRecord]] = {}
        for record in records:
            by_partition.setdefault(record.partition, []).append(record)
        sends = []
        for partition, of_partition in by_partition.items():
            key, value = entry(partition, ranges_of(record.offset for record in of_partition))
            sends += [
                self._acknowledged(producer.send_batch(batch, self._events, partition=partition))
                for batch in _batches(producer, of_partition)
            ]
            sends.append(self._acknowledged(producer.send(self._ledger_topic, value, key, partition=0)))
        results = await asyncio.gather(*sends, return_exceptions=True)
        return [result for result in results if isinstance(result, BaseException)]

    @staticmethod
    async def _acknowledged(send: Coroutine[Any, Any, asyncio.Future[Any]]) -> None:
        await (await send)


def _batches(producer: AIOKafkaProducer, records: Sequence[ConsumerRecord]) -> Iterator[BatchBuilder]:
    """Made by hand: aiokafka's ``send`` takes no record that has neither key nor value."""
    batch = producer.create_batch()
    for record in records:
        back = {
            "timestamp": None,
            "key": record.key,
            "value": record.value,
            "headers": headers_back(record),
        }
        if batch.append(**back) is None:
            batch.close()
            yield batch
            batch = producer.create_batch()
            batch.append(**back)
    batch.close()
    yield batch


async def _undo(producer: AIOKafkaProducer) -> None:
    """So that nobody waits for the brokers to do it. They will, if it does not work."""
    try:
        await asyncio.wait_for(producer.abort_transaction(), CLOSING_S)
    except Exception:  # it may be in a state in which nothing is to be undone
        logger.debug("a transaction is left to the brokers", exc_info=True)
