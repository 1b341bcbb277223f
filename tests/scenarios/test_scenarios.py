"""Every scenario, at the depths that need no server."""

import asyncio

import pytest

from streams.store.memory import MemoryStore
from tests.driven_lane import DrivenLane, kafka_records
from tests.properties.engine import catalog_of, replayed
from tests.reference import judge
from tests.scenarios.scenario import Scenario, scenarios

each_scenario = pytest.mark.parametrize("scenario", scenarios(), ids=str)


@each_scenario
def test_the_reference_reads_the_contract_alike(scenario: Scenario) -> None:
    judged = judge(scenario.segments, scenario.records, scenario.until_ms, scenario.groups)
    assert judged.transitions == scenario.expected
    assert [reason for _, reason in judged.dead_letters] == scenario.dead_letters


@each_scenario
def test_rules_alone(scenario: Scenario) -> None:
    judged = replayed(scenario.segments, scenario.records, scenario.until_ms, scenario.groups)
    assert judged.transitions == scenario.expected
    assert [reason for _, reason in judged.dead_letters] == scenario.dead_letters


@pytest.mark.parametrize("size", [1, 1000])
@each_scenario
def test_the_pipeline_with_a_memory_store(scenario: Scenario, size: int) -> None:
    lane = DrivenLane(catalog_of(scenario.segments, scenario.groups), MemoryStore())

    async def drive() -> None:
        records = kafka_records(scenario.records)
        for begin in range(0, len(records), size):
            await lane.handle(records[begin : begin + size])
            await lane.pass_wakes()
        await lane.finish(scenario.end_ms)

    asyncio.run(drive())
    assert lane.topics.transitions() == scenario.expected
    assert lane.topics.dead_letters() == scenario.dead_letters
