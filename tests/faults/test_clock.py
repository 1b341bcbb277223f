"""Where the wall clock moves a partition's clock, it does not pass what is still on its way to the worker."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.run import Plan, performance, verdict
from tests.faults.stage import Servers
from tests.servers import unique_name

pytestmark = pytest.mark.integration


@pytest.mark.timeout(120)
async def test_records_that_a_link_holds_up_are_not_late(fault_servers: Servers, tmp_path: Path) -> None:
    """What the broker said last, that there is no more, is true of the moment at which it was asked, and is soon no
    longer so."""
    plan = Plan(seed=1, workers=1, rate=100)
    async with performance(fault_servers, unique_name("held-up"), plan, tmp_path) as (stage, flow):
        await asyncio.sleep(2)
        for _ in range(3):
            stage.seats[0].kafka.swallow()
            await asyncio.sleep(1.7)
            stage.seats[0].kafka.heal()
            await asyncio.sleep(1)
        found = await verdict(stage, flow)
    print(found)
    assert found.transitions > 500
    assert found.holds
