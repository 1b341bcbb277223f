"""The partitions that this worker has: a runner for each, for as long as the group leaves it here."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.batches import BatchConsumer
from streams.clock import Clock
from streams.fetching import Batch
from streams.progress import Standing
from streams.runner import Lane, LaneRunner
from streams.standstill import Reason, Standstill

logger = logging.getLogger(__name__)

GRACE_S = 4.0
"""How long a revoked partition may take to finish the batch at hand."""
LAG_EVERY_S = 5.0
ASK_S = 8.0
"""How long Kafka may take to say how much there is to read, before people are told."""


class Assignment:
    """Starts and stops runners as partitions come and go, and hands them their batches."""

    def __init__(
        self,
        topics: Sequence[str],
        make_lane: Callable[[int], Lane],
        clock: Clock,
    ) -> None:
        """``topics``: the sources, whose partitions of the same number belong together."""
        self.runners: Mapping[int, LaneRunner] | None = None
        """By partition; None while the group has not said which are ours."""
        self.unseen: Standstill | None = None
        """Why it is not known how much there is to read; None while it is."""
        self._ends: dict[TP, int] = {}
        """The offset after the last record of each source partition, when the broker was last asked."""
        self._topics = topics
        self._make_lane = make_lane
        self._clock = clock
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def topics(self) -> Sequence[str]:
        """The sources."""
        return self._topics

    def standings(self) -> dict[int, Standing] | None:
        """How far each partition is; None while the group has not said which are ours."""
        if self.runners is None:
            return None
        found = {}
        for number, runner in self.runners.items():
            standstill = runner.standstill
            if standstill is None or (self.unseen is not None and standstill.reason is Reason.WAITS):
                # Why it waits for a topic is better said so.
                standstill = self.unseen or standstill
            position, lag = sum(runner.position.values()), sum(self.lags(runner).values())
            if standstill is None:
                found[number] = Standing(position, lag)
            else:
                found[number] = Standing(position, lag, standstill.why, standstill.reason)
        return found

    def lags(self, runner: LaneRunner) -> dict[TP, int]:
        """How many offsets each source of the partition is behind its end, as far as known."""
        return {tp: max(self._ends.get(tp, 0) - position, 0) for tp, position in runner.position.items()}

    def has_ends_of(self, runner: LaneRunner) -> bool:
        """Whether it is known where each source of the partition ends, and how far it is taken."""
        return bool(runner.position) and runner.position.keys() <= self._ends.keys()

    def assigned(self, tps: Iterable[TP], reader: BatchConsumer) -> None:
        """These partitions are ours, and no others. Returns at once: no rebalance must wait for a lane's start."""
        if self._closed:
            return
        numbers = [tp.partition for tp in tps if tp.topic == self._topics[0]]
        self.runners = {number: self._runner(number, reader) for number in sorted(numbers)}
        for runner in self.runners.values():
            runner.start()
        self._watching = asyncio.create_task(self._watch(reader), name="lag")
        logger.info("partitions %s are assigned", ", ".join(map(str, self.runners)) or "none")

    async def revoked(self) -> None:
        """No partition is ours any more. Returns when nothing is done with them."""
        if self._watching is not None:
            self._watching.cancel()
        runners, self.runners = self.runners or {}, None
        await asyncio.gather(*(runner.stop(GRACE_S) for runner in runners.values()))

    async def close(self) -> None:
        """The worker ends: what is assigned from now on is left alone."""
        self._closed = True
        await self.revoked()

    def deliver(self, batch: Batch) -> None:
        """Hands a batch to its partition's runner. One of a partition that is no longer ours is dropped."""
        runner = (self.runners or {}).get(batch.tp.partition)
        if runner is not None:
            runner.deliver(batch)

    def _runner(self, number: int, reader: BatchConsumer) -> LaneRunner:
        return LaneRunner(number, self._topics, self._make_lane, reader, self._clock)

    async def _watch(self, reader: BatchConsumer) -> None:
        """Asks for the ends, also of partitions that are not being fetched; a spare worker, whether there is anything
        to read at all."""
        # Without a topic the group assigns nothing of it, and says no more than that.
        tps = [TP(topic, number) for topic in self._topics for number in self.runners or (0,)]
        while True:
            try:
                async with asyncio.timeout(ASK_S):
                    self._ends = await reader.ends(tps)
            except TimeoutError:
                self.unseen = Standstill(
                    Reason.KAFKA_UNREACHABLE,
                    f"Kafka has not said within {ASK_S:.0f} s how much there is to read",
                )
            except KafkaError as error:
                self.unseen = Standstill.of(error)
            else:
                self.unseen = None
            await asyncio.sleep(LAG_EVERY_S)
