"""A worker that is killed again and again."""

import asyncio
import os
import random
import time

import pytest

from tests.integration.conftest import Install
from tests.integration.history import history
from tests.integration.installation import Installation, WorkerProcess, assert_came_true, outcome

KILLS = 10
EVENTS = 20_000
SEED = int(os.environ.get("TEST_SEED", "0")) or random.randrange(1, 1_000_000)


@pytest.mark.timeout(240)  # half a minute where nothing else runs
async def test_ten_kills_during_20_000_events_lose_nothing_and_repeat_nothing(install: Install) -> None:
    print(f"TEST_SEED={SEED} runs this again")
    chance = random.Random(SEED)
    installation = install()
    sent = history(SEED, EVENTS, installation.partitions)
    # The last records move every clock on: they come when the killing is over.
    usual, last = sent[: -installation.partitions], sent[-installation.partitions :]
    worker = installation.worker(instance="the-one")
    worker.start()
    hurry = asyncio.Event()
    producing = asyncio.create_task(installation.produce(usual, pause_s=0.004, at_once=3, hurry=hurry))
    at_work = 0
    for _ in range(KILLS):
        began, before = time.monotonic(), installation.taken()
        await installation.until_taken(before)
        back_s = time.monotonic() - began
        # Into what has gathered meanwhile, and rarely beyond.
        await installation.until_taken(before + chance.randrange(500))
        waiting, unpublished = await _kill(installation, worker)
        at_work += waiting > 0 or unpublished > 0
        print(
            f"back after {back_s:.1f} s; killed: {waiting} records waited, {unpublished} outputs on their way"
        )
        worker.start()
    assert not producing.done(), "the events ended before the kills"
    hurry.set()
    await producing
    await installation.produce(last)
    await installation.drained()
    worker.stop()
    await assert_came_true(installation, outcome(sent))
    assert at_work > KILLS / 2, "most kills must hit work in progress"


async def _kill(installation: Installation, worker: WorkerProcess) -> tuple[int, int]:
    """Kills, and tells what was not yet done: records not part of the state, outputs committed and not published."""
    ends = await installation.ends(installation.topics.events)
    worker.kill()
    stored = installation.stored_offsets()[installation.topics.events]
    return sum(ends.values()) - sum(stored.values()), len(await installation.unpublished())
