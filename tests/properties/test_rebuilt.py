"""State made anew from the log and from what was published, wherever that was broken off."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from hypothesis import assume, given
from hypothesis import strategies as st

from rules.catalog import Catalog
from streams.rebuild.lane import Arrived, RebuildLane
from streams.registry import bring_into_force
from streams.store.memory import MemoryStore
from tests.driven_lane import (
    PARTITION,
    TOPICS,
    DrivenLane,
    KafkaRecord,
    KeptTopics,
    kafka_records,
    transition_of,
)
from tests.properties import engine, histories, layered
from tests.reference import Expected, judge
from tests.reference.records import read

PLACE, DEAD_PLACE = (TOPICS.transitions, PARTITION), (TOPICS.dead_letters, PARTITION)


class RebuiltLane(DrivenLane):
    """A lane whose state can be lost and made anew."""

    async def rebuild(
        self, catalog: Catalog, store: MemoryStore, records: Sequence[KafkaRecord], size: int
    ) -> None:
        """As ``streams.rebuild.run`` does for a partition."""
        self.use(catalog, store)
        key_of = {each.number: key for key, each in (await store.enrolled("segments")).items()}
        lane = RebuildLane(PARTITION, self.deployment, self._arrived())
        await lane.start()
        published = [transition_of(output.value) for output in self.topics.records.get(PLACE, [])]
        missing = {each.segment for each in published} - set(key_of.values())
        for key, each in (await store.enrol("segments", sorted(missing), 0, keep_others=True)).items():
            key_of[each.number] = key
        number_of = {key: number for number, key in key_of.items()}
        await lane.hear((e.contact, number_of[e.segment], e.sequence, e.at_ms) for e in published)
        for begin in range(0, len(records), size):
            await lane.handle({TOPICS.events: records[begin : begin + size]})
            while await lane.tick(None):
                pass
        if published:
            await lane.reach(max(each.at_ms + (each.reason == "time") for each in published))
        await lane.settle(key_of, {}, {})
        self.restart()

    def _arrived(self) -> Arrived:
        buried = self.topics.records.get(DEAD_PLACE, [])
        offsets = [int(dict(output.headers)["source_offset"] or b"") for output in buried]
        return Arrived(buried={TOPICS.events: max(offsets, default=-1) + 1})


async def _store_of(catalog: layered.Catalog) -> tuple[MemoryStore, Catalog]:
    store = MemoryStore()
    return store, (await bring_into_force(engine.definitions_of(*catalog), store, 0)).catalog


async def _driven(
    before: layered.Catalog,
    after: layered.Catalog,
    sent: Sequence[KafkaRecord],
    lost_at: int,
    left: float,
    size: int,
    *,
    waits: bool,
) -> KeptTopics:
    """Takes some, loses the state and a part of what was not yet published, makes it anew, and takes the rest."""
    topics = KeptTopics()
    store, catalog = await _store_of(before)
    lane = RebuiltLane(catalog, store, topics=topics, chunk=size)
    for begin in range(0, lost_at, size):
        await lane.handle(sent[begin : min(begin + size, lost_at)])
        await lane.lane.tick(None)
    end_ms = lane.lane.clock_ms if waits else None
    if waits:
        await lane.finish()
    for place, kept in topics.records.items():
        topics.records[place] = kept[: round(left * len(kept))]
    store, catalog = await _store_of(after)
    await lane.rebuild(catalog, store, sent[:lost_at], size)
    for begin in range(lost_at, len(sent), size):
        await lane.handle(sent[begin : begin + size])
        await lane.lane.tick(None)
    await lane.finish(end_ms)  # not one millisecond further than before
    return topics


lefts = st.sampled_from((1.0, 1.0, 0.9, 0.5, 0.0))
sizes = st.sampled_from((1, 3, 500))


@given(st.data(), layered.either, histories.records(), lefts, sizes)
def test_what_was_published_is_gone_on_from_and_what_was_not_comes_once(
    data: st.DataObject, catalog: layered.Catalog, records: list[histories.Record], left: float, size: int
) -> None:
    segments, groups = engine.accepted_together(*catalog)
    assume(segments)
    lost_at = data.draw(st.integers(0, len(records)), label="lost at")
    waits = lost_at == len(records)
    edition = (segments, groups)
    topics = asyncio.run(_driven(edition, edition, kafka_records(records), lost_at, left, size, waits=waits))
    assert topics.transitions() == engine.replayed(segments, records, None, groups).transitions
    assert topics.dead_letters() == [reason for reason in map(read, records) if isinstance(reason, str)]


editions = layered.catalogs(policies=st.just({}))


@given(st.data(), editions, editions, histories.records(), sizes, st.booleans())
def test_by_other_definitions_consumers_are_brought_to_the_members_of_these(
    data: st.DataObject,
    first: layered.Catalog,
    second: layered.Catalog,
    records: list[histories.Record],
    size: int,
    waits: bool,
) -> None:
    before, after = engine.accepted_together(*first), engine.accepted_together(*second)
    assume(before[0] and after[0])
    lost_at = data.draw(st.integers(0, len(records)), label="lost at")
    waits = waits and lost_at == len(records)
    topics = asyncio.run(_driven(before, after, kafka_records(records), lost_at, 1.0, size, waits=waits))
    came = topics.transitions()
    assert _members(came) == _members(judge(after[0], records, None, after[1]).transitions)
    for moves in came.values():
        assert [move.at_ms for move in moves] == sorted(move.at_ms for move in moves)
        counts: dict[str, int] = defaultdict(int)
        for move in moves:
            counts[move.segment] += 1
            assert move.sequence == counts[move.segment]
            assert move.entered == (move.sequence % 2 == 1)


def _members(transitions: dict[str, list[Expected]]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = defaultdict(set)
    for moves in transitions.values():
        for move in moves:
            (members[move.contact].add if move.entered else members[move.contact].discard)(move.segment)
    return {contact: found for contact, found in members.items() if found}
