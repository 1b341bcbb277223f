"""Definitions that change between two starts, as far as what they ask for was remembered before."""

import asyncio
from collections import defaultdict
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from streams.registry import bring_into_force
from streams.store.memory import MemoryStore
from tests.driven_lane import DrivenLane, kafka_records
from tests.properties import definitions, engine, histories, layered
from tests.reference import Expected, judge


def _members(transitions: dict[str, list[Expected]]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = defaultdict(set)
    for moves in transitions.values():
        for move in moves:
            (members[move.contact].add if move.entered else members[move.contact].discard)(move.segment)
    return {contact: found for contact, found in members.items() if found}


@st.composite
def _two_editions(draw: st.DrawFn) -> tuple[layered.Catalog, layered.Catalog]:
    """Segments of one leaf each beside some that are composed of these, name each other and are in groups; and then
    others that are composed of the same leaves. No policies: these go by what was before."""
    leaves = draw(st.lists(definitions.leaves, min_size=1, max_size=4))
    # A sample without a seed is of its segment, and so another one in another segment.
    seeded = [{**leaf, "seed": "s"} if "sample" in leaf else leaf for leaf in leaves]
    plain = engine.accepted([{"key": f"leaf{number}", "when": leaf} for number, leaf in enumerate(seeded)])
    assume(plain)
    known = st.sampled_from([segment["when"] for segment in plain])
    editions = layered.catalogs(leaves=known, policies=st.just({}))
    before, groups = engine.accepted_together(*draw(editions))
    after = engine.accepted_together(*draw(editions))
    assume(after[0])
    return ([*plain, *before], groups), after


async def _driven(
    before: layered.Catalog, after: layered.Catalog, records: list[Any], change_at: int, size: int, most: int
) -> dict[str, list[Expected]]:
    store = MemoryStore()

    async def in_force(catalog: layered.Catalog) -> DrivenLane:
        found = await bring_into_force(engine.definitions_of(*catalog), store, 0)
        lane.restart(found.catalog)
        return lane

    sent = kafka_records(records)
    lane = DrivenLane(engine.catalog_of(*before), store, chunk=size, most_transitions=most)
    await in_force(before)
    for begin in range(0, change_at, size):
        await lane.handle(sent[begin : min(begin + size, change_at)])
    await in_force(after)
    await lane.lane.start()
    for begin in range(change_at, len(sent), size):
        await lane.handle(sent[begin : begin + size])
        await lane.lane.tick(None)
    await lane.finish()
    return lane.topics.transitions()


@given(
    st.data(),
    _two_editions(),
    histories.records(),
    st.sampled_from((1, 3, 500)),
    st.sampled_from((1, 4, 2000)),
)
def test_members_are_in_the_end_those_of_the_new_definitions(
    data: st.DataObject,
    editions: tuple[layered.Catalog, layered.Catalog],
    records: list[histories.Record],
    size: int,
    most: int,
) -> None:
    before, after = editions
    change_at = data.draw(st.integers(0, len(records)), label="change at")
    came = asyncio.run(_driven(before, after, records, change_at, size, most))
    assert _members(came) == _members(judge(after[0], records, None, after[1]).transitions)
    for moves in came.values():
        assert [move.at_ms for move in moves] == sorted(move.at_ms for move in moves)
        counts: dict[str, int] = defaultdict(int)
        for move in moves:
            counts[move.segment] += 1
            assert move.sequence == counts[move.segment]
            assert move.entered == (move.sequence % 2 == 1)
            assert move.cause is None or move.reason == "event"
