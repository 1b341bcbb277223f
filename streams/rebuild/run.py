"""One run of a rebuild, step by step."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from rules.definitions import Definitions
from streams.admission import REBUILD_FIELD
from streams.brokers import partition_count
from streams.clock import Clock, wall_ms
from streams.connections import KafkaConnection, knock
from streams.deployment import Deployment
from streams.errors import ConfigurationError
from streams.identities import TopicIds
from streams.outbox import OwnPublisher, Place
from streams.places import BEGIN_FIELD, encode_begin
from streams.publisher import KafkaPublisher
from streams.rebuild.group import committed_of_idle
from streams.rebuild.lane import RebuildLane
from streams.rebuild.log import Log, first_received_ms, opened, take_again
from streams.rebuild.published import Followed, Heard, followed, hear
from streams.rebuild.report import Broken, Done, Gap, Told, Watcher
from streams.recovery import TailReader
from streams.registry import bring_into_force
from streams.settings import Delivery, Settings
from streams.store import ContactStore, PartitionMoved, StoreRefused, StoreUnavailable
from streams.store.redis import RedisStore
from streams.topics import TopicNames, ensure
from streams.transactions import TransactionalPublisher

AT_ONCE = 4
"""How many partitions are worked on at a time: they share their waits for Redis and Kafka."""
CACHED_CONTACTS = 50_000
"""How many contacts of each of them are in memory."""


class Rebuild:
    """One run. ``survey`` says what there is and changes nothing; ``run`` does it."""

    def __init__(
        self, settings: Settings, definitions: Definitions, store: ContactStore, publisher: KafkaPublisher
    ) -> None:
        self._settings, self._definitions = settings, definitions
        self._store, self._publisher = store, publisher
        self._connection, self._names = KafkaConnection.of(settings), TopicNames.of(settings)
        self._clock = Clock(None, settings.max_future_skew_ms)
        self._committed: dict[tuple[str, int], int] = {}
        self._key_of: dict[int, str] = {}
        self._began_ms: int | None = None
        self._told: Told = lambda _: None
        self.done: Done

    async def survey(self) -> Done:
        """Raises WorkersAlive where a worker runs, and whatever must keep it from beginning."""
        connection, names = self._connection, self._names
        await knock(connection)
        partitions = await partition_count(connection, names.events)
        self._committed = await asyncio.to_thread(committed_of_idle, connection, self._settings.group)
        try:
            await self._store.open(partitions)
        except StoreRefused as error:
            raise ConfigurationError(str(error)) from error
        states = [await self._store.peek(number) for number in range(partitions)]
        # A worker that found nothing has left a mark of its definitions, and no more than that.
        found = [n for n, state in enumerate(states) if state.offsets or state.meta.get(REBUILD_FIELD)]
        self.done = Done(partitions, found)
        return self.done

    async def run(self, told: Told) -> Done:
        """Raises Broken, or RetryLater, where it cannot go on; run it again then."""
        self._told, done = told, self.done
        await asyncio.to_thread(ensure, self._connection, self._names, done.partitions)
        # Once more: time has passed since it was asked for.
        self._committed = await asyncio.to_thread(committed_of_idle, self._connection, self._settings.group)
        await self._forget()
        await self._look_at_beginnings()
        deployment = await self._deployment()
        heard = await self._hear(deployment)
        versions: dict[str, int] = {}
        for of_partition in heard.values():
            for key, version in of_partition.versions.items():
                versions[key] = max(version, versions.get(key, 1))
        await self._store.raise_versions(versions)
        deployment = await self._deployment()
        what_followed = await self._follow()
        self._begin("Taking the events", await self._count(self._names.sources))
        await self._each(
            lambda number: self._take(number, deployment, heard[number], what_followed[number], versions)
        )
        return done

    async def begin_anew(self) -> Done:
        """Makes nothing anew: drops what state there is, and lets workers take everything from the beginning. Raises
        RetryLater."""
        done = self.done
        await asyncio.to_thread(ensure, self._connection, self._names, done.partitions)
        self._committed = await asyncio.to_thread(committed_of_idle, self._connection, self._settings.group)
        await self._forget()
        places = [(topic, number) for number in range(done.partitions) for topic in self._names.sources]
        async with self._opened(places) as log:
            for number in range(done.partitions):
                begin = {topic: log.extents[(topic, number)].begin for topic in self._names.sources}
                done.events += sum(log.extents[(topic, number)].records for topic in begin)
                await self._store.forget(number, [], {BEGIN_FIELD: encode_begin(begin)})
        return done

    async def _forget(self) -> None:
        """All at once: a partition that is not marked would be taken for one without a past."""
        store = self._store
        keys = {segment.key for segment in self._definitions.segments}
        keys |= (await store.enrolled("segments")).keys() | (await store.versions()).keys()
        for number in range(self.done.partitions):
            await store.forget(number, sorted(keys), {REBUILD_FIELD: b"1"})

    async def _look_at_beginnings(self) -> None:
        """What retention has taken away, and when what is left begins."""
        done = self.done
        places = [(topic, number) for number in range(done.partitions) for topic in self._names.sources]
        async with self._opened(places) as log:
            for place in places:
                received_ms = await first_received_ms(log, place)
                if received_ms is not None:
                    self._began_ms = min(received_ms, self._began_ms or received_ms)
                if begin := log.extents[place].begin:
                    done.gaps.append(Gap(*place, begin, received_ms))

    async def _deployment(self) -> Deployment:
        """The definitions in force, as remembered from the first event that there is."""
        began_ms = wall_ms() if self._began_ms is None else self._began_ms
        store, settings = self._store, self._settings
        if self.done.gaps:
            # So that `segments explain` says since when a condition counts.
            keys = [segment.key for segment in self._definitions.segments]
            await store.enrol("segments", keys, began_ms - 1, keep_others=True)
        await store.enrol("memories", [], began_ms, keep_others=False)
        in_force = await bring_into_force(self._definitions, store, began_ms)
        return Deployment(
            catalog=in_force.catalog,
            store=store,
            publisher=self._publisher,
            topics=self._names,
            partitions=self.done.partitions,
            observer=Watcher(self.done, self._told),
            wall_ms=wall_ms,
            own_publisher=self._transactional() if settings.delivery is Delivery.EXACTLY_ONCE else None,
            topic_ids=TopicIds(self._connection, self._names.sources),
            max_future_skew_ms=settings.max_future_skew_ms,
            wake_delay_ms=settings.wake_delay_ms,
            cached_contacts=CACHED_CONTACTS,
        )

    def _transactional(self) -> Callable[[int], OwnPublisher]:
        """Shuts out a worker that was paused, before it is looked at what was published."""
        connection, group, tails = self._connection, self._settings.group, TailReader(self._connection)
        return lambda partition: TransactionalPublisher(connection, group, partition, tails)

    @asynccontextmanager
    async def _lane(self, lane: RebuildLane) -> AsyncIterator[RebuildLane]:
        try:
            await lane.start()
            yield lane
        finally:
            await lane.close()

    async def _hear(self, deployment: Deployment) -> dict[int, Heard]:
        """What consumers have heard, partition by partition, into the contacts' records."""
        done, topic = self.done, self._names.transitions
        self._begin("Reading what was published", await self._count([topic]))
        heard: dict[int, Heard] = {}

        async def one(number: int) -> None:
            async with (
                self._lane(RebuildLane(number, deployment)) as lane,
                self._opened([(topic, number)]) as log,
            ):
                found = await hear(log, (topic, number), lane, self._numbers, self._count_on)
            heard[number] = found
            done.heard += found.transitions
            done.unreadable += found.unreadable

        await self._each(one)
        return heard

    async def _numbers(self, keys: Iterable[str]) -> dict[str, int]:
        """Numbers of segments, also of those that are no longer defined."""
        known = {key: number for number, key in self._key_of.items()}
        missing = sorted(set(keys) - known.keys())
        if missing:
            enrolled = await self._store.enrol("segments", missing, wall_ms(), keep_others=True)
            self._key_of.update((each.number, key) for key, each in enrolled.items())
            known |= {key: each.number for key, each in enrolled.items()}
        return known

    async def _follow(self) -> dict[int, Followed]:
        """What has followed from each partition's records, besides transitions."""
        names, every = self._names, range(self.done.partitions)
        topics = (names.by_contact, names.dead_letters)
        places = [(topic, number) for topic in topics for number in every]
        async with self._opened(places) as log:
            self._begin("Reading what was sent on", log.records)
            found = await followed(log, names.by_contact, self._count_on)
        for number in every:
            found[number].arrived.done = {
                topic: max(self._committed.get((topic, number), 0), 0) for topic in names.sources
            }
        return found

    async def _take(
        self,
        number: int,
        deployment: Deployment,
        heard: Heard,
        what_followed: Followed,
        versions: dict[str, int],
    ) -> None:
        done, names = self.done, self._names
        lane = RebuildLane(number, deployment, what_followed.arrived, heard.silent_before_ms)

        def count(records: int) -> None:
            done.events += records
            self._count_on(records)

        async with self._lane(lane):
            async with self._opened([(topic, number) for topic in names.sources]) as log:
                arrived = what_followed.arrived
                arrived.done = {
                    # An offset from before the topic was made anew says nothing.
                    topic: offset if offset <= log.extents[(topic, number)].end else 0
                    for topic, offset in arrived.done.items()
                }
                await take_again(lane, log, self._clock, what_followed.was_future, count)
            if heard.reached_ms is not None:
                await lane.reach(heard.reached_ms)
            await self._check_numbers(deployment)
            await self._numbers([segment.key for segment in self._definitions.segments])
            begin = {topic: extent.begin for (topic, _), extent in log.extents.items()}
            await lane.settle(self._key_of, versions, begin)
            done.published += lane.published
            done.corrected += lane.corrected

    async def _check_numbers(self, deployment: Deployment) -> None:
        """Raises Broken where records hold what the present numbers would take for something else."""
        features = {each.number for each in (await self._store.enrolled("features")).values()}
        if features != deployment.catalog.feature_numbers:
            raise Broken("a worker with other definitions was started meanwhile: stop it, and run this again")

    async def _each(self, call: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        """Does it for each partition, some at a time; the first error ends it."""
        free = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with free:
                await call(number)

        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self.done.partitions):
                    group.create_task(one(number))
        except ExceptionGroup as errors:
            error = _first(errors)
            if isinstance(error, PartitionMoved):
                raise Broken(
                    f"{error}: was a worker started meanwhile? Stop it, and run this again"
                ) from error
            raise error from None

    def _opened(self, places: Sequence[Place]) -> AbstractAsyncContextManager[Log]:
        return opened(self._connection, places, self._settings.unpacked_mib << 20)

    async def _count(self, topics: Sequence[str]) -> int:
        every = range(self.done.partitions)
        async with self._opened([(topic, n) for topic in topics for n in every]) as log:
            return log.records

    def _begin(self, step: str, total: int) -> None:
        self.done.step, self.done.total, self.done.records = step, total, 0
        self._told(self.done)

    def _count_on(self, records: int) -> None:
        self.done.records += records
        self.done.trouble = None
        self._told(self.done)


@asynccontextmanager
async def opened_rebuild(settings: Settings, definitions: Definitions) -> AsyncIterator[Rebuild]:
    """A run with its connections. Raises RetryLater where Redis cannot be used."""
    store = RedisStore(settings.redis.get_secret_value(), settings.group)
    publisher = KafkaPublisher(KafkaConnection.of(settings))
    try:
        yield Rebuild(settings, definitions, store, publisher)
    except StoreUnavailable as error:
        raise settings.redis_unusable(error.detail) from error
    finally:
        await publisher.stop()
        await store.close()


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
