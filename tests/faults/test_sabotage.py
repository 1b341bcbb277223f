"""The comparison finds what happens where a guarantee is broken on purpose."""

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from tests.faults import sabotage
from tests.faults.comparison import Verdict
from tests.faults.faults import FAULTS
from tests.faults.run import Plan, performance, verdict
from tests.faults.stage import Servers
from tests.integration.installation import Installation
from tests.servers import unique_name

PAUSED = "worker paused past its session in a batch, then all killed"
UNPUBLISHED = "worker killed when it has committed and cannot publish"
KILLED = "all workers killed"

pytestmark = pytest.mark.integration


@pytest.mark.timeout(180)
async def test_a_broken_fence_outbox_or_offset_is_found(fault_servers: Servers, tmp_path: Path) -> None:
    """Three installations at once, each with workers of its own, and each with another guarantee off."""
    servers = fault_servers
    fence, outbox, offsets = await asyncio.gather(
        _broken(servers, slice(0, 2), 2, sabotage.fence_off, PAUSED, tmp_path),
        _broken(servers, slice(2, 3), 1, sabotage.outbox_off, UNPUBLISHED, tmp_path),
        _broken(servers, slice(3, 4), 1, sabotage.offsets_in_kafka_only, KILLED, tmp_path),
    )
    for found in (fence, outbox, offsets):
        print(found)
    assert fence.wrong + fence.lost > 0
    assert outbox.lost > 0
    assert offsets.wrong > 0


async def _broken(
    servers: Servers, links: slice, workers: int, first: Callable[[], None], fault: str, folder: Path
) -> Verdict:
    name = unique_name(first.__name__)
    own = folder / name
    own.mkdir()
    plan = Plan(seed=5, workers=workers, first=first)
    seats = dataclasses.replace(servers, links=servers.links[links])
    async with performance(seats, name, plan, own) as (stage, flow):
        await asyncio.sleep(4)
        await _until_ahead(stage.installation)
        await FAULTS[fault].act(stage)
        await asyncio.sleep(1)
        return await verdict(stage, flow, drained_within_s=30)


async def _until_ahead(installation: Installation) -> None:
    """Returns when a hundred events are part of the state that the group has not been told of."""
    with KafkaAdminClient(bootstrap_servers=installation.kafka) as admin:
        while True:
            told = (await asyncio.to_thread(admin.list_group_offsets, installation.name))[installation.name]
            known = sum(max(place.offset, 0) for place in told.values())
            if installation.taken() > known + 100:
                return
            await asyncio.sleep(0.1)
