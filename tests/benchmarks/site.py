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

from aiokafka import AIOKafkaProducer

from streams.intake import home
from streams.local import stack
from streams.local.jars import locked_jars
from streams.local.state import State
from streams.wire import received_at_header
from tests.benchmarks.measuring import versions
from tests.benchmarks.workload import Published, Sent, Workload
from tests.integration.installation import Installation

_numbers = itertools.count(1)
CHECKOUT = Path(__file__).parents[2]
AT_ONCE = 1000
"""Records in a produced batch: as a busy producer sends them."""


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
            workload.definitions,
        )
        installation.make_topics()
        return installation

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
    """A process from the checkout, ended with the block."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTS_")}
    with log.open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *command],
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
def worker(installation: Installation, delivery: str) -> Iterator[subprocess.Popen[bytes]]:
    """`segments worker`."""
    prepared = installation.worker(delivery=delivery)
    with process(["streams.cli", "worker"], prepared.environment, prepared.log) as started:
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
    for begin in range(0, len(sent), AT_ONCE):
        batch = producer.create_batch()
        for record in sent[begin : begin + AT_ONCE]:
            headers = [] if record.received_ms is None else [received_at_header(record.received_ms)]
            full = batch.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None
            assert not full
        batch.close()
        await (await producer.send_batch(batch, topic, partition=partition))


async def published(installation: Installation) -> Published:
    """The transitions topic, by contact."""
    found: Published = {}
    for record in await installation.read(installation.topics.transitions):
        found.setdefault(record.key, []).append(record.value)
    return found


class WrongResult(Exception):
    """What came out is not what replay says: the time it took is worth nothing."""


async def check(installation: Installation, expected: Published) -> None:
    """Raises WrongResult where the transitions differ from those expected, word for word and in order per contact."""
    found = await published(installation)
    wrong = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    if wrong:
        key = min(wrong)
        raise WrongResult(
            f"{len(wrong)} contacts are wrong, such as {key.decode()}: {len(found.get(key, []))} transitions came, "
            f"{len(expected.get(key, []))} were expected"
        )
