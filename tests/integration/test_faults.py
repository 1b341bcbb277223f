"""What happens around a worker while it works: others come and go, Redis and Kafka are lost and come back."""

import asyncio
from pathlib import Path

import pytest

from streams.local.redis_server import Fsync
from tests.integration.conftest import Install
from tests.integration.history import Sent, history
from tests.integration.installation import assert_came_true, outcome
from tests.servers import own_kafka, own_redis

EVENTS = 6000


def _parts(seed: int) -> tuple[list[Sent], list[Sent], list[Sent], list[Sent]]:
    """A history in three parts, and all of it."""
    sent = history(seed, EVENTS, partitions=4)
    return sent[: EVENTS // 3], sent[EVENTS // 3 : 2 * EVENTS // 3], sent[2 * EVENTS // 3 :], sent


@pytest.mark.timeout(180)
async def test_workers_that_come_and_go_lose_nothing_and_repeat_nothing(install: Install) -> None:
    installation = install()
    first, second, third, everything = _parts(seed=1)
    one, other = installation.worker(), installation.worker()
    one.start()
    producing = asyncio.create_task(installation.produce(first, pause_s=0.03, at_once=20))
    await installation.until_taken(500)
    other.start()
    await producing
    producing = asyncio.create_task(installation.produce(second, pause_s=0.03, at_once=20))
    await installation.until_taken(2 * EVENTS // 3 - 1000)
    one.stop()
    await producing
    await installation.produce(third, pause_s=0.03, at_once=20)
    await installation.drained()
    assert "are assigned" in other.said()
    other.stop()
    await assert_came_true(installation, outcome(everything))


@pytest.mark.timeout(180)
async def test_a_redis_that_is_killed_and_comes_back_loses_nothing(install: Install, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with own_redis(folder, Fsync.ALWAYS) as redis:
        installation = install(redis_url=redis.url)
        first, second, third, everything = _parts(seed=2)
        worker = installation.worker()
        worker.start()
        # The flow must last until Redis is back, however long a worker takes to start.
        await installation.produce(first[:100])
        await installation.until_taken(0)
        for part in (first[100:], second):
            hurry = asyncio.Event()
            producing = asyncio.create_task(installation.produce(part, pause_s=0.2, at_once=20, hurry=hurry))
            await installation.until_taken(installation.taken() + 500)
            redis.kill()
            await asyncio.sleep(1.5)
            assert not producing.done(), "the events ended before Redis was back"
            redis.start()
            hurry.set()
            await producing
        await installation.produce(third)
        await installation.drained()
        worker.stop()
        await assert_came_true(installation, outcome(everything))


@pytest.mark.timeout(180)
async def test_a_broker_that_is_killed_and_comes_back_loses_nothing(install: Install, tmp_path: Path) -> None:
    folder = tmp_path / "kafka"
    folder.mkdir()
    with own_kafka(folder) as kafka:
        installation = install(kafka=kafka.bootstrap)
        first, second, third, everything = _parts(seed=3)
        worker = installation.worker()
        worker.start()
        producing = asyncio.create_task(installation.produce(first + second, pause_s=0.03, at_once=20))
        await installation.until_taken(1000)
        kafka.kill()
        await asyncio.sleep(1)
        kafka.start()
        await producing
        await installation.produce(third)
        await installation.drained()
        worker.stop()
        await assert_came_true(installation, outcome(everything))
