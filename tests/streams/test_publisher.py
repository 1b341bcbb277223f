"""What is published arrives, in order, and can be found again."""

import asyncio
import os

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.connections import KafkaConnection
from streams.local.ports import free_ports
from streams.outbox import Output, PublishFailed
from streams.publisher import KafkaPublisher
from tests.servers import Topics


def _outputs(topic: str, numbers: range, partitions: int = 2, size: int = 20) -> list[Output]:
    return [
        Output(topic, number % partitions, b"key%d" % number, os.urandom(size), [("ce_id", b"%d" % number)])
        for number in numbers
    ]


async def _read(kafka: str, topic: str, partition: int) -> list[ConsumerRecord]:
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        records: list[ConsumerRecord] = []
        while await consumer.position(place) < end:
            records.extend((await consumer.getmany(place, timeout_ms=500)).get(place, []))
        return records


async def test_outputs_arrive_whole_and_in_order(kafka: str, new_topic: Topics) -> None:
    topic, publisher = new_topic("out", 2), KafkaPublisher(KafkaConnection((kafka,)))
    outputs = [*_outputs(topic, range(5000)), Output(topic, 0, None, None, [("none", None)])]
    ends = await publisher.publish(outputs)
    assert ends == {(topic, 0): 2501, (topic, 1): 2500}
    await publisher.stop()
    for partition in range(2):
        got = [(r.key, r.value, [*r.headers]) for r in await _read(kafka, topic, partition)]
        assert got == [(o.key, o.value, o.headers) for o in outputs if o.partition == partition]


async def test_batches_that_a_topic_finds_too_large_are_made_smaller(kafka: str, new_topic: Topics) -> None:
    topic, publisher = (
        new_topic("out", 1, max_message_bytes="20000"),
        KafkaPublisher(KafkaConnection((kafka,))),
    )
    await publisher.publish(_outputs(topic, range(300), 1, size=1000))
    assert [record.key for record in await _read(kafka, topic, 0)] == [
        b"key%d" % number for number in range(300)
    ]
    with pytest.raises(
        PublishFailed, match=r"does not take a record of 30,004 bytes: raise its max\.message\.bytes"
    ):
        await publisher.publish(_outputs(topic, range(1), 1, size=30_000))
    assert await publisher.publish(_outputs(topic, range(1), 1)) == {(topic, 0): 301}
    await publisher.stop()


async def test_what_was_published_is_found_from_an_offset_on(kafka: str, new_topic: Topics) -> None:
    topic, publisher = new_topic("out", 2), KafkaPublisher(KafkaConnection((kafka,)))
    place = (topic, 0)
    await publisher.publish(_outputs(topic, range(100), 1))
    ends = await publisher.ends([place, (topic, 1)])
    assert ends == {place: 100, (topic, 1): 0}
    await publisher.publish(_outputs(topic, range(100, 3000), 1))
    asked = {b"%d" % number for number in range(2500, 3500)}
    assert await publisher.published(place, ends[place], asked) == {
        b"%d" % number for number in range(2500, 3000)
    }
    assert await publisher.published(place, 100, {b"5", b"100"}) == {b"100"}
    assert await publisher.published((topic, 1), 0, {b"5"}) == set()
    await publisher.stop()


async def test_a_topic_that_was_made_anew_is_searched_from_its_beginning(
    kafka: str, new_topic: Topics
) -> None:
    topic, publisher = new_topic("out", 1), KafkaPublisher(KafkaConnection((kafka,)))
    await publisher.publish(_outputs(topic, range(10), 1))
    assert await publisher.published((topic, 0), 1_000_000, {b"3"}) == {b"3"}
    await publisher.stop()


async def test_publishing_that_is_broken_off_sends_nothing_afterwards(kafka: str, new_topic: Topics) -> None:
    topic, publisher = new_topic("out", 1), KafkaPublisher(KafkaConnection((kafka,)))
    await publisher.publish(_outputs(topic, range(1), 1))
    publishing = asyncio.create_task(publisher.publish(_outputs(topic, range(1, 20_001), 1, size=500)))
    await asyncio.sleep(0.1)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    await asyncio.sleep(0.05)
    before = await publisher.ends([(topic, 0)])
    await asyncio.sleep(0.5)
    assert await publisher.ends([(topic, 0)]) == before
    # And it works again afterwards.
    await publisher.publish(_outputs(topic, range(1), 1))
    await publisher.stop()


async def test_who_waits_for_a_topic_that_is_gone_is_told_when_another_one_gives_the_producer_up(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topic, publisher = (
        new_topic("out", 1, max_message_bytes="20000"),
        KafkaPublisher(KafkaConnection((kafka,))),
    )
    await publisher.publish(_outputs(topic, range(1), 1))
    waiting = asyncio.create_task(publisher.publish(_outputs(f"gone-{unique}", range(1), 1)))
    await asyncio.sleep(0.5)
    with pytest.raises(PublishFailed, match="does not take a record"):
        await publisher.publish(_outputs(topic, range(1), 1, size=30_000))
    with pytest.raises(PublishFailed, match="given up"):
        await asyncio.wait_for(waiting, 5)
    await publisher.stop()


async def test_a_broker_that_is_not_there_is_named() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    publisher = KafkaPublisher(KafkaConnection((address,)))
    with pytest.raises(PublishFailed, match=address):
        await publisher.publish(_outputs("out", range(1)))
    with pytest.raises(PublishFailed):
        await publisher.ends([("out", 0)])
