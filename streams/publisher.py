"""Puts records on topics: in batches, in order within a partition, each acknowledged by all in-sync replicas."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka.errors import KafkaError, KafkaTimeoutError

from streams.connections import KafkaConnection
from streams.outbox import Output, Place, PublishFailed, by_place
from streams.producers import TOO_LARGE, NotSent, Observe, ProducerHolder, Shortened
from streams.recovery import TailReader


class KafkaPublisher:
    """The outbox's ``Publisher`` on a real Kafka. Start it, and stop it, with the worker."""

    def __init__(
        self,
        connection: KafkaConnection,
        observe: Observe | None = None,
        *,
        compression: str | None = "zstd",
        told_short: Shortened | None = None,
    ) -> None:
        """``observe`` is told of each batch: "publish", how many seconds it took, whether it failed; ``told_short`` of
        each dead letter whose short form was published, as its topic had not taken it whole."""
        self._holder = ProducerHolder(connection, observe, compression, told_short=told_short)
        self._tails = TailReader(connection)

    async def publish(self, outputs: Sequence[Output]) -> Mapping[Place, int]:
        """Returns when all are acknowledged: the offset after the last one per topic partition, where it is known.

        Waits as long as the brokers are away. Raises PublishFailed where they refuse.
        """
        places = by_place(outputs)
        sends = [asyncio.create_task(self._send(place, records)) for place, records in places.items()]
        try:
            results = await asyncio.gather(*sends, return_exceptions=True)
        except asyncio.CancelledError:
            for send in sends:
                send.cancel()
            await self._holder.put_away()
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
        await self._holder.put_away()

    async def _send(self, place: Place, given: Sequence[Output]) -> int | None:
        """One batch after the other, each acknowledged before the next: a refused one must not be overtaken."""
        records, first, end = given, 0, None
        while first < len(records):
            producer = await self._holder.started()
            batch, count = self._holder.batch(producer, records, first)
            try:
                acknowledged = await self._holder.acknowledged(producer, batch, place)
            except (KafkaTimeoutError, NotSent):
                # Earlier batches of the partition still wait for the brokers, or another place's batch was refused
                # before it was this one's turn; it has not been taken up.
                continue
            except TOO_LARGE as error:
                await self._holder.put_away(producer)
                records = self._holder.smaller(records, first, count, error)
                continue
            except KafkaError as error:
                await self._holder.put_away(producer)
                raise PublishFailed.of(place, error) from error
            if records[first] is not given[first]:
                self._holder.tell_short(given[first])
            first += count
            # A batch that the broker had already is acknowledged without its offset.
            end = acknowledged.offset + count if acknowledged.offset >= 0 else None
        return end
