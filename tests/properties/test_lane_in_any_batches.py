"""The pipeline gives what replay gives, however the log is cut into batches and wherever the worker dies."""

import asyncio
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from streams.store.memory import MemoryStore
from tests.driven_lane import DrivenLane, kafka_records
from tests.properties import engine, histories, layered
from tests.reference.records import read


@st.composite
def _cuts(draw: st.DrawFn) -> list[tuple[int, str]]:
    """Sizes of batches, and what happens after each."""
    happens = st.sampled_from(("nothing", "nothing", "wakes", "one chunk of wakes", "restart", "batch again"))
    return draw(st.lists(st.tuples(st.integers(1, 5), happens), min_size=14, max_size=14))


async def _driven(lane: DrivenLane, records: list[Any], cuts: list[tuple[int, str]]) -> None:
    left = kafka_records(records)
    for size, then in cuts:
        batch, left = left[:size], left[size:]
        if not batch:
            break
        await lane.handle(batch)
        if then == "wakes":
            await lane.pass_wakes()
        elif then == "one chunk of wakes":
            await lane.lane.tick(None)
        elif then == "restart":
            lane.restart()
        elif then == "batch again":
            await lane.handle(batch)
    assert not left
    await lane.finish()


@given(
    layered.either,
    histories.records(),
    _cuts(),
    st.sampled_from((1, 2, 1000)),
    st.sampled_from((1, 500)),
    st.sampled_from((1, 2, 2000)),
    st.sampled_from((1, 2, 50)),
)
def test_batches_restarts_and_small_caches_change_nothing(
    catalog: layered.Catalog,
    records: list[histories.Record],
    cuts: list[tuple[int, str]],
    cached: int,
    chunk: int,
    most: int,
    at_once: int,
) -> None:
    segments, groups = engine.accepted_together(*catalog)
    assume(segments)
    lane = DrivenLane(
        engine.catalog_of(segments, groups),
        MemoryStore(),
        cached_contacts=cached,
        chunk=chunk,
        most_transitions=most,
        at_once=at_once,
    )
    asyncio.run(_driven(lane, records, cuts))
    assert lane.topics.transitions() == engine.replayed(segments, records, None, groups).transitions
    assert lane.topics.dead_letters() == [reason for reason in map(read, records) if isinstance(reason, str)]
