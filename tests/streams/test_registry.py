"""What is known of definitions that were in force before."""

from typing import Any

from rules.definitions import Definitions
from rules.segment import Segment
from streams.registry import InForce, bring_into_force
from streams.store.memory import MemoryStore


async def _in_force(store: MemoryStore, at_ms: int, *definitions: dict[str, Any]) -> InForce:
    return await bring_into_force(
        Definitions(tuple(Segment.model_validate(each) for each in definitions)), store, at_ms
    )


def _since(in_force: InForce) -> list[int]:
    leaves = [leaf for program in in_force.catalog.programs for leaf in program.leaves]
    return [in_force.counted_since_ms[leaf.memory] for leaf in leaves if leaf.memory is not None]


def _clicks(key: str, number: int) -> dict[str, Any]:
    return {"key": key, "when": {"did": "Email Clicked", "within": "7d", "at_least": number}}


async def test_a_count_that_is_raised_is_known_from_then_on_and_a_lowered_one_as_before() -> None:
    store = MemoryStore()
    assert _since(await _in_force(store, 10, _clicks("a", 3))) == [10]
    assert _since(await _in_force(store, 20, _clicks("a", 2))) == [10]
    assert _since(await _in_force(store, 30, _clicks("a", 5), _clicks("b", 2))) == [30, 10]
    assert _since(await _in_force(store, 40, _clicks("a", 5))) == [30]


async def test_a_number_stays_with_its_feature_while_segments_come_and_go() -> None:
    store = MemoryStore()
    first = await _in_force(store, 10, _clicks("a", 3))
    second = await _in_force(store, 20, {"key": "c", "when": {"trait": "plan", "is": "pro"}}, _clicks("z", 3))
    kept = first.catalog.feature_numbers & second.catalog.feature_numbers
    assert kept == first.catalog.feature_numbers
