"""Drives one partition's lane: its batches, its clock, and what is done when it fails.

A runner never lets a partition's trouble reach another one, nor Faust: a lane that cannot go on is dropped and made
anew from what is stored, after a pause, and reads again from there. Nothing is acknowledged meanwhile.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.clock import Clock
from streams.errors import StreamsError, unspoken
from streams.fetched import FetchedRecord
from streams.fetching import Batch
from streams.inbox import Inbox
from streams.outbox import PublishFailed
from streams.records import NewerRecord
from streams.standstill import Reason, Standstill
from streams.store import PartitionMoved
from streams.store.errors import StoreError

logger = logging.getLogger(__name__)

SHORTEST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 30.0
"""Between two tries of a partition that cannot go on; the pause doubles."""
SLOW_S = 10.0
"""How long a piece of work may take before people are told."""
LOST_PAUSE_S = 2.0
"""The least pause after somebody else took the partition: the group decides meanwhile whose it is."""
WAKE_PACE_S = 0.05
"""The least time between two looks at a quiet partition's clock: what is due within it is done together."""
FIRST_ASK_S = 0.01
LAST_ASK_S = 0.5
"""Between two questions whether a topic has more, without which the others' records cannot be taken; it doubles."""

_epochs = itertools.count(1)


class Lane(Protocol):
    """What a runner needs of ``streams.lane.Lane``."""

    next_wake_ms: int | None
    trouble: Exception | None
    """What cannot be done now and is tried again; None while all goes well."""

    @property
    def has_work(self) -> bool:
        """Whether ``tick`` has something to do without another clock."""
        ...

    @property
    def is_sweeping(self) -> bool:
        """Whether that is more than what ``handle`` does as well, if there are records."""
        ...

    async def start(self) -> Mapping[str, int]:
        """Takes the partition; the offsets to read the topics from (absent: the beginning)."""
        ...

    async def handle(self, records: Mapping[str, Sequence[FetchedRecord]]) -> None:
        """Takes records of each topic; returns when all that follows from them is safe."""
        ...

    async def tick(self, clock_ms: int | None) -> object:
        """Moves the clock (None: leaves it), and does a part of what is due."""
        ...

    async def close(self) -> None:
        """Gives back what only this lane uses."""
        ...


class Reader(Protocol):
    """What a runner needs of ``streams.batches.BatchConsumer``."""

    async def go_to(self, offsets: Mapping[TP, int | None], epoch: int) -> Mapping[TP, int]: ...
    async def at_end(self, done: Mapping[TP, int]) -> int | None: ...
    def hold(self, tps: Sequence[TP]) -> None: ...
    def release(self, tps: Sequence[TP]) -> None: ...
    def done(self, tp: TP, offset: int) -> None: ...


class LaneRunner:
    """One assigned partition at work. ``start`` it once, ``stop`` it once."""

    def __init__(
        self,
        partition: int,
        topics: Sequence[str],
        make_lane: Callable[[int], Lane],
        reader: Reader,
        clock: Clock,
    ) -> None:
        self.partition = partition
        self.position: dict[TP, int] = {}
        """The offset that each source goes on from: all before it is processed."""
        self._tps = {topic: TP(topic, partition) for topic in topics}
        self._make_lane, self._reader = make_lane, reader
        self._clock = clock
        self._inbox = Inbox(
            lambda topic: reader.hold([self._tps[topic]]),
            lambda topic: reader.release([self._tps[topic]]),
            clock,
        )
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._pause_s = SHORTEST_PAUSE_S
        self._looked_at = 0.0
        self._lane: Lane | None = None
        self._standstill: Standstill | None = None
        self._busy_since: float | None = None
        self._ask_again_s = FIRST_ASK_S

    @property
    def standstill(self) -> Standstill | None:
        """Why the partition stands still; None while it does not."""
        if self._standstill is not None:
            return self._standstill
        if self._lane is not None and self._lane.trouble is not None:
            return Standstill.of(self._lane.trouble)
        if self._busy_since is not None and (took_s := time.monotonic() - self._busy_since) > SLOW_S:
            return Standstill(Reason.SLOW, f"a piece of work has taken {took_s:.0f} s so far")
        return None

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Within it something is being done that must not take long."""
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            self._busy_since = None

    @property
    def waiting(self) -> int:
        """How many records have been fetched and wait for the lane."""
        return self._inbox.records

    def start(self) -> None:
        """Begins, in the background."""
        self._task = asyncio.create_task(self._run(), name=f"partition {self.partition}")

    async def stop(self, grace_s: float) -> None:
        """Lets the work at hand be finished if that takes no longer than this, else breaks it off."""
        self._stopping.set()
        self._inbox.arrived.set()
        if self._task is None:
            return
        done, _ = await asyncio.wait({self._task}, timeout=grace_s)
        if not done:
            logger.warning("partition %d is given up in the middle of its work", self.partition)
            self._task.cancel()
            await asyncio.wait({self._task})

    def deliver(self, batch: Batch) -> None:
        """Takes a batch of the partition."""
        self._inbox.put(batch)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._live()
            except PartitionMoved as moved:
                self._pause_s = max(self._pause_s, LOST_PAUSE_S)
                logger.warning("%s; trying again in %.1f s if it is still ours", moved, self._pause_s)
                await self._stand_still(moved)
            except Exception as error:
                expected = isinstance(
                    error, StreamsError | StoreError | PublishFailed | NewerRecord | KafkaError
                )
                told = error if expected else unspoken(error)
                logger.log(
                    logging.ERROR,
                    "partition %d stands still: %s; trying again in %.1f s",
                    self.partition, str(told) or type(told).__name__, self._pause_s,
                    exc_info=None if expected else told,
                )  # fmt: skip
                await self._stand_still(told)

    async def _stand_still(self, why: Exception) -> None:
        self._standstill = Standstill.of(why)
        self._reader.hold(list(self._tps.values()))
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        try:
            await asyncio.wait_for(self._stopping.wait(), pause_s)
        except TimeoutError:
            return

    async def _live(self) -> None:
        """One lane's life, until it fails or the partition is given up."""
        lane = self._make_lane(self.partition)
        self._lane = lane
        try:
            await self._drive(lane)
        finally:
            self._lane = None
            await lane.close()

    async def _drive(self, lane: Lane) -> None:
        epoch = next(_epochs)
        self._inbox.open(epoch, list(self._tps))
        with self._busy():
            offsets = await lane.start()
            wanted = {tp: offsets.get(topic) for topic, tp in self._tps.items()}
            begun = await self._reader.go_to(wanted, epoch)
        self._inbox.begin({tp.topic: offset for tp, offset in begun.items()})
        for tp, offset in begun.items():
            self._move(tp, offset)
        while not self._stopping.is_set():
            self._inbox.arrived.clear()
            parts = self._inbox.take()
            if parts:
                with self._busy():
                    await lane.handle({part.topic: part.records for part in parts})
                for part in parts:
                    self._move(self._tps[part.topic], part.end)
                self._got_on()
                known = True
            else:
                # Also while the lane has work of its own, which may take long: neither events nor time wait for it.
                known = await self._learn(lane)
            if parts and self._inbox.records and not lane.is_sweeping:
                continue  # what is due comes with them
            if lane.has_work:
                with self._busy():
                    await lane.tick(None)
                self._got_on()
            elif not known:
                await self._wait(lane)

    async def _learn(self, lane: Lane) -> bool:
        """Asks the broker for what lets the lane go on without records; returns whether it did."""
        missing = self._inbox.missing
        return await (self._pass_time(lane) if missing is None else self._ask_for(missing))

    def _move(self, tp: TP, offset: int) -> None:
        self.position[tp] = offset
        self._reader.done(tp, offset)

    def _got_on(self) -> None:
        self._standstill = None
        self._pause_s = SHORTEST_PAUSE_S
        self._ask_again_s = FIRST_ASK_S

    async def _ask_for(self, topic: str) -> bool:
        """Asks whether there is more of a topic that is missing; returns whether it is known that there is not."""
        offset = self.position[self._tps[topic]]
        if await self._reader.at_end({self._tps[topic]: offset}) is None:
            return False
        self._inbox.is_read(topic, offset)
        return True

    async def _pass_time(self, lane: Lane) -> bool:
        """Lets a quiet partition's clock go on, if something is due then; returns whether that was so."""
        now = asyncio.get_running_loop().time()
        delay_ms = self._clock.wake_delay_ms
        if delay_ms is None or self._due_in_s(lane) > 0 or now < self._looked_at + WAKE_PACE_S:
            return False
        self._looked_at = now
        # Not beyond the moment for which it is sure: after it a record may have come that is on its way.
        sure_ms = await self._reader.at_end(self.position)
        if sure_ms is None or self._inbox.arrived.is_set():
            return False
        clock_ms = min(sure_ms, self._clock.wall_ms() - delay_ms)
        if lane.next_wake_ms is None or clock_ms <= lane.next_wake_ms:
            return False
        with self._busy():
            await lane.tick(clock_ms)
        self._got_on()
        return True

    def _due_in_s(self, lane: Lane) -> float:
        """How long until the clock goes beyond the next wake."""
        delay_ms = self._clock.wake_delay_ms
        if lane.next_wake_ms is None or delay_ms is None:
            return float("inf")
        return (lane.next_wake_ms + delay_ms + 1 - self._clock.wall_ms()) / 1000

    async def _wait(self, lane: Lane) -> None:
        """Waits for a batch, for the next wake, or for the end."""
        if self._inbox.missing is not None:
            await self._wait_for(self._inbox.missing)
            return
        loop = asyncio.get_running_loop()
        self._standstill = None
        due_in_s = self._due_in_s(lane)
        if due_in_s == float("inf"):
            await self._inbox.arrived.wait()
            return
        pace_s = max(due_in_s, self._looked_at + WAKE_PACE_S - loop.time(), 0)
        # At most a day: the wall clock may be set meanwhile.
        await self._arrival(min(pace_s, 86_400))

    async def _wait_for(self, topic: str) -> None:
        """Waits for records of a topic that is missing, ever longer until it is asked for again."""
        pause_s, self._ask_again_s = self._ask_again_s, min(2 * self._ask_again_s, LAST_ASK_S)
        if pause_s == LAST_ASK_S:
            self._standstill = Standstill(
                Reason.WAITS,
                f"waits for {topic}: there is more of it, or the broker does not say that there is none",
            )
        await self._arrival(pause_s)

    async def _arrival(self, longest_s: float) -> None:
        """Waits for a batch, or the end, but no longer than this."""
        timer = asyncio.get_running_loop().call_later(longest_s, self._inbox.arrived.set)
        try:
            await self._inbox.arrived.wait()
        finally:
            timer.cancel()
