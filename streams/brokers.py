"""Questions to Kafka that change nothing, and what keeps them from being answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import ClusterAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from streams.connections import WHAT_TO_DO, KafkaConnection, knock
from streams.errors import ConfigurationError, RetryLater, StreamsError

ANSWER_S = 15.0
"""How long the brokers may take."""


class NoSuchTopic(StreamsError):
    """A topic that is to be read or written does not exist."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"there is no topic {topic}: `segments worker` and `segments up` make the missing ones"
        )


async def partition_count(connection: KafkaConnection, topic: str) -> int:
    """How many partitions a topic has.

    Raises NoSuchTopic; RetryLater where no broker answers; ConfigurationError where they do not let us in.
    """
    async with reached(connection):
        client = AIOKafkaClient(**connection.options(), client_id="livesegments-tools")
        try:
            await client.bootstrap()
            cluster = await client.fetch_all_metadata()
            partitions = cluster.partitions_for_topic(topic)
        finally:
            await client.close()
    if not partitions:
        raise NoSuchTopic(topic)
    return len(partitions)


@asynccontextmanager
async def reached(connection: KafkaConnection) -> AsyncIterator[None]:
    """Says in the block's place what keeps Kafka from being used."""
    try:
        async with asyncio.timeout(ANSWER_S):
            yield
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        raise ConfigurationError(
            f"Kafka at {connection.address} does not let {connection.username or 'this client'} do that "
            f"({type(error).__name__}): give it the rights, or see SEGMENTS_KAFKA_USERNAME"
        ) from error
    except (KafkaError, OSError, TimeoutError) as error:
        with contextlib.suppress(RetryLater):
            await knock(connection)  # a client tries on and on with a wrong password, too
        raise RetryLater(f"no Kafka broker answers at {connection.address}: {WHAT_TO_DO}") from error
