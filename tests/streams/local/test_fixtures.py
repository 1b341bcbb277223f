"""What the integration tests of the whole project stand on."""

import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.servers import Topics


async def test_what_is_sent_to_a_new_topic_is_read_back(kafka: str, new_topic: Topics, unique: str) -> None:
    topic = new_topic("events", partitions=2)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topic, b"hello", key=b"u1")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, group_id=unique, auto_offset_reset="earliest")
    async with consumer:
        record = await consumer.getone()
    assert (record.key, record.value) == (b"u1", b"hello")
    assert record.timestamp_type == 1, "the time of its arrival, whatever the producer's clock says"


def test_a_test_finds_its_redis_database_empty(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")


def test_another_test_does_too(redis_url: str) -> None:
    test_a_test_finds_its_redis_database_empty(redis_url)
