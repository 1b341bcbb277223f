"""A producer that is made when it is first needed, and put away with all that it still holds where it cannot go on.

aiokafka's ``send`` costs tens of microseconds a record; a batch that is filled first and sent as one costs two. The
producer is idempotent: it tries again for as long as it takes, and the broker drops what it has already. Where it
cannot go on (a refused batch, a lane that is given up in the middle), it is put away, so that nothing arrives later
behind the back of whoever looks which records have arrived, and publishes the others.
"""

# ruff: noqa: SLF001 - aiokafka has no public way to give up what a producer holds; a test watches what is used of it

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from streams.connections import KafkaConnection
from streams.outbox import Output, Place, PublishFailed
from streams.wire import shortened

logger = logging.getLogger(__name__)

Observe = Callable[[str, float, bool], None]
Shortened = Callable[[], None]

BATCH_BYTES = 900_000
"""What a batch holds before compression; below the broker's default limit, which holds after it."""
SMALLEST_BATCH_BYTES = 1_000
ANSWER_MS = 10_000
"""How long a request may take before it is made again."""
START_S = 15.0
"""How long a producer may take to get its id from the brokers."""
CLOSING_S = 1.0
"""How long an abandoned producer may take for each step of closing."""
TRANSACTION_MS = 20_000
"""After which the broker ends a transaction that nobody does: longer than the group waits for a silent worker."""
GIVEN_UP = "it was given up before it was acknowledged"
TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class NotSent(KafkaError):  # type: ignore[misc] # aiokafka has no types
    """The producer was given up before anything of a batch was sent."""


class ProducerHolder:
    """At most one producer at a time. With ``transactional_id`` it is the only one of that id: starting it ends what
    an earlier one had begun, and lets that one do nothing more."""

    def __init__(
        self,
        connection: KafkaConnection,
        observe: Observe | None,
        compression: str | None,
        transactional_id: str | None = None,
        *,
        told_short: Shortened | None = None,
    ) -> None:
        self._connection, self._observe, self._told_short = connection, observe, told_short
        self._compression, self._transactional_id = compression, transactional_id
        self._producer: AIOKafkaProducer | None = None
        self._gone: asyncio.Future[None] | None = None
        """Done when the producer has been put away, and nothing of it comes any more."""
        self._changing = asyncio.Lock()
        self._batch_bytes: dict[str, int] = {}
        """Topics that take only smaller batches than we would make."""
        self._one_large = asyncio.Lock()

    async def started(self) -> AIOKafkaProducer:
        """The producer. Raises PublishFailed where the brokers do not let it begin."""
        async with self._changing:
            if self._producer is None:
                self._producer = await self._start()
                self._gone = asyncio.get_running_loop().create_future()
            return self._producer

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._connection.options(),
            client_id="livesegments-publisher",
            enable_idempotence=True,
            transactional_id=self._transactional_id,
            transaction_timeout_ms=TRANSACTION_MS,
            request_timeout_ms=ANSWER_MS,
            acks="all",
            compression_type=self._compression,
            max_batch_size=BATCH_BYTES,
        )
        try:
            async with asyncio.timeout(START_S):
                await producer.start()
        except BaseException as error:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(asyncio.shield(producer.stop()), CLOSING_S)
            if isinstance(error, KafkaError | OSError):
                raise PublishFailed(self._why_not(error)) from error
            raise
        return producer

    def _why_not(self, error: Exception) -> str:
        if isinstance(error, TransactionalIdAuthorizationFailed):
            return (
                f"Kafka does not let us use the transactional id {self._transactional_id}: "
                "allow WRITE and DESCRIBE on the transactional ids that begin with SEGMENTS_GROUP"
            )
        said = str(error) or type(error).__name__
        return f"no Kafka broker answers at {self._connection.address}: {said}"

    def batch(
        self, producer: AIOKafkaProducer, records: Sequence[Output], first: int
    ) -> tuple[BatchBuilder, int]:
        """A batch of as many records of one topic as fit, from the first one on, at least one; and their number."""
        limit = self._batch_bytes.get(records[first].topic, BATCH_BYTES)
        lowered = limit < BATCH_BYTES
        batch = producer.create_batch()
        append, size = batch.append, batch.size
        count = 0
        for record in records[first:] if first else records:
            if lowered and count and size() + len(record.value or b"") > limit:
                break  # Or the small ones before a large one would have to become batches of one each to find it.
            if append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is None:
                break
            count += 1
            # Of its own accord it takes no more than ``BATCH_BYTES``.
            if lowered and size() >= limit:
                break
        batch.close()
        return batch, count

    def smaller(
        self, records: Sequence[Output], first: int, count: int, error: KafkaError
    ) -> Sequence[Output]:
        """The records to go on with, after a batch of so many from the first one on that its topic found too large:
        the same in smaller batches, or with the short form of a dead letter that was alone in its batch.

        Raises PublishFailed where neither is possible.
        """
        record = records[first]
        limit = self._batch_bytes.get(record.topic, BATCH_BYTES)
        if count > 1 and limit > SMALLEST_BATCH_BYTES:
            self._batch_bytes[record.topic] = limit // 2
            return records
        short = shortened(record.key, record.value, record.headers) if count == 1 else None
        if short is None:
            raise PublishFailed(_too_large(record)) from error
        output = Output(record.topic, record.partition, short.key, short.value, short.headers)
        return [*records[:first], output, *records[first + 1 :]]

    def tell_short(self, whole: Output) -> None:
        """Tells that the short form of a dead letter is published."""
        headers = dict(whole.headers)
        logger.warning(
            "the topic %s does not take the dead letter of %s/%s, offset %s, whole (%s bytes): it carries the beginning of "
            "the record; the record itself stays where it is for as long as its topic keeps it",
            whole.topic, *(_text(headers[name]) for name in ("source_topic", "source_partition", "source_offset")),
            f"{_bytes(whole):,}",
        )  # fmt: skip
        if self._told_short is not None:
            self._told_short()

    async def acknowledged(
        self, producer: AIOKafkaProducer, batch: BatchBuilder, place: Place
    ) -> RecordMetadata:
        """Sends a batch, and returns once it is acknowledged. Raises KafkaError, also where the producer is put away
        meanwhile: who waits for a topic that is not there would wait for ever. NotSent where it was before."""
        if batch.size() <= BATCH_BYTES:
            return await self._acknowledged(producer, batch, place)
        # One request takes the batches of all partitions that wait, and the broker closes the connection on one of over
        # 100 MiB (socket.request.max.bytes), as often as it comes. A dead letter may be 64.
        async with self._one_large:
            return await self._acknowledged(producer, batch, place)

    async def _acknowledged(
        self, producer: AIOKafkaProducer, batch: BatchBuilder, place: Place
    ) -> RecordMetadata:
        if producer is not self._producer or self._gone is None:
            raise NotSent(GIVEN_UP)
        began, failed = time.perf_counter(), True
        gone, sending = self._gone, asyncio.create_task(_sent(producer, batch, place))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise KafkaError(GIVEN_UP)
            acknowledged = sending.result()
            failed = False
            return acknowledged
        finally:
            sending.cancel()
            self.observe("publish", began, failed)

    def observe(self, operation: str, began: float, failed: bool) -> None:
        """Tells of a call that began at this moment of ``time.perf_counter``."""
        if self._observe is not None:
            self._observe(operation, time.perf_counter() - began, failed)

    async def put_away(self, producer: AIOKafkaProducer | None = None) -> None:
        """Ends a producer (None: the present one) at once, unless another one has taken its place: nothing that it
        still holds is sent any more, and whoever waits is told."""
        producer = producer or self._producer
        if producer is None or producer is not self._producer:
            return
        gone, self._producer, self._gone = self._gone, None, None
        await asyncio.shield(_end(producer, gone))


async def _sent(producer: AIOKafkaProducer, batch: BatchBuilder, place: Place) -> RecordMetadata:
    return await (await producer.send_batch(batch, place[0], partition=place[1]))


async def _end(producer: AIOKafkaProducer, gone: asyncio.Future[None] | None) -> None:
    try:
        await _abandon(producer)
    finally:
        if gone is not None:
            gone.set_result(None)


def _text(value: bytes | None) -> str:
    return (value or b"").decode()


def _bytes(record: Output) -> int:
    return len(record.value or b"") + len(record.key or b"")


def _too_large(record: Output) -> str:
    return (
        f"the topic {record.topic} does not take a record of {_bytes(record):,} bytes: "
        "raise its max.message.bytes (kafka-configs.sh --alter --entity-type topics)"
    )


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Closes a producer without the flush that its own ``stop`` begins with."""
    held = producer._message_accumulator
    await producer.client.close()
    try:
        # What was on its way fails now, and is put back among what is held.
        await asyncio.wait_for(producer._sender.close(), CLOSING_S)
    except Exception:  # it is given up in any case
        logger.debug("a producer's sender did not close cleanly", exc_info=True)
    for queue in held._batches.values():
        # It expects a batch that is done to be among those on their way.
        held._pending_batches.update(queue)
    held._batches.clear()
    for batch in list(held._pending_batches):
        batch.failure(KafkaError(GIVEN_UP))
        for future in (batch.future, batch._drain_waiter):
            future.exception()  # nobody may be waiting, and that is no error
    ending = producer._txn_manager._transaction_waiter
    if ending is not None and ending.done() and not ending.cancelled():
        ending.exception()
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), CLOSING_S)
