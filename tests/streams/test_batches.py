"""The transport on a real Kafka."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError
from kafka import KafkaAdminClient
from kafka import TopicPartition as KafkaTopicPartition

from streams.clock import Clock
from streams.progress import Standing
from tests.servers import Topics
from tests.streams.recording import Storage, produce, until, worker


def _sources(new_topic: Topics, partitions: int = 4) -> tuple[str, str]:
    return new_topic("events", partitions), new_topic("by-contact", partitions)


async def test_every_record_of_both_topics_comes_once_and_in_order(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = _sources(new_topic), Storage()
    await produce(kafka, topics[0], map(str, range(5000)), range(4))
    async with worker(kafka, unique, topics, storage):
        await produce(kafka, topics[1], map(str, range(3000)), range(4))
        await storage.until(8000)
    assert storage.is_complete()
    assert sorted(storage.values(topics[0]), key=lambda value: int(value or 0)) == [
        b"%d" % n for n in range(5000)
    ]


async def test_the_lanes_offsets_win_over_the_groups(kafka: str, new_topic: Topics, unique: str) -> None:
    topics, storage = _sources(new_topic, 2), Storage()
    await produce(kafka, topics[0], map(str, range(1000)), range(2))
    async with worker(kafka, unique, topics, storage):
        await storage.until(1000)
    assert await _committed(kafka, unique, topics[0], 2) == [500, 500]
    # As after Redis was restored from an older copy: the log is simply processed again from there.
    storage.offsets[0][topics[0]] = 100
    del storage.taken[0][100:]
    storage.offsets[1][topics[0]] = 0
    storage.taken[1].clear()
    async with worker(kafka, unique, topics, storage):
        await storage.until(1000)
        await produce(kafka, topics[0], ["more", "more"], range(2))
        await storage.until(1002)
    assert storage.is_complete()


async def test_state_that_knows_nothing_of_what_the_group_took_stops_its_partition_until_it_is_said_where_to_begin(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = _sources(new_topic, 3), Storage()
    await produce(kafka, topics[0], map(str, range(20)), range(2))
    async with worker(kafka, unique, topics, storage):
        await storage.until(20)
    # As after a start on an empty Redis; of partition 2 there was nothing to lose.
    lost = Storage()
    # Retention took all that partition 1 had: its beginning is where the group was.
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        admin.delete_records({KafkaTopicPartition(topics[0], 1): 10})
    async with worker(kafka, unique, topics, lost) as app:
        await produce(kafka, topics[0], ["more"] * 30, range(3))

        def lost_partitions() -> set[int]:
            standings = app.assignment.standings() or {}
            return {number for number, each in standings.items() if each.reason == "state_lost"}

        await until(lambda: lost_partitions() == {0, 1})
        await until(lambda: len(lost.taken[2]) == 10)
        said = (app.assignment.standings() or {})[0].trouble or ""
        assert f"its group has taken {topics[0]} up to 10" in said
        assert "segments rebuild" in said
        assert not lost.taken[0]
        assert not lost.taken[1]
        lost.offsets[0][topics[0]] = lost.offsets[1][topics[0]] = 0
        await lost.until(40)
        assert lost_partitions() == set()
    assert [offset for _, offset, _ in lost.taken[0]] == list(range(20))
    assert [offset for _, offset, _ in lost.taken[1]] == list(range(10, 20))


async def test_a_topic_of_which_nothing_was_ever_taken_begins_wherever_retention_has_left_it(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics = _sources(new_topic, 1)
    await produce(kafka, topics[0], map(str, range(10)), range(1))
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        admin.delete_records({KafkaTopicPartition(topics[0], 0): 10})
        async with worker(kafka, unique, topics, Storage()) as app:
            await until(lambda: all(runner.position for runner in (app.assignment.runners or {}).values()))
            await until(app.assignment.standings)
        assert await _committed(kafka, unique, topics[0], 1) == [10]
        await produce(kafka, topics[0], map(str, range(10)), range(1))
        admin.delete_records({KafkaTopicPartition(topics[0], 0): 15})
    storage = Storage()
    async with worker(kafka, unique, topics, storage):
        await storage.until(5)


async def _committed(kafka: str, group: str, topic: str, partitions: int) -> list[int | None]:
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id=group, enable_auto_commit=False
    ) as consumer:
        return [await consumer.committed(TopicPartition(topic, number)) for number in range(partitions)]


async def test_partition_p_of_both_topics_is_always_with_the_same_worker(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = _sources(new_topic, 5), Storage()
    async with (
        worker(kafka, unique, topics, storage) as first,
        worker(kafka, unique, topics, storage) as second,
    ):
        await until(lambda: all(len(app.assignment.runners or ()) in (2, 3) for app in (first, second)))
        for app in (first, second):
            numbers = [
                {tp.partition for tp in app.consumer.assignment() if tp.topic == topic} for topic in topics
            ]
            assert numbers[0] == numbers[1] == set(app.assignment.runners or ())
        assert set(first.assignment.runners or ()) | set(second.assignment.runners or ()) == set(range(5))


async def test_workers_that_come_and_go_lose_and_repeat_nothing(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = _sources(new_topic), Storage()

    async def take_a_while(_partition: int, _topic: str, _records: Sequence[ConsumerRecord]) -> None:
        await asyncio.sleep(0.005)

    storage.before = take_a_while
    async with worker(kafka, unique, topics, storage):
        feeding = asyncio.create_task(_feed(kafka, topics, 6000, 6.0))
        await storage.until(500)
        async with worker(kafka, unique, topics, storage):
            await storage.until(3000)
        async with worker(kafka, unique, topics, storage):
            await storage.until(5000)
        await feeding
        await storage.until(6000)
    assert storage.is_complete()
    assert all(fence >= 3 for fence in storage.fences.values())


async def _feed(kafka: str, topics: tuple[str, str], count: int, seconds: float) -> None:
    parts = 60
    for part in range(parts):
        await produce(kafka, topics[part % 2], map(str, range(count // parts)), range(4))
        await asyncio.sleep(seconds / parts)


async def test_a_lane_that_fails_stops_its_partition_alone_and_goes_on_later(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = _sources(new_topic), Storage()
    broken = True

    async def fail_sometimes(partition: int, _topic: str, records: Sequence[ConsumerRecord]) -> None:
        if broken and partition == 2 and records[-1].offset > 50:
            raise RuntimeError("this cannot be done")

    storage.before = fail_sometimes
    async with worker(kafka, unique, topics, storage) as app:
        await produce(kafka, topics[0], map(str, range(200)), range(4))
        await storage.until(150)
        await produce(kafka, topics[0], map(str, range(4000)), range(4))
        await storage.until(3150)

        def standings() -> dict[int, Standing]:
            return app.assignment.standings() or {}

        await until(lambda: standings()[2].trouble is not None and standings()[2].lag > 900)
        assert (standings()[2].trouble or "").startswith("RuntimeError at test_batches.py:")
        assert [number for number, standing in standings().items() if standing.trouble] == [2]
        assert standings()[0].lag == 0
        broken = False
        await storage.until(4200)
        assert standings()[2].trouble is None
    assert storage.is_complete()


async def test_a_lane_that_hangs_does_not_hold_up_others_nor_fill_the_memory(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = _sources(new_topic, 2), Storage()
    free = asyncio.Event()

    async def hang(partition: int, _topic: str, _records: Sequence[ConsumerRecord]) -> None:
        if partition == 0:
            await free.wait()

    storage.before = hang
    async with worker(kafka, unique, topics, storage) as app:
        for _ in range(6):
            await produce(kafka, topics[0], map(str, range(4000)), range(2))
        await storage.until(12_000)
        runner = (app.assignment.runners or {})[0]
        assert runner.waiting < 10_000
        free.set()
        await storage.until(24_000)
    assert storage.is_complete()


async def test_time_goes_on_where_everything_is_read_and_wakes_come_in_time(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = _sources(new_topic, 2), Storage()
    await produce(kafka, topics[0], ["a", "b"], range(2))
    # A moment that the brokers' answers have passed, and a clock that is not beyond it yet.
    wake_ms = _now_ms() - 1000
    now_ms = wake_ms + 300
    async with worker(kafka, unique, topics, storage, clock=Clock(300, wall_ms=lambda: now_ms)):
        await storage.until(2)
        storage.lanes[1].next_wake_ms = wake_ms
        # As a commit does: the lane says the next wake, then waits.
        await produce(kafka, topics[0], ["c"], [1])
        await storage.until(3)
        await asyncio.sleep(0.5)
        assert not storage.ticks[1]
        now_ms += 1
        await until(lambda: storage.ticks[1])
        assert storage.ticks[1][0] == wake_ms + 1
        assert not storage.ticks[0]


async def test_neither_time_nor_events_wait_for_a_lane_with_work_of_its_own(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    """As a million contacts to be brought under changed definitions are: that takes minutes."""
    topics, storage = _sources(new_topic, 1), Storage()
    await produce(kafka, topics[0], ["a"], [0])
    async with worker(kafka, unique, topics, storage, clock=Clock(300)):
        await storage.until(1)
        lane = storage.lanes[0]
        lane.has_work = True
        await produce(kafka, topics[0], ["b"], [0])
        await storage.until(2)
        wake_ms = lane.next_wake_ms = _now_ms() + 500
        await until(lambda: any(tick is not None for tick in storage.ticks[0]))
        assert _now_ms() - wake_ms - 300 < 1000
        assert None in storage.ticks[0], "its own work goes on, too"
        await produce(kafka, topics[1], ["c"], [0])
        await storage.until(3, timeout_s=5)


async def test_time_does_not_go_on_while_records_wait(kafka: str, new_topic: Topics, unique: str) -> None:
    topics, storage = _sources(new_topic, 1), Storage()
    free = asyncio.Event()

    async def hang(_partition: int, _topic: str, _records: Sequence[ConsumerRecord]) -> None:
        await free.wait()

    async with worker(kafka, unique, topics, storage, clock=Clock(0)):
        storage.before = hang
        await asyncio.sleep(0.3)
        await produce(kafka, topics[0], ["a"], [0])
        await asyncio.sleep(0.2)
        storage.lanes[0].next_wake_ms = _now_ms()
        await asyncio.sleep(0.5)
        assert not storage.ticks[0]
        free.set()
        await storage.until(1)
        await until(lambda: storage.ticks[0])


async def test_an_error_of_the_group_does_not_end_membership_in_silence(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = _sources(new_topic, 2), Storage()
    async with worker(kafka, unique, topics, storage) as first:
        coordinator: Any = first.reader._thread._ensure_consumer()._coordinator

        async def strike() -> None:
            # In the middle of its work, as an error that it cannot handle itself does.
            coordinator._heartbeat_task.cancel()
            coordinator._heartbeat_task = asyncio.ensure_future(_fail())

        await first.reader.in_thread(strike())
        async with worker(kafka, unique, topics, storage) as second:
            await until(
                lambda: len(second.assignment.runners or ()) == 1 == len(first.assignment.runners or ()), 20
            )
            await produce(kafka, topics[0], map(str, range(20)), range(2))
            await storage.until(20)


async def _fail() -> None:
    raise GroupAuthorizationFailedError("not now")


async def test_a_stored_offset_beyond_the_end_stops_the_partition_and_says_why(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = _sources(new_topic, 2), Storage()
    storage.offsets[1][topics[0]] = 77
    async with worker(kafka, unique, topics, storage) as app:
        await produce(kafka, topics[0], map(str, range(20)), range(2))
        await storage.until(10)
        await until(lambda: "ends at" in ((app.assignment.standings() or {})[1].trouble or ""))
    assert not storage.taken[1]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
