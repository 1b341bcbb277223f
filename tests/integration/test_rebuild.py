"""State made anew from Kafka, after Redis was lost for good."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import redis

from streams.intake import home
from tests.integration.conftest import Install
from tests.integration.history import Sent, history
from tests.integration.installation import SEGMENTS, Installation, WorkerProcess, assert_came_true, outcome

EVENTS = 6000


def _start(installation: Installation, worker: WorkerProcess, *arguments: str) -> subprocess.Popen[bytes]:
    """`segments rebuild` with the settings of a worker."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "rebuild", *arguments],
        env=kept | worker.environment,
        cwd=installation.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def _rebuild(installation: Installation, worker: WorkerProcess) -> dict[str, Any]:
    """Waits until the group has missed workers that were killed, and rebuilds."""
    until = time.monotonic() + 30
    while True:
        process = _start(installation, worker, "--yes", "--json")
        out, err = await asyncio.to_thread(process.communicate, None, 60)
        if b"in the group" not in err or time.monotonic() > until:
            break
        assert process.returncode == 1
        await asyncio.sleep(1)
    assert process.returncode == 0, err.decode()
    found: dict[str, Any] = json.loads(out)
    return found


def _lose_redis(installation: Installation) -> None:
    with redis.Redis.from_url(installation.redis_url) as client:
        client.flushdb()


async def _kill_at_work(installation: Installation, worker: WorkerProcess, sent: list[Sent]) -> bool:
    """Kills a worker somewhere in what it is given; whether outputs were left unpublished."""
    before = installation.taken()
    producing = asyncio.create_task(installation.produce(sent, pause_s=0.02, at_once=50))
    await installation.until_taken(before + len(sent) // 2)
    worker.kill()
    left = bool(await installation.unpublished())
    await producing
    return left


@pytest.mark.timeout(180)
async def test_a_lost_redis_is_made_anew_and_nothing_is_lost_or_repeated(install: Install) -> None:
    installation = install()
    sent = history(11, EVENTS, installation.partitions)
    usual, last = sent[: -installation.partitions], sent[-installation.partitions :]
    third = len(usual) // 3
    worker = installation.worker()
    worker.start()
    await _kill_at_work(installation, worker, usual[:third])
    worker.start()
    left = await _kill_at_work(installation, worker, usual[third : 2 * third])
    _lose_redis(installation)
    done = await _rebuild(installation, worker)
    print(done, "outputs were on their way" if left else "")
    assert done["heard"] > 100
    assert done["published"] > 0, "half of the second part was never taken"
    assert done["corrected"] == 0
    assert done["gaps"] == []
    assert done["events"] >= 2 * third
    worker.start()
    await installation.produce(usual[2 * third :] + last)
    await installation.drained()
    worker.stop()
    await assert_came_true(installation, outcome(sent))
