"""Publishes one partition's outputs in transactions, so that whoever takes the partition can shut out who had it.

All lanes that ever have a partition use one transactional id. A lane's first use of its publisher starts the producer
of that id: the brokers end a transaction that an earlier one has begun, and refuse whatever it does from then on. Only
then are the tails of the topics looked at, for committed records alone, so what is not there never comes any more:
neither from a worker that was paused nor from a request that was on its way. Where this producer is refused itself,
the partition is somebody else's.

A transaction says nothing of offsets or state: these are committed to the store before it begins.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced

from streams.connections import KafkaConnection
from streams.outbox import Output, Place, PublishFailed, by_place
from streams.producers import TOO_LARGE, Observe, ProducerHolder, Shortened
from streams.recovery import TailReader
from streams.store import PartitionMoved


def transactional_id(group: str, partition: int) -> str:
    """The same for whoever has the partition."""
    return f"{group}-{partition}"


class _TooLarge(Exception):
    """A batch of so many records of a place, from the one of this number on, is more than the topic takes."""

    def __init__(self, place: Place, first: int, count: int, error: KafkaError) -> None:
        super().__init__(str(error))
        self.place, self.first, self.count, self.error = place, first, count, error


class TransactionalPublisher:
    """An outbox's ``Publisher`` for one lane, with a producer and connections of its own: no lane's transactions wait
    for another's. Every method but ``stop`` raises PartitionMoved once another owner has begun."""

    def __init__(
        self,
        connection: KafkaConnection,
        group: str,
        partition: int,
        tails: TailReader,
        observe: Observe | None = None,
        *,
        compression: str | None = "zstd",
        told_short: Shortened | None = None,
    ) -> None:
        """``observe`` is told of each batch ("publish") and each end of a transaction ("transaction"); ``told_short`` as
        by ``KafkaPublisher``."""
        self._partition, self._tails = partition, tails
        self._holder = ProducerHolder(
            connection, observe, compression, transactional_id(group, partition), told_short=told_short
        )
        self._lost: PartitionMoved | None = None

    async def publish(self, outputs: Sequence[Output]) -> Mapping[Place, int]:
        """Returns when all are committed, in one transaction: an offset after the last one per topic partition.

        Raises PublishFailed where that is not known; the next call of any method then makes it certain.
        """
        given = by_place(outputs)
        places: dict[Place, Sequence[Output]] = {**given}
        while True:
            producer = await self._started()
            try:
                ends = await self._transact(producer, places)
            except _TooLarge as found:
                # What was sent of the transaction is undone by the next producer's start.
                await self._holder.put_away(producer)
                records = places[found.place]
                places[found.place] = self._holder.smaller(records, found.first, found.count, found.error)
            except ProducerFenced as error:
                await self._holder.put_away(producer)
                raise self._moved() from error
            except KafkaError as error:
                await self._holder.put_away(producer)
                raise PublishFailed.of(next(iter(places)), error) from error
            except BaseException:
                await self._holder.put_away(producer)
                raise
            else:
                self._tell_short(given, places)
                return ends

    def _tell_short(
        self, given: Mapping[Place, Sequence[Output]], published: Mapping[Place, Sequence[Output]]
    ) -> None:
        for place, records in published.items():
            if records is not given[place]:
                for whole, output in zip(given[place], records, strict=True):
                    if output is not whole:
                        self._holder.tell_short(whole)

    async def ends(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """See ``KafkaPublisher``; before what is not decided yet."""
        await self._started()
        return await self._tails.ends(places)

    async def published(self, place: Place, from_offset: int, ids: set[bytes]) -> set[bytes]:
        """See ``KafkaPublisher``; of what is committed. An id that is not there is never committed by another."""
        await self._started()
        return await self._tails.published(place, from_offset, ids)

    async def stop(self) -> None:
        """Closes the connections. A transaction that was not committed is undone by the next owner, or in time."""
        await self._holder.put_away()

    async def _started(self) -> AIOKafkaProducer:
        if self._lost is not None:
            raise self._lost
        return await self._holder.started()

    async def _transact(
        self, producer: AIOKafkaProducer, places: Mapping[Place, Sequence[Output]]
    ) -> dict[Place, int]:
        await producer.begin_transaction()
        sends = [self._send(producer, place, records) for place, records in places.items()]
        results = await asyncio.gather(*sends, return_exceptions=True)
        ends = {place: end for place, end in zip(places, results, strict=True) if isinstance(end, int)}
        failures = [result for result in results if isinstance(result, BaseException)]
        # That it is refused says more than what else went wrong.
        for failure in sorted(failures, key=lambda each: not isinstance(each, ProducerFenced)):
            raise failure
        await self._commit(producer)
        return ends

    async def _send(self, producer: AIOKafkaProducer, place: Place, records: Sequence[Output]) -> int:
        first, end = 0, 0
        while first < len(records):
            batch, count = self._holder.batch(producer, records, first)
            try:
                acknowledged = await self._holder.acknowledged(producer, batch, place)
            except TOO_LARGE as error:
                raise _TooLarge(place, first, count, error) from error
            first += count
            end = max(end, acknowledged.offset + count)
        return end

    async def _commit(self, producer: AIOKafkaProducer) -> None:
        began, failed = time.perf_counter(), True
        try:
            await producer.commit_transaction()
            failed = False
        finally:
            self._holder.observe("transaction", began, failed)

    def _moved(self) -> PartitionMoved:
        self._lost = PartitionMoved(
            self._partition, "its transactions are refused: another owner has begun, or one took too long"
        )
        return self._lost
