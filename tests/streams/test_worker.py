"""The worker as a process: started, stopped, killed."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from streams.connections import KafkaConnection
from streams.local.ports import free_ports
from streams.publisher import KafkaPublisher
from tests.servers import own_kafka
from tests.streams.recording import produce, until
from tests.streams.worker_process import taken

PARTITIONS = range(4)


def _environment(kafka: str, unique: str, **more: str) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("SEGMENTS_")},
        "SEGMENTS_KAFKA": kafka,
        "SEGMENTS_GROUP": unique,
        "SEGMENTS_EVENTS_TOPIC": f"events-{unique}",
        "SEGMENTS_TRANSITIONS_TOPIC": f"out-{unique}",
        "SEGMENTS_DEAD_LETTER_TOPIC": f"dead-{unique}",
        "SEGMENTS_METRICS_PORT": "0",
        # Whatever else on the machine is called so must not reach Faust.
        "BROKER_URL": "kafka://192.0.2.1:1",
        "WEB_ENABLED": "1",
        **more,
    }


@asynccontextmanager
async def _worker(folder: Path, environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    command = (sys.executable, "-m", "tests.streams.worker_process", str(folder))
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            _, log = await process.communicate()
            sys.stderr.write(log.decode())  # shown where the test fails


async def _ended(process: asyncio.subprocess.Process, within_s: float) -> tuple[int | None, str]:
    _, log = await asyncio.wait_for(process.communicate(), within_s)
    return process.returncode, log.decode()


def _kept(folder: Path) -> list[tuple[str, int, str]]:
    return [line for number in PARTITIONS for line in taken(folder / f"{number}")]


def _offsets(folder: Path) -> Iterator[list[int]]:
    for number in PARTITIONS:
        rows = taken(folder / f"{number}")
        for topic in {topic for topic, _, _ in rows}:
            yield [offset for at, offset, _ in rows if at == topic]


async def test_a_worker_makes_its_topics_and_ends_in_good_order(
    kafka: str, unique: str, tmp_path: Path
) -> None:
    environment = _environment(kafka, unique, SLOW_S="0.3")
    async with _worker(tmp_path, environment) as process:
        await until(lambda: all((tmp_path / f"{number}").exists() for number in PARTITIONS))
        await produce(kafka, f"events-{unique}", map(str, range(2000)), PARTITIONS)
        await until(lambda: len(_kept(tmp_path)) > 100)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, log = await _ended(process, 10)
    assert code == 0, log
    assert time.monotonic() - began < 5
    assert "Traceback" not in log
    assert "given up" not in log
    # What it had taken is published, no more and no less.
    publisher = KafkaPublisher(KafkaConnection((kafka,)))
    ends = await publisher.ends([(f"out-{unique}", number) for number in PARTITIONS])
    assert sum(ends.values()) == len(_kept(tmp_path))
    # The next one need not wait for this one's session to run out.
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        assert admin.describe_groups([unique])[unique]["members"] == []
    async with _worker(tmp_path, environment | {"SLOW_S": "0"}) as process:
        await until(lambda: len(_kept(tmp_path)) == 2000, 30)


@pytest.mark.timeout(180)
async def test_a_worker_that_is_killed_again_and_again_loses_and_repeats_nothing(
    kafka: str, unique: str, tmp_path: Path
) -> None:
    environment, chance = _environment(kafka, unique, SLOW_S="0.02"), random.Random(7)
    for kills in range(4):
        async with _worker(tmp_path, environment) as process:
            before = len(_kept(tmp_path))
            await until((tmp_path / "3").exists)
            await produce(kafka, f"events-{unique}", map(str, range(1000)), PARTITIONS)
            await produce(kafka, f"events-{unique}-by-contact", map(str, range(500)), PARTITIONS)
            if kills < 3:
                await until(lambda: len(_kept(tmp_path)) > before + chance.randrange(1000), 40)  # noqa: B023
                process.kill()
            else:
                await until(lambda: len(_kept(tmp_path)) >= 6000, 60)
    assert len(_kept(tmp_path)) == 6000
    for offsets in _offsets(tmp_path):
        assert offsets == list(range(len(offsets)))


async def test_a_worker_without_a_broker_waits_visibly_and_then_ends_with_one_line(
    unique: str, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    async with _worker(tmp_path, _environment(address, unique, PATIENCE_S="2")) as process:
        code, log = await _ended(process, 20)
    assert code == 1
    assert f"no Kafka broker answers ({address}: " in log
    assert "waiting, for" in log
    assert log.splitlines()[-1].startswith("error: no Kafka broker answers")
    assert len(log.splitlines()) < 8
    assert "Traceback" not in log


async def test_a_worker_waits_for_a_broker_that_comes_late(unique: str, tmp_path: Path) -> None:
    with own_kafka(tmp_path / "kafka") as server:
        server.kill()
        folder = tmp_path / "state"
        folder.mkdir()
        async with _worker(folder, _environment(server.bootstrap, unique)) as process:
            await asyncio.sleep(3)
            await asyncio.to_thread(server.start)
            await until((folder / "3").exists, 30)
            process.send_signal(signal.SIGTERM)
            code, log = await _ended(process, 10)
    assert code == 0, log


@pytest.mark.timeout(180)
async def test_a_worker_goes_on_after_its_broker_was_away(unique: str, tmp_path: Path) -> None:
    with own_kafka(tmp_path / "kafka") as server:
        folder = tmp_path / "state"
        folder.mkdir()
        async with _worker(folder, _environment(server.bootstrap, unique, SLOW_S="0.2")) as process:
            await until((folder / "3").exists)
            await produce(server.bootstrap, f"events-{unique}", map(str, range(20_000)), PARTITIONS)
            await until(lambda: len(_kept(folder)) > 100)
            server.kill()
            await asyncio.sleep(8)
            await asyncio.to_thread(server.start)
            await produce(server.bootstrap, f"events-{unique}", map(str, range(1000)), PARTITIONS)
            await until(lambda: len(_kept(folder)) >= 21_000, 60)
            process.send_signal(signal.SIGTERM)
            code, log = await _ended(process, 10)
    assert code == 0, log
    assert len(_kept(folder)) == 21_000
    for offsets in _offsets(folder):
        assert offsets == list(range(len(offsets)))
    # The libraries' own words, many a second, are not in the log more than now and then.
    assert len(log.splitlines()) < 150, log
