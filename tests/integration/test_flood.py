"""A producer that goes mad: its partition stops, the others go on, and it goes on when an operator says so."""

import asyncio
import json
import time
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from streams.intake import home
from streams.local.ports import HOST, free_ports
from tests.integration.conftest import Install
from tests.integration.installation import Installation
from tests.streams.cli.running import segments

BAD = 2500
MAD = 2
"""The producer's partition."""


def ask(port: int, path: str) -> tuple[int, str]:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except ConnectionError:
        return 0, ""
    finally:
        connection.close()


async def until_standing(port: int) -> dict[str, Any]:
    """What /ready says of the one partition that stands still."""
    until = time.monotonic() + 30
    while True:
        status, said = await asyncio.to_thread(ask, port, "/ready")
        problems = json.loads(said)["problems"] if status == 503 else []
        if [problem.get("partition") for problem in problems] == [MAD] and "SEGMENTS_FLOOD" in problems[0][
            "why"
        ]:
            found: dict[str, Any] = problems[0]
            return found
        assert time.monotonic() < until, (status, said)
        await asyncio.sleep(0.1)


async def until_ready(port: int) -> None:
    """Returns when /ready has nothing to say: it knows of a partition what the last report said, a second ago or so."""
    until = time.monotonic() + 30
    while True:
        status, said = await asyncio.to_thread(ask, port, "/ready")
        if status == 200:
            return
        assert time.monotonic() < until, (status, said)
        await asyncio.sleep(0.1)


async def put(installation: Installation, partition: int, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=installation.kafka, linger_ms=5) as producer:
        waiting = [
            await producer.send(installation.topics.events, value, partition=partition) for value in values
        ]
        await asyncio.gather(*waiting)


def orders(partition: int, count: int) -> list[bytes]:
    contact = next(f"c{n}" for n in range(100) if home(f"c{n}", 4) == partition)
    return [json.dumps({"type": "track", "userId": contact, "event": "Order Completed"}).encode()] * count


@pytest.mark.timeout(180)
async def test_a_flood_stops_its_partition_alone_until_an_operator_says_so(
    install: Install, tmp_path: Path
) -> None:
    installation = install()
    [port] = free_ports(1)
    worker = installation.worker(metrics_port=str(port), instance="one")
    worker.start()
    await put(installation, MAD, *[b"\x1b[31m{mad"] * BAD)
    said = await until_standing(port)
    assert "more than SEGMENTS_FLOOD_SHARE=0.5 of them, and so would" in said["why"]
    buried = len(await installation.read(installation.topics.dead_letters))
    assert 500 < buried <= 1500
    assert installation.stored_offsets()[installation.topics.events] == {MAD: buried}

    # A worker that is killed and started again is where it was.
    worker.kill()
    worker.start()
    await until_standing(port)
    for partition in range(4):
        await put(installation, partition, *orders(partition, 20))
    until = time.monotonic() + 30
    while installation.taken() < buried + 3 * 20:
        assert time.monotonic() < until, worker.said()
        await asyncio.sleep(0.1)
    assert installation.stored_offsets()[installation.topics.events][MAD] == buried
    metrics = (await asyncio.to_thread(ask, port, "/metrics"))[1]
    assert f'segments_flood_stopped{{partition="{MAD}"}} 1.0' in metrics
    assert (await asyncio.to_thread(ask, port, "/live"))[0] == 200

    settings = {name.removeprefix("SEGMENTS_"): value for name, value in worker.environment.items()}
    resumed = await asyncio.to_thread(
        lambda: segments("resume", "--partition", str(MAD), cwd=tmp_path, stdin=None, **settings)
    )
    assert (
        resumed.stdout.decode()
        == f"partition {MAD}: {BAD + 20 - buried:,} records may be taken, or be dead letters\n"
    )
    await installation.drained()
    dead = await installation.read(installation.topics.dead_letters)
    assert Counter(record.partition for record in dead) == {MAD: BAD}
    assert {dict(record.headers)["source_offset"] for record in dead} == {b"%d" % n for n in range(BAD)}
    await until_ready(port)
    worker.stop()
    assert "\x1b" not in worker.said()
