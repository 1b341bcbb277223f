"""Runs the worker: waits for Kafka, makes missing topics, starts the Faust app, and ends in good order."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol, TypeVar

from aiokafka.errors import KafkaError

from streams.app import SegmentsApp, build_app
from streams.clock import Clock
from streams.connections import KafkaConnection, knock
from streams.errors import RetryLater, StreamsError, unspoken
from streams.membership import refuse_other_delivery
from streams.metrics import Metrics
from streams.paced import paced
from streams.producers import Observe, Shortened
from streams.progress import Progress
from streams.publisher import KafkaPublisher
from streams.runner import Lane
from streams.settings import ClockSource, Settings
from streams.standings import Standings
from streams.topics import TopicNames, ensure

logger = logging.getLogger(__name__)

START_PATIENCE_S = 60.0
"""How long a start waits for Kafka, and again for Redis, before it is given up."""
TRY_S = 5.0
REPORT_EVERY_S = 1.0
STOP_S = 3.0
"""How long Faust may take to stop once the lanes are done."""

T = TypeVar("T")


class WorkerStopped(StreamsError):
    """The worker cannot go on, for a reason that the log names. Start it again."""


class LaneMaker(Protocol):
    """Opens what the lanes share, for as many partitions as the events have, and closes it again."""

    def __call__(
        self, partitions: int, publisher: KafkaPublisher
    ) -> AbstractAsyncContextManager[Callable[[int], Lane]]: ...


async def work(
    settings: Settings,
    open_lanes: LaneMaker,
    progress: Progress,
    *,
    metrics: Metrics | None = None,
    observe: Observe | None = None,
    told_short: Shortened | None = None,
    stop: asyncio.Event | None = None,
    patience_s: float = START_PATIENCE_S,
) -> None:
    """Works until SIGTERM, SIGINT or ``stop``; then finishes the batches at hand, and returns.

    ``open_lanes`` may raise RetryLater (then it is tried again, for ``patience_s`` seconds at most) or whatever must
    stop the start. Raises ConfigurationError, RetryLater where Kafka or Redis cannot be reached in that time, and
    WorkerStopped where the app ends by itself.
    """
    stop = asyncio.Event() if stop is None else stop
    with _signals(stop), paced("aiokafka", "kafka"):
        connection = KafkaConnection.of(settings)
        names = TopicNames.of(settings)

        async def make_topics() -> int:
            await knock(connection, TRY_S)
            count = await asyncio.to_thread(
                ensure, connection, names, settings.partitions, TRY_S, group=settings.group
            )
            await asyncio.to_thread(refuse_other_delivery, connection, settings.group, settings.delivery)
            return count

        partitions = await patiently(make_topics, stop, patience_s)
        if partitions is None:
            return
        async with (
            _publisher(connection, observe, told_short) as publisher,
            contextlib.AsyncExitStack() as lanes,
        ):

            def open_() -> Awaitable[Callable[[int], Lane]]:
                return lanes.enter_async_context(open_lanes(partitions, publisher))

            make_lane = await patiently(open_, stop, patience_s)
            if make_lane is None:
                return
            clock = Clock(
                settings.wake_delay_ms if settings.clock is ClockSource.WALL else None,
                settings.max_future_skew_ms,
            )
            app = build_app(
                connection, settings.group, names.sources, make_lane,
                clock=clock, instance=settings.instance, delivery=settings.delivery,
                most_unpacked_bytes=settings.unpacked_mib << 20,
            )  # fmt: skip
            await run(app, Standings(progress, metrics), stop)


async def patiently(attempt: Callable[[], Awaitable[T]], stop: asyncio.Event, patience_s: float) -> T | None:
    """What the attempt gives once it can be made; None if ``stop`` is set before.

    Raises what it raises: RetryLater only once ``patience_s`` seconds have passed.
    """
    loop = asyncio.get_running_loop()
    until, pause_s = loop.time() + patience_s, 0.5
    while not stop.is_set():
        try:
            return await attempt()
        except RetryLater as error:
            left_s = until - loop.time()
            if left_s <= 0:
                raise
            logger.warning("%s; waiting, for %.0f s at most", error, left_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), min(pause_s, max(left_s, 0.01)))
        pause_s = min(2 * pause_s, TRY_S)
    return None


async def run(app: SegmentsApp, standings: Standings, stop: asyncio.Event) -> None:
    """Runs the app until ``stop``. Raises WorkerStopped where it ends by itself."""
    stopping = asyncio.create_task(stop.wait())
    reporting = asyncio.create_task(_report(app, standings))
    living = asyncio.create_task(_live(app))
    try:
        await asyncio.wait({stopping, living}, return_when=asyncio.FIRST_COMPLETED)
        crash = living.exception() if living.done() else None
    finally:
        for task in (stopping, reporting, living):
            task.cancel()
        await _end(app)
    if crash is not None:
        known = isinstance(crash, StreamsError | KafkaError)
        raise WorkerStopped(f"the worker stopped: {(known and str(crash)) or unspoken(crash)}") from crash


async def _live(app: SegmentsApp) -> None:
    await app.start()
    await app.wait_until_stopped()
    if app.crash_reason is not None:
        raise app.crash_reason


async def _end(app: SegmentsApp) -> None:
    """Finishes the batches at hand. Then Faust tells the group how far they are, and leaves it."""
    logger.info("stopping: finishing the batches at hand")
    await app.assignment.close()
    try:
        await asyncio.wait_for(app.stop(), STOP_S)
    except TimeoutError:
        logger.warning("Faust did not stop within %.0f s; the group will notice", STOP_S)


async def _report(app: SegmentsApp, standings: Standings) -> None:
    while True:
        try:
            standings.report(app.assignment)
        except Exception:  # or nobody would hear of anything any more
            logger.exception("it cannot be told how the partitions are")
        await asyncio.sleep(REPORT_EVERY_S)


@asynccontextmanager
async def _publisher(
    connection: KafkaConnection, observe: Observe | None, told_short: Shortened | None
) -> AsyncIterator[KafkaPublisher]:
    publisher = KafkaPublisher(connection, observe, told_short=told_short)
    try:
        yield publisher
    finally:
        await publisher.stop()


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    caught = (signal.SIGTERM, signal.SIGINT)
    for number in caught:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
