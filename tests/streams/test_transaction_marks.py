"""What ends a transaction takes up an offset and is no record: nothing waits for it."""

import asyncio

from aiokafka import AIOKafkaProducer

from streams import assignment
from tests.servers import Topics
from tests.streams.recording import Storage, produce, until, worker


async def test_records_that_were_never_committed_are_no_lag(
    kafka: str, new_topic: Topics, unique: str
) -> None:
    topics, storage = (new_topic("events", 1), new_topic("by-contact", 1)), Storage()
    async with worker(kafka, unique, topics, storage) as app:
        await produce(kafka, topics[0], ["a", "b"], [0])
        await storage.until(2)
        async with AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=unique) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topics[0], b"undone", partition=0)
            await producer.abort_transaction()
        # Asked from time to time: two offsets lie behind what was taken, and none is a record.
        await asyncio.sleep(assignment.LAG_EVERY_S + 1)
        runner = (app.assignment.runners or {})[0]
        await until(lambda: set(app.assignment.lags(runner).values()) == {0}, timeout_s=10)
        await produce(kafka, topics[0], ["c"], [0])
        await storage.until(3)
    assert storage.values(topics[0]) == [b"a", b"b", b"c"]
