"""SIGTERM: a worker finishes what it has in hand, hands over and is gone within ten seconds, whatever else is away."""

import asyncio
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from tests.integration.conftest import Install
from tests.integration.history import Sent, history
from tests.integration.installation import Installation, WorkerProcess, assert_came_true, outcome
from tests.servers import OwnServer, own_kafka, own_redis
from tests.streams.recording import until

WITHIN_S = 10


async def _ends(worker: WorkerProcess) -> float:
    """How long it takes to end, in good order."""
    began = time.monotonic()
    await asyncio.to_thread(worker.stop, 20)
    took_s = time.monotonic() - began
    print(f"ended within {took_s:.1f} s")
    assert took_s < WITHIN_S, worker.said()
    assert "Traceback" not in worker.log.read_text()
    return took_s


async def test_under_load_its_successor_goes_on_at_once(install: Install) -> None:
    installation, delivery = install(), "exactly_once"
    sent = history(8, 6000, installation.partitions)
    one = installation.worker(delivery=delivery)
    one.start()
    # The flow must outlast the first worker, however long that takes to start.
    await installation.produce(sent[:100])
    await installation.until_taken(0)
    hurry = asyncio.Event()
    producing = asyncio.create_task(installation.produce(sent[100:], pause_s=0.1, at_once=50, hurry=hurry))
    await installation.until_taken(1000)
    assert not producing.done(), "the events ended before the worker"
    await _ends(one)
    # Its successor need not wait for its session to run out.
    with KafkaAdminClient(bootstrap_servers=installation.kafka) as admin:
        assert admin.describe_groups([installation.name])[installation.name]["members"] == []
    await _until_nothing_is_left_over(installation)
    other = installation.worker(delivery=delivery)
    other.start()
    began = time.monotonic()
    await installation.until_taken(installation.taken() + 1)
    print(f"the successor was at work after {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < 8, "the session of the one that ended must not have to run out"
    hurry.set()
    await producing
    await installation.drained()
    await _ends(other)
    await assert_came_true(installation, outcome(sent))


async def _until_nothing_is_left_over(installation: Installation) -> None:
    """All that was committed is published, with nobody at work who could do it now: readers learn of a transaction a
    moment after its producer has heard that it is committed, and may have ended."""
    end = time.monotonic() + 5
    while left := await installation.unpublished():
        assert time.monotonic() < end, left
        await asyncio.sleep(0.05)


@pytest.mark.timeout(180)
async def test_while_kafka_or_redis_is_away_and_nothing_is_lost_by_it(
    install: Install, tmp_path: Path
) -> None:
    for name in ("kafka", "redis"):
        (tmp_path / name).mkdir()
    with own_kafka(tmp_path / "kafka") as kafka, own_redis(tmp_path / "redis") as redis:
        installation = install(kafka=kafka.bootstrap, redis_url=redis.url)
        sent = history(9, 3000, installation.partitions)
        await _lose_under_load(installation, redis, "at_least_once", sent[:1500])
        await _lose_under_load(installation, kafka, "exactly_once", sent[1500:3000])
        worker = installation.worker()
        worker.start()
        await installation.produce(sent[3000:])
        await installation.drained()
        await _ends(worker)
        await assert_came_true(installation, outcome(sent))


async def _lose_under_load(
    installation: Installation, server: OwnServer, delivery: str, sent: list[Sent]
) -> None:
    worker = installation.worker(delivery=delivery)
    worker.start()
    producing = asyncio.create_task(installation.produce(sent, pause_s=0.02, at_once=20))
    await installation.until_taken(installation.taken() + 300)
    server.kill()
    await asyncio.sleep(1)
    await _ends(worker)
    # It may end before anything can be reached, too.
    said = worker.log.stat().st_size
    worker.start()
    await until(lambda: b"; waiting, for" in worker.log.read_bytes()[said:], 20)
    await _ends(worker)
    await asyncio.to_thread(server.start)
    await producing
