"""An installation whose every part a test may set wrongly."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams.clock import wall_ms
from streams.connections import KafkaConnection
from streams.diagnostics import Diagnosis, diagnose
from streams.settings import load_settings
from streams.topics import TopicNames, ensure
from tests.servers import OwnRedis, own_redis

DEFINITIONS = "segments: [{key: buyers, campaign: c, when: {did: Order Completed, within: 30d}}]\n"


@dataclass
class Examined:
    """What `segments doctor` looks at."""

    kafka: str
    redis_url: str
    name: str
    folder: Path

    @property
    def topics(self) -> TopicNames:
        return TopicNames(f"e-{self.name}", f"t-{self.name}", f"d-{self.name}")

    async def examined(self, *, ahead_ms: int = 0, **settings: str) -> dict[str, Diagnosis]:
        """What is said of each thing; ``ahead_ms``: of this machine's clock."""
        given = {
            "kafka": self.kafka, "redis": self.redis_url, "group": self.name, "definitions": str(self.folder),
            "events_topic": self.topics.events, "transitions_topic": self.topics.transitions,
            "dead_letter_topic": self.topics.dead_letters,
        } | settings  # fmt: skip
        named = {f"SEGMENTS_{name.upper()}": value for name, value in given.items()}
        loaded, _ = load_settings(named, env_file=None)
        found = await diagnose(loaded, lambda: wall_ms() + ahead_ms)
        assert all(each.fix for each in found if each.grade != "ok"), "each says how to mend it"
        return {each.what: each for each in found}

    def set_topic(self, topic: str, **settings: str) -> None:
        """Settings as Kafka's, with _ for . in them."""
        changed: dict[str, Any] = {key.replace("_", "."): value for key, value in settings.items()}
        with KafkaAdminClient(bootstrap_servers=self.kafka) as admin:
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, changed)])

    def widen(self, topic: str, partitions: int) -> None:
        """Returns when the topic has so many partitions."""
        with KafkaAdminClient(bootstrap_servers=self.kafka) as admin:
            admin.create_partitions({topic: partitions})
            while len(admin.describe_topics([topic])[0]["partitions"]) < partitions:
                time.sleep(0.05)


@pytest.fixture
def sound(kafka: str, redis_url: str, unique: str, tmp_path: Path) -> Examined:
    """Topics as a worker makes them, sound definitions, a Redis of the tests'."""
    (tmp_path / "segments.yaml").write_text(DEFINITIONS)
    found = Examined(kafka, redis_url, unique, tmp_path)
    ensure(KafkaConnection((kafka,)), found.topics, 2)
    for topic in found.topics.all:
        found.set_topic(topic, retention_ms=str(40 * 86_400_000))
    return found


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with own_redis(tmp_path_factory.mktemp("own-redis")) as server:
        yield server


@pytest.fixture
def set_redis(own_server: OwnRedis) -> Iterator[redis.Redis]:
    """A client that changes the settings of a Redis of these tests' own; they are put back afterwards."""
    with redis.Redis.from_url(own_server.url) as client:
        before = client.config_get("maxmemory", "maxmemory-policy", "appendonly", "appendfsync", "save")
        yield client
        client.replicaof("NO", "ONE")
        for name, value in before.items():
            client.config_set(name, value)
