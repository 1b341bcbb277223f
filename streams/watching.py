"""Transitions as they come, for whoever watches: no consumer group, nothing is committed."""

from collections.abc import AsyncGenerator, Callable

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.brokers import partition_count, reached
from streams.connections import KafkaConnection


async def watch(
    connection: KafkaConnection,
    topic: str,
    *,
    from_beginning: bool = False,
    ready: Callable[[], None] = lambda: None,
) -> AsyncGenerator[ConsumerRecord, None]:
    """The records of a topic from now on, or from the beginning, without end; in order within a partition.

    ``ready`` is called when what is published from then on will come. Raises what ``partition_count`` does.
    """
    partitions = await partition_count(connection, topic)
    consumer = AIOKafkaConsumer(
        **connection.options(),
        client_id="livesegments-tools",
        group_id=None,
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
        isolation_level="read_committed",
    )
    places = [TopicPartition(topic, number) for number in range(partitions)]
    try:
        async with reached(connection):
            await consumer.start()
            consumer.assign(places)
            ends = {} if from_beginning else await consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, ends.get(place, 0))
            if from_beginning:
                await consumer.seek_to_beginning(*places)
        ready()
        async for record in consumer:
            yield record
    finally:
        await consumer.stop()
