"""A real Kafka and a real Redis for integration tests: one of each a session, and nothing shared between tests.

`tests/conftest.py` makes fixtures of this. A test that breaks its server starts one of its own: `own_redis`,
`own_kafka`.
"""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from streams.local import kafka_node, redis_server
from streams.local.ports import HOST, free_ports
from streams.local.processes import GuardedServer

_REDIS_DATABASES = 16
_numbers = itertools.count(1)


@dataclass(slots=True)
class OwnServer:
    """A server that a test may kill and start again on the same data and ports.

    It is killed at the end, also when the tests are: nothing of what it holds is needed.
    """

    folder: Path
    ports: tuple[int, ...]
    process: GuardedServer | None = field(default=None, init=False)

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL, as a crash would; returns when the process is gone."""
        if self.process is not None:
            self.process.stop()
            self.process = None


class OwnKafka(OwnServer):
    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.ports[0]}"

    def start(self) -> None:
        self.process = kafka_node.start(self.folder, self.ports, grace_s=0)
        kafka_node.await_ready(self.process, self.ports[0])


class OwnRedis(OwnServer):
    fsync = redis_server.Fsync.EVERY_SECOND

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.ports[0]}/0"

    def start(self) -> None:
        self.process = redis_server.start(self.folder, self.ports, self.fsync, grace_s=0)
        redis_server.await_ready(self.process, self.ports[0])


@contextmanager
def own_kafka(folder: Path) -> Iterator[OwnKafka]:
    """A Kafka of the test's own, with its data in `folder`."""
    server = OwnKafka(folder, tuple(free_ports(2)))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@contextmanager
def own_redis(
    folder: Path, fsync: redis_server.Fsync = redis_server.Fsync.EVERY_SECOND
) -> Iterator[OwnRedis]:
    """A Redis of the test's own, with its data in `folder`."""
    server = OwnRedis(folder, tuple(free_ports(1)))
    server.fsync = fsync
    try:
        server.start()
        yield server
    finally:
        server.kill()


def unique_name(test_name: str) -> str:
    """A name that no other test has, readable in the logs and fit for a topic, a consumer group or a key prefix."""
    readable = re.sub(r"[^a-zA-Z0-9-]+", "-", test_name).strip("-").lower()[:60]
    return f"{readable}-{os.getpid()}-{next(_numbers)}"


class Topics:
    """Makes topics that no other test has."""

    def __init__(self, bootstrap: str, test_name: str) -> None:
        self._bootstrap = bootstrap
        self._test_name = test_name

    def __call__(self, name: str = "events", partitions: int = 4, **settings: str) -> str:
        """Make a topic and return its name, which begins with `name`. Settings as Kafka's, with _ for . in them.

        Its timestamps are those of arrival, as of all topics that the product makes, unless set otherwise.
        """
        topic = f"{name}-{unique_name(self._test_name)}"
        configs = {"message.timestamp.type": "LogAppendTime"}
        configs |= {key.replace("_", "."): value for key, value in settings.items()}
        client = KafkaAdminClient(bootstrap_servers=self._bootstrap)
        try:
            client.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
        finally:
            client.close()
        return topic


def empty_database(url: str) -> str:
    """The URL of an empty database of the server at `url`. They are handed out in turn; the 16th is the first again."""
    number = next(_numbers) % _REDIS_DATABASES
    own = re.sub(r"/\d+$", f"/{number}", url)
    with redis.Redis.from_url(own) as client:
        client.flushdb()
    return own
