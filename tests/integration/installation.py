"""Worker processes of a test, and a look at all that they leave behind in Kafka and Redis."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from kafka import KafkaAdminClient

from rules.catalog import Blueprint
from rules.loading import load
from streams.connections import KafkaConnection
from streams.intake import home
from streams.outbox import Output, decode_entry, unpublished
from streams.publisher import KafkaPublisher
from streams.replay import replay_lines
from streams.store import PartitionState
from streams.store.keys import PartitionKeys
from streams.store.redis import RedisStore
from streams.topics import TopicNames, ensure
from streams.wire import encode, received_at_header
from tests.integration.history import Sent
from tests.integration.worker_main import worker_process

SEGMENTS = Path(__file__).parent / "segments"


@dataclass
class WorkerProcess:
    """A worker in a process of its own, as `segments worker` starts it."""

    environment: Mapping[str, str]
    log: Path
    first: Callable[[], None] | None = None
    """What is done in the process before anything else."""
    process: ForkServerProcess | None = field(default=None, init=False)

    def start(self) -> None:
        self.process = worker_process(self.environment, self.log, self.first)
        self.process.start()

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        assert self._running().exitcode is None, f"the worker ended by itself:\n{self.said()}"
        self._running().kill()
        self._running().join()

    def stop(self, timeout_s: float = 15) -> None:
        """SIGTERM; it must end in good order."""
        self._running().terminate()
        self._running().join(timeout_s)
        assert self._running().exitcode == 0, self.said()

    def end(self) -> None:
        """Leaves nothing running, whatever became of the test."""
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def pause(self) -> None:
        """SIGSTOP: it does nothing any more, and its connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: it goes on where it was, and knows nothing of the time in between."""
        self._signal(signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.exitcode is None

    def _signal(self, number: signal.Signals) -> None:
        pid = self._running().pid
        assert pid is not None
        os.kill(pid, number)

    def _running(self) -> ForkServerProcess:
        assert self.process is not None
        return self.process

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


@dataclass
class Installation:
    """One consumer group with topics and a database of its own."""

    kafka: str
    redis_url: str
    name: str
    folder: Path
    partitions: int = 4
    clock: str = "events"
    segments: Path = SEGMENTS
    clustered: bool = False
    """`redis_url` leads to a node of a Redis Cluster."""
    workers: list[WorkerProcess] = field(default_factory=list, init=False)

    @property
    def topics(self) -> TopicNames:
        return TopicNames(f"events-{self.name}", f"transitions-{self.name}", f"dead-{self.name}")

    def make_topics(self) -> None:
        ensure(KafkaConnection((self.kafka,)), self.topics, self.partitions)

    def worker(self, **settings: str) -> WorkerProcess:
        """A worker, not yet started. Settings as `instance="a"` for SEGMENTS_INSTANCE."""
        given = {
            "kafka": self.kafka, "redis": self.redis_url, "group": self.name, "definitions": str(self.segments),
            "events_topic": self.topics.events, "transitions_topic": self.topics.transitions,
            "dead_letter_topic": self.topics.dead_letters, "clock": self.clock, "metrics_port": "0",
        } | settings  # fmt: skip
        environment = {f"SEGMENTS_{name.upper()}": value for name, value in given.items()}
        worker = WorkerProcess(environment, self.folder / f"worker-{len(self.workers)}.log")
        self.workers.append(worker)
        return worker

    async def produce(
        self,
        sent: Iterable[Sent],
        *,
        pause_s: float = 0,
        at_once: int = 100,
        hurry: asyncio.Event | None = None,
        topic: str | None = None,
    ) -> None:
        """Puts records on a topic (None: that of the events), in order within a partition, with a pause after every so
        many until ``hurry`` is set."""
        # Idempotent: a broker that is killed before it answers does not get a record twice.
        async with AIOKafkaProducer(
            bootstrap_servers=self.kafka, enable_idempotence=True, linger_ms=2
        ) as producer:
            for some in batched(sent, at_once):
                waiting = [
                    await producer.send(
                        topic or self.topics.events, record.value, key=record.key, headers=[received_at_header(record.received_ms)],
                        partition=0 if record.key is None else home(record.key.decode(), self.partitions),
                    )
                    for record in some
                ]  # fmt: skip
                await asyncio.gather(*waiting)
                if hurry is None or not hurry.is_set():
                    await asyncio.sleep(pause_s)

    async def until_read(self, topic: str, count: int, timeout_s: float = 10) -> list[ConsumerRecord]:
        """All that a topic holds once it is that many or more, or when time is up.

        Of what a transaction wrote a reader learns a moment after the producer has heard that it is committed: the
        coordinator answers before it tells the partitions (KIP-98).
        """
        until = time.monotonic() + timeout_s
        while True:
            found = await self.read(topic)
            if len(found) >= count or time.monotonic() > until:
                return found
            await asyncio.sleep(0.02)

    async def read(self, topic: str) -> list[ConsumerRecord]:
        """All that a topic holds, in order within a partition."""
        found: list[ConsumerRecord] = []
        async with self._looking_at(topic) as (consumer, places):
            ends = await consumer.end_offsets(places)
            left = {place for place, end in ends.items() if end > 0}
            while left:
                for records in (await consumer.getmany(*left, timeout_ms=500)).values():
                    found += records
                # The position passes what ends a transaction too, of which no record tells.
                left = {place for place in left if await consumer.position(place) < ends[place]}
        return found

    async def ends(self, topic: str) -> dict[int, int]:
        """The offset after the last record of each partition."""
        async with self._looking_at(topic) as (consumer, places):
            return {place.partition: end for place, end in (await consumer.end_offsets(places)).items()}

    @asynccontextmanager
    async def _looking_at(self, topic: str) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
        places = [TopicPartition(topic, number) for number in range(self.partitions)]
        async with AIOKafkaConsumer(
            bootstrap_servers=self.kafka, enable_auto_commit=False, isolation_level="read_committed"
        ) as consumer:
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            yield consumer, places

    def redis_client(self) -> "redis.Redis | redis.RedisCluster":
        """Looks at what is stored, past the product."""
        return (redis.RedisCluster if self.clustered else redis.Redis).from_url(self.redis_url)

    def stored_offsets(self) -> dict[str, dict[int, int]]:
        """Topic -> partition -> the offset up to which its records are part of the state."""
        found: dict[str, dict[int, int]] = {topic: {} for topic in self.topics.sources}
        with self.redis_client() as client:
            for number in range(self.partitions):
                for topic, offset in client.hgetall(PartitionKeys.of(self.name, number).offsets).items():
                    found[topic.decode()][number] = int(offset)
        return found

    def taken(self) -> int:
        """How many records of both source topics are part of the state."""
        return sum(sum(offsets.values()) for offsets in self.stored_offsets().values())

    async def drained(self, timeout_s: float = 60, *, published: bool = True) -> None:
        """Returns when the state holds every record of the source topics, and the transitions topic rests; unless it is
        not ``published``, also when all that follows from them stands on its topic."""
        until, before = time.monotonic() + timeout_s, (-1, -1)
        while True:
            ends = [await self.ends(topic) for topic in self.topics.sources]
            waiting = sum(sum(end.values()) for end in ends) - self.taken()
            now = (waiting, sum((await self.ends(self.topics.transitions)).values()))
            if now == before and waiting == 0 and not (published and await self.unpublished()):
                return
            assert time.monotonic() < until, f"{waiting} records wait:\n{self.workers[-1].said()}"
            before = now
            await asyncio.sleep(0.7)

    async def until_taken(self, more_than: int, timeout_s: float = 30) -> None:
        """Returns when more records than this are part of the state."""
        until = time.monotonic() + timeout_s
        while self.taken() <= more_than:
            assert time.monotonic() < until, f"no progress:\n{self.workers[-1].said()}"
            await asyncio.sleep(0.01)

    async def until_all_began(self, timeout_s: float = 60) -> None:
        """Returns when events of every partition are part of the state."""
        until = time.monotonic() + timeout_s
        while (
            sum(offset > 0 for offset in self.stored_offsets()[self.topics.events].values()) < self.partitions
        ):
            assert time.monotonic() < until, f"no progress:\n{self.workers[-1].said()}"
            await asyncio.sleep(0.05)

    async def until_shared(self, workers: int, timeout_s: float = 60) -> None:
        """Returns when the group is at rest with so many members, each of which has partitions."""
        until = time.monotonic() + timeout_s
        with KafkaAdminClient(bootstrap_servers=self.kafka) as admin:
            while True:
                group = (await asyncio.to_thread(admin.describe_groups, [self.name]))[self.name]
                # What is assigned is an empty text until it has been.
                shares = [member["member_assignment"] or {} for member in group["members"]]
                busy = sum(bool(share.get("assigned_partitions")) for share in shares)
                if group["group_state"] == "Stable" and busy == workers:
                    return
                assert time.monotonic() < until, f"{busy} of {workers} workers have partitions: {group}"
                await asyncio.sleep(0.1)

    async def states(self) -> list[PartitionState]:
        """What is stored of each partition, looked at without taking it."""
        store = RedisStore(self.redis_url, self.name)
        try:
            return [await store.peek(number) for number in range(self.partitions)]
        finally:
            await store.close()

    async def unpublished(self) -> list[Output]:
        """What is committed and stands on no topic."""
        entries = [decode_entry(blob) for state in await self.states() for _, blob in state.outbox]
        publisher = KafkaPublisher(KafkaConnection((self.kafka,)))
        try:
            return await unpublished(publisher, entries)
        finally:
            await publisher.stop()

    def members(self) -> dict[str, set[str]]:
        """The members of each segment, as Redis has them."""
        with self.redis_client() as client:
            return {
                segment.key: {
                    contact.decode()
                    for number in range(self.partitions)
                    for contact in client.smembers(PartitionKeys.of(self.name, number).members(segment.key))
                }
                for segment in load(self.segments).segments
            }


Published = dict[bytes, list[tuple[bytes, list[tuple[str, bytes]]]]]
"""By key, in order: value and headers of each record."""


@dataclass
class Outcome:
    """What must have happened, as `segments replay` says of the same records."""

    transitions: Published
    members: dict[str, set[str]]
    dead_letters: list[bytes]
    """Their values, sorted."""


def outcome(sent: Iterable[Sent], segments: Path = SEGMENTS) -> Outcome:
    """Replays records."""
    sent = list(sent)
    catalog = Blueprint(load(segments)).catalog()
    found = Outcome({}, {program.key: set() for program in catalog.programs}, [])
    lines = [record.line for record in sent]
    replayed = replay_lines(
        catalog, lines, until_ms=None, max_future_skew_ms=300_000,
        reject=lambda number, _: found.dead_letters.append(sent[number - 1].value),
    )  # fmt: skip
    for transition in replayed:
        key, value, headers = encode(transition)
        found.transitions.setdefault(key, []).append((value, headers))
        members = found.members[transition.segment]
        (members.add if transition.entered else members.discard)(transition.contact_id)
    found.dead_letters.sort()
    return found


async def assert_came_true(
    installation: Installation, expected: Outcome, repeating: Collection[int] = ()
) -> None:
    """Each transition once, in order per contact, word for word; so too dead letters, members, offsets and outbox.
    ``repeating``: partitions of which Redis has lost something, so that outputs may come again, word for word."""
    published: Published = {}
    for record in await installation.read(installation.topics.transitions):
        assert record.partition == home(record.key.decode(), installation.partitions)
        if record.partition in repeating and (record.value, list(record.headers)) in published.get(
            record.key, []
        ):
            continue
        published.setdefault(record.key, []).append((record.value, list(record.headers)))
    wrong = [key for key in expected.transitions.keys() | published.keys()
             if expected.transitions.get(key) != published.get(key)]  # fmt: skip
    assert not wrong, _difference(wrong, expected.transitions, published)
    buried = await installation.read(installation.topics.dead_letters)
    found = sorted(record.value for record in buried)
    if repeating:
        assert set(found) == set(expected.dead_letters)
    else:
        assert found == expected.dead_letters
    assert installation.members() == expected.members
    for topic, stored in installation.stored_offsets().items():
        assert stored == {number: end for number, end in (await installation.ends(topic)).items() if end}
    assert await installation.unpublished() == []


def _difference(wrong: list[bytes], expected: Published, found: Published) -> str:
    key = min(wrong)
    wanted, got = expected.get(key, []), found.get(key, [])
    at = next((n for n, pair in enumerate(itertools.zip_longest(wanted, got)) if pair[0] != pair[1]), 0)
    return (
        f"{len(wrong)} contacts are wrong; of {key!r} {len(wanted)} transitions were expected and {len(got)} found, "
        f"different from number {at} on:\n{wanted[at : at + 2]}\n{got[at : at + 2]}"
    )


def batched(items: Iterable[Sent], count: int) -> Iterable[list[Sent]]:
    """In lists of so many."""
    iterator = iter(items)
    while some := list(itertools.islice(iterator, count)):
        yield some
