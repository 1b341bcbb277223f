"""The worker put together: settings and definitions in, a worker on Kafka and Redis out."""

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rules.definitions import Definitions
from streams.clock import wall_ms
from streams.connections import KafkaConnection
from streams.deployment import Deployment
from streams.errors import ConfigurationError
from streams.flood import FloodLimit
from streams.health import HealthServer
from streams.identities import TopicIds
from streams.lane import Lane
from streams.meter import Meter
from streams.metrics import Metrics
from streams.outbox import OwnPublisher
from streams.progress import Progress
from streams.publisher import KafkaPublisher
from streams.recovery import TailReader
from streams.registry import bring_into_force
from streams.settings import Delivery, Settings
from streams.store import ContactStore, StoreRefused, StoreUnavailable
from streams.store.redis import RedisStore
from streams.topics import TopicNames
from streams.transactions import TransactionalPublisher
from streams.worker import work

logger = logging.getLogger(__name__)

MEMBERS_EVERY_S = 10.0
"""How often the sizes of segments are asked for."""
COLLECT_EVERY_S = 5.0


async def serve(settings: Settings, definitions: Definitions, stop: asyncio.Event | None = None) -> None:
    """Runs a worker until SIGTERM, SIGINT or ``stop``.

    Raises ConfigurationError where a setting, or what it points at, has to change; RetryLater where Kafka or Redis
    cannot be reached for a minute at the start; WorkerStopped where the worker ends by itself.
    """
    _collect_rarely()
    metrics, progress = Metrics(), Progress()
    metrics.add_process_metrics()
    metrics.set_segments(segment.key for segment in definitions.segments)
    meter = Meter(metrics, progress, wall_ms)
    health = None
    if settings.metrics_port:
        health = HealthServer(settings.metrics_host, settings.metrics_port, metrics.registry, progress)
        health.start()
        logger.info("metrics and health at http://%s:%d/metrics", settings.metrics_host, health.port)
    collecting = asyncio.create_task(_collect_now_and_then())
    try:
        await work(
            settings,
            _LaneOpener(settings, definitions, meter, metrics),
            progress,
            metrics=metrics,
            observe=meter.kafka_call,
            told_short=meter.shortened,
            stop=stop,
        )
    finally:
        collecting.cancel()
        if health is not None:
            health.stop()


def _collect_rarely() -> None:
    """Makes Python look for unreachable cycles more rarely: after 50,000 new objects in place of 700.

    A worker makes tens of thousands of objects for each batch, its events and contacts, which no cycle holds. To look
    through them took a fourth of its time, and found nothing.
    """
    _leave_out_what_is_there()
    gc.set_threshold(50_000, 20, 50)


def _leave_out_what_is_there() -> None:
    """Lets Python look no more through what has been made so far, which stays: the program, and then the definitions, of
    which a thousand would take 50 ms each time. Not once lanes are at work: what of them is cyclic would stay, too."""
    gc.collect()
    gc.freeze()


async def _collect_now_and_then() -> None:
    """Looks for cycles by the clock: few of them are made, by clients of Kafka and Redis, but they hold what was on its
    way through these. There is little to look through: contacts are kept as bytes."""
    while True:
        await asyncio.sleep(COLLECT_EVERY_S)
        gc.collect()


class _LaneOpener:
    """Opens the store, brings the definitions into force, and makes lanes from them."""

    def __init__(self, settings: Settings, definitions: Definitions, meter: Meter, metrics: Metrics) -> None:
        self._settings, self._definitions, self._meter, self._metrics = settings, definitions, meter, metrics

    @asynccontextmanager
    async def __call__(
        self, partitions: int, publisher: KafkaPublisher
    ) -> AsyncIterator[Callable[[int], Lane]]:
        settings = self._settings
        store = RedisStore(settings.redis.get_secret_value(), settings.group, observe=self._meter.store_call)
        try:
            deployment = await self._deployment(store, partitions, publisher)
            counting = asyncio.create_task(self._count_members(store))
            try:
                yield lambda partition: Lane(partition, deployment)
            finally:
                counting.cancel()
        finally:
            await store.close()

    async def _deployment(
        self, store: ContactStore, partitions: int, publisher: KafkaPublisher
    ) -> Deployment:
        settings = self._settings
        try:
            await store.open(partitions)
            in_force = await bring_into_force(self._definitions, store, wall_ms())
        except StoreRefused as error:
            raise ConfigurationError(str(error)) from error
        except StoreUnavailable as error:
            raise settings.redis_unusable(error.detail) from error
        in_force.catalog.prepare()
        _leave_out_what_is_there()
        self._meter.watch(in_force.catalog.limits)
        logger.info("%d segments in force", len(self._definitions.segments))
        return Deployment(
            catalog=in_force.catalog,
            store=store,
            publisher=publisher,
            topics=TopicNames.of(settings),
            partitions=partitions,
            observer=self._meter,
            wall_ms=wall_ms,
            own_publisher=self._transactional() if settings.delivery is Delivery.EXACTLY_ONCE else None,
            topic_ids=TopicIds(KafkaConnection.of(settings), TopicNames.of(settings).sources),
            max_future_skew_ms=settings.max_future_skew_ms,
            wake_delay_ms=settings.wake_delay_ms,
            cached_contacts=settings.cached_contacts,
            flood=FloodLimit(settings.flood_share, settings.flood_window),
        )

    def _transactional(self) -> Callable[[int], OwnPublisher]:
        connection, group = KafkaConnection.of(self._settings), self._settings.group
        tails, meter = TailReader(connection), self._meter
        return lambda partition: TransactionalPublisher(
            connection, group, partition, tails, meter.kafka_call, told_short=meter.shortened
        )

    async def _count_members(self, store: ContactStore) -> None:
        """Keeps the gauge of members true, to within a few seconds."""
        keys = [segment.key for segment in self._definitions.segments]
        while True:
            with contextlib.suppress(StoreUnavailable):
                for key, count in (await store.member_counts(keys)).items():
                    self._metrics.members.labels(key).set(count)
            await asyncio.sleep(MEMBERS_EVERY_S)
