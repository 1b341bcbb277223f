"""A worker that dies at any step of its work publishes every transition once, in order."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from streams.outbox import Output, Place
from streams.store import Commit, CommitResult
from streams.store.memory import MemoryStore
from tests.driven_lane import DrivenLane, KeptTopics, kafka_records
from tests.properties import engine, histories, layered
from tests.reference.records import read


class Killed(Exception):
    """The process is gone."""


@dataclass
class Fate:
    """What happens at each dangerous step: nothing, or death before it, in its middle, or after it."""

    steps: list[str]

    def next(self) -> str:
        return self.steps.pop(0) if self.steps else "nothing"


class DyingStore(MemoryStore):
    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self.fate = fate

    async def commit(self, commit: Commit) -> CommitResult:
        happens = self.fate.next()
        if happens in {"before", "half"}:
            raise Killed
        result = await super().commit(commit)
        if happens == "after":
            raise Killed
        return result


class DyingTopics(KeptTopics):
    fate = Fate([])

    async def publish(self, outputs: Sequence[Output]) -> Mapping[Place, int]:
        happens = self.fate.next()
        arrived = {"before": 0, "half": (len(outputs) + 1) // 2}.get(happens, len(outputs))
        ends = await super().publish(outputs[:arrived])
        if happens != "nothing":
            raise Killed
        return ends


async def _until_done(lane: DrivenLane, attempt: Callable[[], Awaitable[Any]], *, same_process: bool) -> None:
    while True:
        try:
            await attempt()
            return
        except Killed:
            if not same_process:
                lane.restart()


async def _driven(lane: DrivenLane, records: list[Any], size: int, *, same_process: bool) -> None:
    sent = kafka_records(records)
    for begin in range(0, len(sent), size):
        batch = sent[begin : begin + size]
        await _until_done(lane, lambda batch=batch: lane.handle(batch), same_process=same_process)  # type: ignore[misc]
        await _until_done(lane, lane.pass_wakes, same_process=same_process)
    await _until_done(lane, lambda: lane.lane.start(), same_process=same_process)  # noqa: PLW0108 - a restart makes another lane
    # A second attempt would take the moment from a clock that the first has moved.
    end_ms = lane.lane.clock_ms
    await _until_done(lane, lambda: lane.finish(end_ms), same_process=same_process)


fates = st.lists(st.sampled_from(("nothing", "nothing", "before", "half", "after")), max_size=25)


@given(layered.either, histories.records(), fates, st.integers(1, 6), st.booleans())
def test_a_death_at_any_step_loses_nothing_and_repeats_nothing(
    catalog: layered.Catalog, records: list[histories.Record], steps: list[str], size: int, same_process: bool
) -> None:
    segments, groups = engine.accepted_together(*catalog)
    assume(segments)
    fate = Fate(steps)
    topics = DyingTopics()
    topics.fate = fate
    lane = DrivenLane(engine.catalog_of(segments, groups), DyingStore(fate), topics=topics, chunk=2)
    asyncio.run(_driven(lane, records, size, same_process=same_process))
    assert topics.transitions() == engine.replayed(segments, records, None, groups).transitions
    assert topics.dead_letters() == [reason for reason in map(read, records) if isinstance(reason, str)]
