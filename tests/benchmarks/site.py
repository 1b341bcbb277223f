"""Where a benchmark runs: a Kafka and a Redis of its own, topics for each run, and the processes under test."""

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from streams.intake import home
from streams.local import stack
from streams.local.jars import locked_jars
from streams.local.state import State
from streams.store.keys import PartitionKeys
from tests.benchmarks.measuring import versions
from tests.benchmarks.workload import Sent, Workload
from tests.integration.installation import Installation

_numbers = itertools.count(1)
CHECKOUT = Path(__file__).parents[2]
AT_ONCE = 1000
"""Records in a produced batch, or fewer large ones: as a busy producer sends them."""


@dataclass
class Site:
    """The servers of a benchmark, and their process ids."""

    kafka: str
    redis_url: str
    folder: Path
    pids: dict[str, int]
    delivery: str = "at_least_once"

    def installation(self, workload: Workload, clock: str) -> Installation:
        """Topics and a consumer group that no other run has."""
        number = next(_numbers)
        folder = self.folder / f"run-{number}"
        folder.mkdir()
        installation = Installation(
            self.kafka,
            self.redis_url,
            f"run-{number}",
            folder,
            workload.partitions,
            clock,
            workload.definitions(folder),
        )
        if clock == "events":
            self._make_events_topic(installation)
        installation.make_topics()
        return installation

    def _make_events_topic(self, installation: Installation) -> None:
        """One whose producers say when: a history's events carry their received times as the broker's clock would have
        put them there."""
        configs = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
        with KafkaAdminClient(bootstrap_servers=self.kafka) as admin:
            admin.create_topics(
                [NewTopic(installation.topics.events, installation.partitions, 1, topic_configs=configs)]
            )

    def memory(self, installation: Installation) -> dict[str, int]:
        """Of Redis, in bytes: all that it holds, the records of contacts with what Redis needs around them; how many
        contacts these are."""
        with redis.Redis.from_url(self.redis_url) as client:
            contacts = [
                PartitionKeys.of(installation.name, number).contacts
                for number in range(installation.partitions)
            ]
            return {
                "all": int(client.info("memory")["used_memory"]),
                "records": sum(client.memory_usage(key, samples=0) or 0 for key in contacts),
                "contacts": sum(client.hlen(key) for key in contacts),
            }

    def forget(self, installation: Installation) -> None:
        """Takes what a run has stored out of Redis, so that the next one finds it as this one did."""
        with redis.Redis.from_url(self.redis_url) as client:
            # One by one, and not in a thread of Redis that would take its time from the next run.
            for key in client.scan_iter(f"*{installation.name}:*", count=1000):
                client.delete(key)

    def versions(self) -> dict[str, str]:
        return versions(self.redis_url, locked_jars())


@contextmanager
def site(folder: Path, delivery: str = "at_least_once") -> Iterator[Site]:
    """Servers on free ports, whose data is thrown away."""
    with stack.running(folder / "data", usual_ports=False) as ends:
        servers = State.read(folder / "data").servers
        pids = {name: servers[name].process.pid for name in ("kafka", "redis")}
        yield Site(ends.kafka, ends.redis, folder, pids, delivery)


@contextmanager
def process(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the checkout, ended with the block."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTS_")}
    with log.open("wb") as output:
        started = subprocess.Popen(
            command,
            env=own | dict(environment),
            cwd=CHECKOUT,
            stdout=output,
            stderr=output,
        )
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(15)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


@contextmanager
def worker(
    installation: Installation, delivery: str, settings: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """`segments worker`."""
    prepared = installation.worker(delivery=delivery, **settings)
    command = [sys.executable, "-m", "streams.cli", "worker"]
    with process(command, prepared.environment, prepared.log) as started:
        yield started


async def fill(installation: Installation, sent: Sequence[Sent]) -> None:
    """Puts records on the events topic, in order within a partition, before anybody reads it."""
    by_partition: dict[int, list[Sent]] = {}
    for record in sent:
        by_partition.setdefault(home(record.key.decode(), installation.partitions), []).append(record)
    async with AIOKafkaProducer(
        bootstrap_servers=installation.kafka,
        compression_type="lz4",
        max_batch_size=900_000,
        enable_idempotence=True,
    ) as producer:
        await asyncio.gather(
            *(
                _fill(producer, installation.topics.events, partition, own)
                for partition, own in by_partition.items()
            )
        )


async def _fill(producer: AIOKafkaProducer, topic: str, partition: int, sent: Sequence[Sent]) -> None:
    batch = producer.create_batch()
    for record in sent:
        given: dict[str, Any] = {
            "timestamp": record.received_ms,
            "key": record.key,
            "value": record.value,
            "headers": [],
        }
        if batch.record_count() == AT_ONCE or batch.append(**given) is None:
            batch = await _next_batch(producer, batch, topic, partition)
            batch.append(**given)
    await _next_batch(producer, batch, topic, partition)


async def _next_batch(producer: AIOKafkaProducer, batch: Any, topic: str, partition: int) -> Any:
    batch.close()
    await (await producer.send_batch(batch, topic, partition=partition))
    return producer.create_batch()
