"""Puts records on topics: in batches, in order within a partition, each acknowledged by all in-sync replicas.

aiokafka's ``send`` costs tens of microseconds a record; a batch that is filled first and sent as one costs two. The
producer is idempotent: it tries again for as long as it takes, and the broker drops what it has already. Where it
cannot go on (a refused batch, a lane that is given up in the middle), it is put away with all that it still holds, so
that nothing arrives later behind the back of whoever looks which records have arrived, and publishes the others.
"""

# ruff: noqa: SLF001 - aiokafka has no public way to give up what a producer holds; a test watches what is used of it

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)
from aiokafka.structs import RecordMetadata

from streams.connections import KafkaConnection
from streams.outbox import Output, Place, PublishFailed
from streams.recovery import TailReader

logger = logging.getLogger(__name__)

Observe = Callable[[str, float, bool], None]

BATCH_BYTES = 900_000
"""What a batch holds before compression; below the broker's default limit, which holds after it."""
SMALLEST_BATCH_BYTES = 1_000
ANSWER_MS = 10_000
"""How long a request may take before it is made again."""
CLOSING_S = 2.0
"""How long an abandoned producer may take to close."""


class KafkaPublisher:
    """The outbox's ``Publisher`` on a real Kafka. Start it, and stop it, with the worker."""

    def __init__(
        self, connection: KafkaConnection, observe: Observe | None = None, *, compression: str | None = "lz4"
    ) -> None:
        """``observe`` is told of each batch: "publish", how many seconds it took, whether it failed."""
        self._observe = observe
        self._connection = connection
        self._compression = compression
        self._tails = TailReader(connection)
        self._producer: AIOKafkaProducer | None = None
        self._changing = asyncio.Lock()
        self._batch_bytes: dict[str, int] = {}
        """Topics that take only smaller batches than we would make."""

    async def publish(self, outputs: Sequence[Output]) -> Mapping[Place, int]:
        """Returns when all are acknowledged: the offset after the last one per topic partition, where it is known.

        Waits as long as the brokers are away. Raises PublishFailed where they refuse.
        """
        places: dict[Place, list[Output]] = {}
        for output in outputs:
            places.setdefault((output.topic, output.partition), []).append(output)
        sends = [asyncio.create_task(self._send(place, records)) for place, records in places.items()]
        try:
            results = await asyncio.gather(*sends, return_exceptions=True)
        except asyncio.CancelledError:
            for send in sends:
                send.cancel()
            await self._put_away(self._producer)
            raise
        for result in results:
            if isinstance(result, BaseException):
                raise result
        ends = zip(places, results, strict=True)
        return {place: end for place, end in ends if isinstance(end, int)}

    async def ends(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """The offset that the next record of each topic partition will have. Raises PublishFailed: unknown."""
        return await self._tails.ends(places)

    async def published(self, place: Place, from_offset: int, ids: set[bytes]) -> set[bytes]:
        """Which of these ids stand in the topic partition at or after ``from_offset``. Raises PublishFailed:
        unknown."""
        return await self._tails.published(place, from_offset, ids)

    async def stop(self) -> None:
        """Closes the connections. Whatever was not acknowledged stays in the outbox."""
        await self._put_away(self._producer)

    async def _send(self, place: Place, records: Sequence[Output]) -> int | None:
        """One batch after the other, each acknowledged before the next: a refused one must not be overtaken."""
        topic, partition = place
        first, end = 0, None
        while first < len(records):
            producer = await self._started()
            limit = self._batch_bytes.get(topic, BATCH_BYTES)
            batch, count = _fill(producer, records, first, limit)
            try:
                acknowledged = await self._acknowledged(producer, batch, place)
            except KafkaTimeoutError:
                # Earlier batches of the partition still wait for the brokers; this one has not been taken up.
                continue
            except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
                await self._put_away(producer)
                if count == 1 or limit <= SMALLEST_BATCH_BYTES:
                    raise PublishFailed(_too_large(records[first])) from error
                self._batch_bytes[topic] = limit // 2
                continue
            except KafkaError as error:
                await self._put_away(producer)
                raise PublishFailed(
                    f"cannot publish to {topic}/{partition}: {error or type(error).__name__}"
                ) from error
            first += count
            # A batch that the broker had already is acknowledged without its offset.
            end = acknowledged.offset + count if acknowledged.offset >= 0 else None
        return end

    async def _acknowledged(self, producer: AIOKafkaProducer, batch: object, place: Place) -> RecordMetadata:
        began, failed = time.perf_counter(), True
        try:
            acknowledged = await (await producer.send_batch(batch, place[0], partition=place[1]))
            failed = False
            return acknowledged
        finally:
            if self._observe is not None:
                self._observe("publish", time.perf_counter() - began, failed)

    async def _started(self) -> AIOKafkaProducer:
        async with self._changing:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **self._connection.options(),
                    client_id="livesegments-publisher",
                    enable_idempotence=True,
                    request_timeout_ms=ANSWER_MS,
                    acks="all",
                    compression_type=self._compression,
                    max_batch_size=BATCH_BYTES,
                )
                try:
                    await producer.start()
                except (KafkaError, OSError) as error:
                    with contextlib.suppress(KafkaError, OSError):
                        await producer.stop()
                    raise PublishFailed(
                        f"no Kafka broker answers at {self._connection.address}: {error}"
                    ) from error
                self._producer = producer
            return self._producer

    async def _put_away(self, producer: AIOKafkaProducer | None) -> None:
        """Ends a producer at once: nothing that it still holds is sent any more, and whoever waits is told."""
        if producer is None or producer is not self._producer:
            return
        self._producer = None
        await asyncio.shield(_abandon(producer))


def _fill(
    producer: AIOKafkaProducer, records: Sequence[Output], first: int, limit: int
) -> tuple[object, int]:
    """A batch of as many records as fit, at least one, and their number."""
    batch = producer.create_batch()
    append, size = batch.append, batch.size
    count = 0
    for record in records[first:] if first else records:
        if append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is None:
            break
        count += 1
        if size() >= limit:
            break
    batch.close()
    return batch, count


def _too_large(record: Output) -> str:
    size = len(record.value or b"") + len(record.key or b"")
    return (
        f"the topic {record.topic} does not take a record of {size:,} bytes: "
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
        batch.failure(KafkaError("it was given up before it was acknowledged"))
        for future in (batch.future, batch._drain_waiter):
            future.exception()  # nobody may be waiting, and that is no error
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.stop(), CLOSING_S)
