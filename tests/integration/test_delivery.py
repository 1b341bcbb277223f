"""A worker that was paused in the middle of publishing goes on after another has taken its partition.

Two lanes of one partition, on a real Kafka and a real Redis. The first one waits at a gate, as if its process had been
stopped there, until the second one has taken over and gone on.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from aiokafka import AIOKafkaProducer

from rules.definitions import Definitions
from rules.segment import Segment
from streams.app import build_app
from streams.clock import Clock
from streams.connections import KafkaConnection
from streams.deployment import Deployment
from streams.diagnostics import diagnose
from streams.intake import home
from streams.lane import Lane
from streams.observer import Unobserved
from streams.outbox import Output, OwnPublisher, Place
from streams.progress import Progress
from streams.publisher import KafkaPublisher
from streams.recovery import TailReader
from streams.registry import bring_into_force
from streams.settings import load_settings
from streams.standings import Standings
from streams.store import PartitionMoved
from streams.store.redis import RedisStore
from streams.transactions import TransactionalPublisher
from streams.worker import WorkerStopped, run
from tests.driven_lane import KafkaRecord
from tests.integration.conftest import Install
from tests.integration.installation import Installation, WorkerProcess
from tests.streams.recording import until

START_MS = 1_770_000_000_000
SEEN = Segment.model_validate({"key": "seen", "when": {"did": "Seen"}})


def _records(first: int, count: int) -> list[KafkaRecord]:
    """Events of contacts of partition 0, each of whom enters the segment by it."""
    names = [name for n in range(8 * (first + count)) if home(name := f"u{n}", 4) == 0]
    return [
        KafkaRecord(
            offset,
            names[offset].encode(),
            json.dumps({"type": "track", "event": "Seen", "userId": names[offset]}).encode(),
            START_MS + offset,
            [],
        )
        for offset in range(first, first + count)
    ]


class Gate:
    """Where a lane waits once it is closed."""

    def __init__(self) -> None:
        self.reached, self._opened = asyncio.Event(), asyncio.Event()
        self._opened.set()

    def close(self) -> None:
        self._opened.clear()

    def open(self) -> None:
        self._opened.set()

    async def passed(self) -> None:
        self.reached.set()
        await self._opened.wait()


class PausedBeforePublishing:
    """A publisher before whose publishing there is a gate: what is to be published is committed to Redis."""

    def __init__(self, inner: OwnPublisher, gate: Gate) -> None:
        self._inner, self._gate = inner, gate

    async def publish(self, outputs: Sequence[Output]) -> Mapping[Place, int]:
        await self._gate.passed()
        return await self._inner.publish(outputs)

    async def ends(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return await self._inner.ends(places)

    async def published(self, place: Place, from_offset: int, ids: set[bytes]) -> set[bytes]:
        return await self._inner.published(place, from_offset, ids)

    async def stop(self) -> None:
        await self._inner.stop()


class PausedBeforeCommitting(TransactionalPublisher):
    """The gate is where all records are on the topic, in a transaction that is not ended."""

    gate: Gate

    async def _commit(self, producer: AIOKafkaProducer) -> None:
        await self.gate.passed()
        await super()._commit(producer)


@dataclass
class Site:
    """Where the lanes of a test work."""

    installation: Installation
    stack: AsyncExitStack
    gates: list[Gate] = field(default_factory=list)

    async def lane(self, delivery: str, pause: str = "") -> tuple[Lane, Gate]:
        """A lane with connections of its own, as in another process; started."""
        connection = KafkaConnection((self.installation.kafka,))
        store = RedisStore(self.installation.redis_url, self.installation.name)
        self.stack.push_async_callback(store.close)
        await store.open(self.installation.partitions)
        in_force = await bring_into_force(Definitions((SEEN,), ()), store, START_MS)
        gate, shared = Gate(), KafkaPublisher(connection)
        self.stack.push_async_callback(shared.stop)

        def own(partition: int) -> OwnPublisher:
            made: OwnPublisher = shared
            if delivery == "exactly_once":
                kind = PausedBeforeCommitting if pause == "committing" else TransactionalPublisher
                made = kind(connection, self.installation.name, partition, TailReader(connection))
                if isinstance(made, PausedBeforeCommitting):
                    made.gate = gate
            return PausedBeforePublishing(made, gate) if pause == "publishing" else made

        lane = Lane(
            0,
            Deployment(
                catalog=in_force.catalog,
                store=store,
                publisher=shared,
                topics=self.installation.topics,
                partitions=self.installation.partitions,
                observer=Unobserved(),
                wall_ms=lambda: START_MS + 1_000_000,
                own_publisher=own,
            ),
        )
        self.stack.push_async_callback(lane.close)
        await lane.start()
        return lane, gate

    async def take(self, lane: Lane, records: Sequence[KafkaRecord]) -> None:
        await lane.handle({self.installation.topics.events: records})

    async def copies(self, expected: int) -> Counter[str]:
        """How often each message id stands on the transitions topic, for who reads what is committed: so many records
        are waited for."""
        records = await self.installation.until_read(self.installation.topics.transitions, expected)
        return Counter(json.loads(record.value)["messageId"] for record in records)


@pytest.mark.parametrize("pause", ["publishing", "committing"])
async def test_with_exactly_once_a_paused_owner_publishes_nothing_after_its_successor(
    install: Install, pause: str
) -> None:
    async with AsyncExitStack() as stack:
        site = Site(install(), stack)
        paused, gate = await site.lane("exactly_once", pause)
        await site.take(paused, _records(0, 10))
        assert len(await site.copies(10)) == 10
        gate.close()
        gate.reached.clear()
        at_work = asyncio.create_task(site.take(paused, _records(10, 10)))
        await gate.reached.wait()
        assert len(await site.copies(10)) == 10, "what is in an open transaction is not to be seen"
        successor, _ = await site.lane("exactly_once")
        assert len(await site.copies(20)) == 20, "the successor publishes what was left over"
        await site.take(successor, _records(20, 10))
        gate.open()
        with pytest.raises(PartitionMoved):
            await at_work
        with pytest.raises(PartitionMoved):
            await site.take(paused, _records(30, 10))
        await site.take(successor, _records(30, 10))
        copies = await site.copies(40)
        assert len(copies) == 40
        assert set(copies.values()) == {1}


async def test_with_at_least_once_a_paused_owner_repeats_under_the_same_message_ids(install: Install) -> None:
    async with AsyncExitStack() as stack:
        site = Site(install(), stack)
        paused, gate = await site.lane("at_least_once", "publishing")
        gate.close()
        at_work = asyncio.create_task(site.take(paused, _records(0, 10)))
        await gate.reached.wait()
        successor, _ = await site.lane("at_least_once")
        gate.open()
        await at_work
        with pytest.raises(PartitionMoved):
            await site.take(paused, _records(10, 10))
        await site.take(successor, _records(10, 10))
        copies = await site.copies(30)
        assert len(copies) == 20
        assert sorted(copies.values()) == [1] * 10 + [2] * 10


async def test_an_owner_that_is_back_too_early_shuts_nothing_out_for_good(install: Install) -> None:
    """Both believe that they have the partition, and take it in turn: whoever has it publishes, each once."""
    async with AsyncExitStack() as stack:
        site = Site(install(), stack)
        for turn in range(6):
            lane, _ = await site.lane("exactly_once")
            await site.take(lane, _records(5 * turn, 5))
        copies = await site.copies(30)
        assert len(copies) == 30
        assert set(copies.values()) == {1}


async def test_no_lane_waits_for_anothers_transaction(install: Install) -> None:
    installation, connection = install(), KafkaConnection((install().kafka,))
    topic = installation.topics.transitions
    slow = PausedBeforeCommitting(connection, installation.name, 0, TailReader(connection))
    slow.gate = Gate()
    slow.gate.close()
    quick = TransactionalPublisher(connection, installation.name, 1, TailReader(connection))
    waiting = asyncio.create_task(slow.publish([Output(topic, 0, b"a", b"1", [])]))
    await slow.gate.reached.wait()
    try:
        async with asyncio.timeout(5):
            for number in range(5):
                await quick.publish([Output(topic, 1, b"b", b"%d" % number, [])])
        assert not waiting.done()
        assert [record.value for record in await installation.until_read(topic, 5)] == [
            b"0",
            b"1",
            b"2",
            b"3",
            b"4",
        ]
        slow.gate.open()
        assert await waiting == {(topic, 0): 1}
        assert len(await installation.until_read(topic, 6)) == 6
    finally:
        await slow.stop()
        await quick.stop()


async def test_what_a_topic_finds_too_large_is_sent_in_smaller_batches_of_one_transaction(
    install: Install,
) -> None:
    installation = install()
    connection, topic = KafkaConnection((installation.kafka,)), installation.topics.transitions
    publisher = TransactionalPublisher(
        connection, installation.name, 0, TailReader(connection), compression=None
    )
    outputs = [Output(topic, 0, b"k", b"x" * 100_000, [("ce_id", b"%d" % n)]) for n in range(40)]
    try:
        await publisher.publish(outputs)
        assert len(await installation.until_read(topic, 40)) == 40
        ids = {b"%d" % n for n in range(50)}
        assert await publisher.published((topic, 0), 0, ids) == {b"%d" % n for n in range(40)}
    finally:
        await publisher.stop()


@pytest.mark.timeout(60)
async def test_a_group_takes_no_worker_that_delivers_in_another_way(install: Install) -> None:
    installation = install()
    one = installation.worker(delivery="exactly_once")
    other = installation.worker(delivery="at_least_once")
    one.start()
    await _until_said(one, "are assigned")
    settings, _ = load_settings(other.environment, env_file=None)
    found = {each.what: each.found for each in await diagnose(settings)}
    assert found["workers"] == "run with SEGMENTS_DELIVERY=exactly_once, and here it is at_least_once"
    # Also where it comes between the question and the answer: the brokers refuse it.
    app = build_app(
        KafkaConnection.of(settings), settings.group, installation.topics.sources, lambda _: pytest.fail("it is given nothing"),
        clock=Clock(), delivery=settings.delivery,
    )  # fmt: skip
    with pytest.raises(WorkerStopped, match=r"workers of the group .* run with another SEGMENTS_DELIVERY"):
        await run(app, Standings(Progress()), asyncio.Event())
    other.start()
    await _until_said(
        other, f"workers of the group {installation.name} run with SEGMENTS_DELIVERY=exactly_once"
    )
    assert "are assigned" not in other.said()
    one.stop()
    # It has waited, and goes on when the last of the others is gone.
    await _until_said(other, "are assigned")
    other.stop()


async def _until_said(worker: WorkerProcess, text: str) -> None:
    await until(lambda: worker.log.exists() and text in worker.log.read_text(), 20)
