"""Dead letters go back once: whatever is chosen, however often, killed half way, or two at a time."""

import asyncio
import json
import os
import subprocess
from asyncio.subprocess import DEVNULL
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from streams import intake
from streams.connections import KafkaConnection
from streams.intake import Intake
from streams.publisher import KafkaPublisher
from streams.redrive import Place, RedriveFailed, Redriven, Selection, redrive
from streams.redriven import Ledger, entry, ledger_of, ranges_of, reading, up_to_the_end
from streams.topics import TopicNames
from streams.wire import carried
from tests.servers import Topics
from tests.streams.cli.running import command, environment, segments
from tests.streams.in_memory import FedRecord

START_MS = 1_770_000_000_000
PARTITIONS = 2
ALL = Selection()


class World:
    """Topics with dead letters, as a worker makes them."""

    def __init__(self, kafka: str, new_topic: Topics) -> None:
        self.connection = KafkaConnection((kafka,))
        self.topics = TopicNames(
            new_topic("events", PARTITIONS, max_message_bytes="1048588"),
            "unused",
            new_topic("dead", PARTITIONS, max_message_bytes="2000000"),
        )
        self.settings = {
            "KAFKA": kafka, "EVENTS_TOPIC": self.topics.events, "DEAD_LETTER_TOPIC": self.topics.dead_letters,
        }  # fmt: skip

    async def bury(self, *records: FedRecord, partition: int = 0) -> None:
        """What an intake makes of records that cannot be taken."""
        intake = Intake(partition, self.topics, PARTITIONS, 300_000)
        taken = intake.take(self.topics.events, records, START_MS)
        assert len(taken.dead_letters) == len(records)
        publisher = KafkaPublisher(self.connection)
        await publisher.publish(taken.dead_letters)
        await publisher.stop()

    async def events(self) -> list[ConsumerRecord]:
        places = [TopicPartition(self.topics.events, number) for number in range(PARTITIONS)]
        async with reading(self.connection) as consumer:
            # Of a transaction readers learn a moment after its producer (KIP-98).
            while sum((await consumer.end_offsets(places)).values()) < await self.written():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            return [record async for record in up_to_the_end(consumer, places)]

    async def written(self) -> int:
        """How much of the events topic is written, committed or not."""
        places = [TopicPartition(self.topics.events, number) for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(bootstrap_servers=self.connection.address) as consumer:
            return sum((await consumer.end_offsets(places)).values())

    async def redrive(self, selection: Selection = ALL, *, dry_run: bool = False) -> Redriven:
        return await redrive(self.connection, self.topics, selection, dry_run=dry_run)


@pytest.fixture
def world(kafka: str, new_topic: Topics) -> World:
    return World(kafka, new_topic)


def broken(first: int, count: int) -> list[FedRecord]:
    return [
        FedRecord(offset, b"k%d" % offset, b"{broken %d" % offset, START_MS + offset, [("mine", b"\xff\x00")])
        for offset in range(first, first + count)
    ]


def early(offset: int) -> FedRecord:
    """An event whose received time the clock has not reached yet."""
    value = {"type": "track", "userId": "u", "event": "E"}
    return FedRecord(offset, b"u", json.dumps(value).encode(), START_MS + 400_000)


async def test_dead_letters_go_back_as_they_were_with_their_received_time(world: World) -> None:
    nothing = FedRecord(7, None, None, START_MS)
    await world.bury(*broken(3, 2), nothing, partition=1)
    done = await world.redrive()
    assert done.put_back == Counter(not_json=3)
    events = await world.events()
    assert [(each.partition, each.key, each.value) for each in events] == [
        (1, b"k3", b"{broken 3"), (1, b"k4", b"{broken 4"), (1, None, None),
    ]  # fmt: skip
    assert list(events[0].headers) == [
        ("mine", b"\xff\x00"), ("received_at", b"%d" % (START_MS + 3)), ("redriven", b"1/0"),
    ]  # fmt: skip


async def test_none_goes_back_twice_whatever_is_chosen_in_between(world: World) -> None:
    await world.bury(*broken(0, 3), early(3), *broken(4, 2))
    await world.bury(*broken(0, 2), partition=1)
    only_early = Selection(reasons=frozenset({"future_received"}))
    assert (await world.redrive(only_early)).put_back == Counter(future_received=1)
    assert (await world.redrive(only_early)).sent_before == 1
    middle = Selection(frozenset(), frozenset({0}), Place(offset=1), Place(offset=5))
    assert (await world.redrive(middle, dry_run=True)).put_back == Counter(not_json=3)
    done = await world.redrive(middle)
    assert (done.put_back, done.sent_before) == (Counter(not_json=3), 1)
    assert (await world.redrive()).put_back == Counter(not_json=4)
    assert (await world.redrive()).put_back == Counter()
    places = sorted(dict(each.headers)["redriven"] for each in await world.events())
    assert places == [b"0/0", b"0/1", b"0/2", b"0/3", b"0/4", b"0/5", b"1/0", b"1/1"]


async def test_one_that_does_not_carry_its_whole_record_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "carried", partial(carried, most_bytes=100))
    await world.bury(*broken(0, 1), FedRecord(1, b"k", b"x" * 101, START_MS))
    done = await world.redrive()
    assert (done.put_back, done.cut) == (Counter(not_json=1), 1)


async def test_one_that_came_back_stays_unless_told_again(world: World) -> None:
    await world.bury(*broken(0, 1))
    await world.redrive()
    [event] = await world.events()
    await world.bury(FedRecord(0, event.key, event.value, START_MS, list(event.headers)))
    done = await world.redrive()
    assert (done.put_back, done.sent_before, done.came_back) == (Counter(), 1, 1)
    assert (await world.redrive(Selection(again=True))).put_back == Counter(not_json=1)
    assert (await world.redrive(Selection(again=True))).put_back == Counter()
    first, second = await world.events()
    assert dict(second.headers)["received_at"] == dict(first.headers)["received_at"]
    assert [dict(each.headers)["redriven"] for each in (first, second)] == [b"0/0", b"0/1"]


async def test_moments_choose_by_when_a_dead_letter_was_written(world: World) -> None:
    await world.bury(*broken(0, 2))
    await asyncio.sleep(0.05)
    await world.bury(*broken(2, 2))
    places = [TopicPartition(world.topics.dead_letters, 0)]
    async with reading(world.connection) as consumer:
        written = [record.timestamp async for record in up_to_the_end(consumer, places)]
    done = await world.redrive(Selection(begin=Place(moment_ms=written[2])))
    assert done.put_back == Counter(not_json=2)
    assert [each.value for each in await world.events()] == [b"{broken 2", b"{broken 3"]


async def test_a_record_that_the_events_topic_does_not_take_stays_and_the_others_go(world: World) -> None:
    large = FedRecord(1, b"large", os.urandom(1_100_000), START_MS)
    await world.bury(*broken(0, 1), large, *broken(2, 1))
    done = await world.redrive()
    assert (done.put_back, done.too_large) == (Counter(not_json=2), 1)
    assert [each.key for each in await world.events()] == [b"k0", b"k2"]


async def test_records_that_are_no_dead_letters_are_left_alone(world: World) -> None:
    async with AIOKafkaProducer(bootstrap_servers=world.connection.address) as producer:
        await producer.send_and_wait(world.topics.dead_letters, b"somebody's own", partition=0)
    assert (await world.redrive()).not_ours == 1
    assert await world.events() == []


@pytest.mark.timeout(120)
async def test_killed_and_run_by_several_at_a_time_each_goes_back_once(world: World, tmp_path: Path) -> None:
    count = 12_000
    await world.bury(*broken(0, count))
    await world.bury(*broken(0, count), partition=1)
    for _ in range(3):
        before = await world.written()
        killed = await asyncio.create_subprocess_exec(
            *command("redrive"),
            cwd=tmp_path,
            env=environment(**world.settings),
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        # In the middle of it: what it has sent and not committed is there, too. What ends the transactions of the one
        # before, which was killed, takes an offset of each partition.
        while await world.written() <= before + 2 * PARTITIONS:
            assert killed.returncode is None
        assert killed.returncode is None
        killed.kill()
        await killed.wait()
    assert await world.written() < 2 * count
    runs = [asyncio.create_task(world.redrive()) for _ in range(3)]
    results = await asyncio.gather(*runs, return_exceptions=True)
    assert all(isinstance(each, Redriven | RedriveFailed) for each in results), results
    await world.redrive()
    places = Counter(dict(each.headers)["redriven"] for each in await world.events())
    assert places == Counter(b"%d/%d" % (n, offset) for n in range(PARTITIONS) for offset in range(count))


async def test_the_command_counts_puts_back_and_speaks_json(world: World, tmp_path: Path) -> None:
    await world.bury(*broken(0, 2), early(2))

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return segments("redrive", *arguments, cwd=tmp_path, stdin=None, **world.settings)

    dry = await asyncio.to_thread(run, "--dry-run")
    assert dry.stdout.decode().splitlines() == [
        f"3 dead letters would be put back onto {world.topics.events}",
        "  not_json         2",
        "  future_received  1",
    ], dry.stderr
    assert await world.events() == []
    done = json.loads((await asyncio.to_thread(run, "--reason", "future_received", "--json")).stdout)
    assert (done["redriven"], done["by_reason"]) == (1, {"future_received": 1})
    wrong = await asyncio.to_thread(run, "--from", "yesterday")
    assert wrong.returncode == 2
    assert b"neither an offset nor a moment" in wrong.stderr


async def test_ranges_say_the_same_as_the_offsets_that_they_were_made_of(
    kafka: str, new_topic: Topics
) -> None:
    topic = new_topic("ledger", 1)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for partition, offsets in ((0, [5, 6, 7, 9]), (1, [0]), (0, [0, 1, 8])):
            key, value = entry(partition, ranges_of(offsets))
            await producer.send_and_wait(topic, value, key, partition=0)
    ledger = await Ledger.read(KafkaConnection((kafka,)), topic)
    assert [offset for offset in range(12) if ledger.has(0, offset)] == [0, 1, 5, 6, 7, 8, 9]
    assert [offset for offset in range(12) if ledger.has(1, offset)] == [0]
    assert not ledger.has(2, 0)
    assert ledger_of("dead") == "dead-redriven"
