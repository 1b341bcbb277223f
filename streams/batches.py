"""Faust's way to Kafka, changed in one point: an agent gets one message for each fetched batch of a partition.

Faust spends about 190 us on a message, whatever it is, so here a message carries all the records that one fetch
brought of one partition. What else differs from the stock transport follows from the offsets being kept with the
state: where to read a partition is said by ``go_to`` alone, never by what the group has committed; a partition that
was assigned stays paused until then. Kafka's committed offsets are told now and then, for lag monitors, and so that
state that is lost is noticed.
"""

# ruff: noqa: ARG002 - the seam, whose signatures are Faust's; tests/streams/test_seam.py fails when it moves

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from aiokafka.errors import ConsumerStoppedError, KafkaError
from faust import Topic
from faust.events import Event
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode import Service, get_logger

from streams.fetching import Batch, BatchThread

logger = get_logger(__name__)

T = TypeVar("T")

WATCH_S = 2.0
"""How often it is looked whether the group had an error."""


class BatchTopic(Topic):
    """A topic whose messages are batches, which nothing is to decode."""

    def _compile_decode(self) -> None:
        self.decode = self._as_it_is  # type: ignore[method-assign]

    async def _as_it_is(self, message: Any, *, propagate: bool = False) -> Event:
        return Event(self.app, None, message.value, None, message)


class _Listener(driver.ConsumerRebalanceListener):
    _thread: BatchThread

    async def on_partitions_assigned(self, assigned: Iterable[TP]) -> None:
        # Before anything can be fetched from where the group's committed offsets point to.
        self._thread.begin_assignment(assigned)
        await super().on_partitions_assigned(assigned)


class BatchConsumer(driver.Consumer):
    """Hands batches to the agents, and knows what of them is done."""

    RebalanceListener = _Listener
    _thread: BatchThread

    def __post_init__(self) -> None:
        self._done: dict[TP, int] = {}
        self._told: dict[TP, int] = {}

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    @Service.task
    async def _watch_group(self) -> None:
        # The stock consumer never looks, and one that an error has struck does nothing for ever, in silence.
        await self.sleep(WATCH_S)
        while not self.should_stop:
            await self.in_thread(self._thread.check_group())
            await self.sleep(WATCH_S)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if not self._is_flowing():
                    await self.wait(self.can_resume_flow.wait())
                    continue
                for batch in await self.in_thread(self._thread.fetch()):
                    if not self._is_flowing():
                        break  # a rebalance: whoever gets the partition reads it from where it was left
                    await self.callback(self._message(batch))
        except ConsumerStoppedError:
            if not self.app.should_stop:
                raise

    def _is_flowing(self) -> bool:
        return self.flow_active

    def _message(self, batch: Batch) -> ConsumerMessage:
        tp, last = batch.tp, batch.records[-1]
        value: Any = batch
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, 0, None, None, value, None,
            0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def perform_seek(self) -> None:
        """Nothing: where to read is not what the group has committed."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: health is judged by the progress of lanes."""

    def done(self, tp: TP, offset: int) -> None:
        """All records of the partition before this offset are processed for good."""
        self._done[tp] = offset

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Tells the group what is done. Called by Faust every few seconds, and when it stops."""
        offsets = {tp: offset for tp, offset in self._done.items() if self._told.get(tp) != offset}
        if not offsets:
            return False
        try:
            await asyncio.wait_for(self.in_thread(self._thread.tell(offsets)), timeout=2)
        except (KafkaError, TimeoutError) as error:
            logger.info("the group was not told of progress: %s", error or type(error).__name__)
            return False
        self._told.update(offsets)
        return True

    def forget(self) -> None:
        """The partitions are no longer ours."""
        self._done.clear()
        self._told.clear()

    async def go_to(self, offsets: Mapping[TP, int | None], epoch: int) -> dict[TP, int]:
        """See ``BatchThread.go_to``."""
        return await self.in_thread(self._thread.go_to(offsets, epoch))

    async def at_end(self, done: Mapping[TP, int]) -> int | None:
        """See ``BatchThread.at_end``."""
        return await self.in_thread(self._thread.at_end(done))

    async def ends(self, tps: Sequence[TP]) -> dict[TP, int]:
        """See ``BatchThread.ends``."""
        return await self.in_thread(self._thread.ends(tps))

    def hold(self, tps: Iterable[TP]) -> None:
        """See ``BatchThread.hold``. Takes effect soon."""
        self._thread.thread_loop.call_soon_threadsafe(self._thread.hold, list(tps))

    def release(self, tps: Iterable[TP]) -> None:
        """See ``BatchThread.release``. Takes effect soon."""
        self._thread.thread_loop.call_soon_threadsafe(self._thread.release, list(tps))

    async def in_thread(self, call: Coroutine[Any, Any, T]) -> T:
        """What the call returns, made in the consumer's thread: without Faust's queue of methods, which costs more
        than a poll."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(call, self._thread.thread_loop)
        return await asyncio.wrap_future(future)


class BatchTransport(driver.Transport):
    """What an app's ``transport`` is set to."""

    Consumer = BatchConsumer
