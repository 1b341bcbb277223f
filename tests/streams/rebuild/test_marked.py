"""A partition whose state is being made anew is nobody's."""

import pytest

from streams.admission import REBUILD_FIELD
from streams.errors import PartitionStopped
from streams.rebuild.lane import RebuildLane
from streams.registry import bring_into_force
from streams.store.memory import MemoryStore
from tests.driven_lane import PARTITION, TOPICS, DrivenLane
from tests.properties.engine import definitions_of


@pytest.fixture
async def lane() -> DrivenLane:
    store = MemoryStore()
    in_force = await bring_into_force(definitions_of([{"key": "s", "when": {"did": "E"}}]), store, 0)
    return DrivenLane(in_force.catalog, store)


async def test_a_worker_refuses_it_and_does_not_disturb_who_makes_it(lane: DrivenLane) -> None:
    await lane.store.forget(PARTITION, [], {REBUILD_FIELD: b"1"})
    before = await lane.store.peek(PARTITION)
    with pytest.raises(PartitionStopped, match="its state is being rebuilt"):
        await lane.lane.start()
    assert await lane.store.peek(PARTITION) == before


async def test_a_worker_takes_it_when_it_is_settled(lane: DrivenLane) -> None:
    await lane.store.forget(PARTITION, [], {REBUILD_FIELD: b"1"})
    await RebuildLane(PARTITION, lane.deployment).settle({}, {}, {TOPICS.events: 7})
    assert await lane.lane.start() == {TOPICS.events: 7}
