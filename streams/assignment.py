"""The partitions that this worker has: a runner for each, for as long as the group leaves it here."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.batches import BatchConsumer
from streams.fetching import Batch
from streams.runner import Lane, LaneRunner

logger = logging.getLogger(__name__)

GRACE_S = 5.0
"""How long a revoked partition may take to finish the batch at hand."""
LAG_EVERY_S = 5.0


class Assignment:
    """Starts and stops runners as partitions come and go, and hands them their batches."""

    def __init__(
        self,
        topics: Sequence[str],
        make_lane: Callable[[int], Lane],
        wall_ms: Callable[[], int],
        wake_delay_ms: int | None,
    ) -> None:
        """``topics``: the sources, whose partitions of the same number belong together. ``wake_delay_ms``: None where
        the wall clock moves no partition."""
        self.runners: Mapping[int, LaneRunner] = {}
        self.ends: dict[TP, int] = {}
        """The offset after the last record of each source partition, when the broker was last asked."""
        self._topics = topics
        self._make_lane = make_lane
        self._wall_ms, self._wake_delay_ms = wall_ms, wake_delay_ms
        self._watching: asyncio.Task[None] | None = None

    @property
    def lags(self) -> dict[TP, int]:
        """How many offsets each source partition is behind its end, as far as known."""
        return {
            tp: max(self.ends[tp] - position, 0)
            for runner in self.runners.values()
            for tp, position in runner.position.items()
            if tp in self.ends
        }

    @property
    def troubles(self) -> dict[int, str]:
        """The partitions that stand still, and why."""
        return {
            number: runner.trouble for number, runner in self.runners.items() if runner.trouble is not None
        }

    def assigned(self, tps: Iterable[TP], reader: BatchConsumer) -> None:
        """These partitions are ours, and no others. Returns at once: no rebalance must wait for a lane's start."""
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
        await asyncio.gather(*(runner.stop(GRACE_S) for runner in self.runners.values()))
        self.runners = {}

    def deliver(self, batch: Batch) -> None:
        """Hands a batch to its partition's runner. One of a partition that is no longer ours is dropped."""
        runner = self.runners.get(batch.tp.partition)
        if runner is not None:
            runner.deliver(batch)

    def _runner(self, number: int, reader: BatchConsumer) -> LaneRunner:
        return LaneRunner(number, self._topics, self._make_lane, reader, self._wall_ms, self._wake_delay_ms)

    async def _watch(self, reader: BatchConsumer) -> None:
        """Asks for the ends, also of partitions that are not being fetched."""
        tps = [TP(topic, number) for topic in self._topics for number in self.runners]
        while tps:
            with suppress(KafkaError):
                self.ends = await reader.ends(tps)
            await asyncio.sleep(LAG_EVERY_S)
