"""A short run of the main faults. `make faults` runs all of them, for longer."""

import os
import random
from pathlib import Path

import pytest

from tests.faults.faults import FAULTS
from tests.faults.report import report
from tests.faults.run import Plan, run
from tests.faults.schedule import each_once
from tests.faults.stage import Servers
from tests.servers import unique_name

SEED = int(os.environ.get("TEST_SEED", "0")) or random.randrange(1, 1_000_000)
MAIN = [
    "worker killed, back under its name",
    "worker killed when it has committed and cannot publish",
    "worker paused past its session in a batch, then all killed",
    "worker asked to end, and replaced",
    "link to Kafka cut",
    "link to Redis half open",
    "answers of Redis lost",
    "broker killed and started again",
    "Redis killed and started again",
    "Redis put back to an older copy",
    "disk of Redis full",
]

pytestmark = pytest.mark.integration


@pytest.mark.timeout(300)  # 100 s where nothing else runs
async def test_nothing_is_lost_and_nothing_comes_twice(fault_servers: Servers, tmp_path: Path) -> None:
    print(f"TEST_SEED={SEED} runs this again")
    plan = Plan(SEED, workers=2)
    names = [name for name in MAIN if name in FAULTS]
    outcome = await run(fault_servers, unique_name("faults"), plan, tmp_path, each_once(SEED, names))
    print(report(outcome, f"TEST_SEED={SEED}"))
    assert set(outcome.survived) == set(names)
    assert outcome.verdict.transitions > 1000
    assert outcome.holds
