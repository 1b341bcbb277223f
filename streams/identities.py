"""Which topics stand under the names: one that was deleted and made anew has another id, and other records."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import errors
from kafka import errors as admin_errors
from kafka.admin import KafkaAdminClient

from streams.connections import KafkaConnection
from streams.outbox import PublishFailed

ANSWER_MS = 3000
"""How long the brokers may take to be found, and again to answer: a worker that is told to end waits for the thread."""
_NONE = "00000000-0000-0000-0000-000000000000"


class TopicIds:
    """Asks Kafka. Lanes that begin together share a question: each gets an answer to one that was asked after it came."""

    def __init__(self, connection: KafkaConnection, topics: Sequence[str]) -> None:
        self._connection, self._topics = connection, topics
        self._one_at_a_time = asyncio.Lock()
        self._asked = 0.0
        self._answer: Mapping[str, str] = {}

    async def __call__(self) -> Mapping[str, str]:
        """Topic -> id, of those to which the brokers give one (from Kafka 2.8 on).

        Raises PublishFailed where they do not answer, or a topic is gone or forbidden: try again.
        """
        came = time.monotonic()
        async with self._one_at_a_time:
            if self._asked <= came:
                asked = time.monotonic()
                self._answer = await asyncio.to_thread(topic_ids, self._connection, self._topics)
                self._asked = asked
            return self._answer


def topic_ids(connection: KafkaConnection, topics: Sequence[str]) -> dict[str, str]:
    """As ``TopicIds`` says. Blocks: use a thread."""
    try:
        with KafkaAdminClient(
            **connection.options(),
            bootstrap_timeout_ms=ANSWER_MS,
            request_timeout_ms=ANSWER_MS,
            client_id="livesegments-ids",
        ) as admin:
            described = admin.describe_topics(list(topics))
    except (admin_errors.KafkaError, OSError, ValueError) as error:
        said = str(error) or type(error).__name__
        raise PublishFailed(f"no Kafka broker answers at {connection.address}: {said}") from OSError(said)
    return ids_of(described)


def ids_of(described: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Topic -> id, of topics that an admin client has described. Raises PublishFailed of one that cannot be seen."""
    found = {}
    for topic in described:
        name, error = topic["name"], admin_errors.for_code(topic["error_code"])
        if issubclass(error, admin_errors.AuthorizationError):
            said = f"Kafka does not let us read {name}: allow READ and DESCRIBE"
            raise PublishFailed(said) from errors.TopicAuthorizationFailedError(said)
        if error is admin_errors.UnknownTopicOrPartitionError:
            said = f"the topic {name} does not exist any more: make it anew"
            raise PublishFailed(said) from errors.UnknownTopicOrPartitionError(said)
        if error is not admin_errors.NoError:
            raise PublishFailed(f"the topic {name} cannot be seen: {error.__name__}")
        topic_id = topic.get("topic_id")
        if topic_id and str(topic_id) != _NONE:
            found[name] = str(topic_id)
    return found
