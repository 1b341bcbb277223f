"""What is said of a contact, from what a store holds of it."""

import json
from typing import Any

import pytest

from rules.contact import Contact
from rules.definitions import Definitions
from rules.segment import Segment
from rules.step import Step
from streams.admission import REBUILD_FIELD
from streams.explain import Explainer, NotFound
from streams.intake import home
from streams.records import encode_record
from streams.redefinition import META_FIELD, next_epoch
from streams.registry import bring_into_force
from streams.store import Commit
from streams.store.memory import MemoryStore
from streams.wire import Rejected, decode_line

PARTITIONS = 4
T0 = 1_767_225_600_000
HOUR = 3_600_000


def segment(key: str, when: dict[str, Any]) -> Segment:
    return Segment.model_validate({"key": key, "when": when})


BUYERS = segment("buyers", {"did": "Order", "within": "1h"})
QUIET = segment("quiet", {"all": [{"did": "Order"}, {"did_not": "Order", "within": "2h"}]})
VIEWERS = segment("viewers", {"did": "View", "at_least": 2})


class World:
    """A store as workers leave it behind."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    async def started(self, *segments: Segment, at_ms: int) -> None:
        await self.store.open(PARTITIONS)
        self.catalog = (await bring_into_force(Definitions(segments), self.store, at_ms)).catalog
        self.step = Step(self.catalog)

    async def happened(self, contact_id: str, *events: tuple[str, int]) -> None:
        contact = Contact(id=contact_id)
        for name, at_ms in events:
            line = {"type": "track", "event": name, "userId": contact_id, "timestamp": at_ms}
            event = decode_line(json.dumps(line).encode())
            assert not isinstance(event, Rejected)
            self.step.take(contact, event, at_ms, [])
        partition = home(contact_id, PARTITIONS)
        state = await self.store.take(partition)
        record = encode_record(contact, 1)
        epoch = next_epoch(state.meta.get(META_FIELD), self.catalog, state.clock_ms)
        await self.store.commit(
            Commit(
                partition,
                state.fence,
                events[-1][1],
                contacts={contact_id: record},
                meta={META_FIELD: epoch.encode()},
            )
        )

    async def explainer(self, *segments: Segment) -> Explainer:
        explainer = Explainer(Definitions(segments), self.store)
        await explainer.open()
        return explainer


async def test_a_membership_says_since_when_and_when_it_ends_by_itself() -> None:
    world = World()
    await world.started(BUYERS, at_ms=T0)
    await world.happened("u1", ("Order", T0 + 5), ("Order", T0 + 1000))
    view = await (await world.explainer(BUYERS)).contact("u1", None)
    [told] = view.segments
    assert (view.first_seen_ms, view.now_ms, view.as_of_ms) == (T0 + 5, T0 + 1000, T0 + 1000)
    assert (told.member, told.since_ms, told.transitions, told.version) == (True, T0 + 5, 1, 1)
    assert told.changes_ms == T0 + 1000 + HOUR
    assert told.needs == "no Order until Thursday 2026-01-01 01:00:01 UTC"
    assert [(leaf.condition, leaf.holds) for leaf in told.leaves] == [("did Order within 1h", True)]


async def test_a_definition_that_changed_after_the_worker_started_is_not_in_force() -> None:
    world = World()
    await world.started(BUYERS, VIEWERS, at_ms=T0)
    await world.happened("u1", ("Order", T0))
    renamed = VIEWERS.model_copy(update={"name": "Those who view"})
    explainer = await world.explainer(segment("buyers", {"did": "Order", "within": "3h"}), renamed, QUIET)
    view = await explainer.contact("u1", None)
    assert {told.segment: told.version for told in view.segments} == {
        "buyers": None,
        "quiet": None,
        "viewers": 1,
    }


async def test_who_enters_by_time_alone_is_told_when() -> None:
    world = World()
    await world.started(QUIET, at_ms=T0)
    await world.happened("u1", ("Order", T0))
    [told] = (await (await world.explainer(QUIET)).contact("u1", None)).segments
    assert (told.member, told.changes_ms) == (False, T0 + 2 * HOUR)
    assert told.needs == "no Order until Thursday 2026-01-01 02:00 UTC"


async def test_it_is_as_of_the_wall_clock_where_that_moves_the_partitions_and_says_what_no_worker_came_to() -> (
    None
):
    world = World()
    await world.started(BUYERS, at_ms=T0)
    await world.happened("u1", ("Order", T0))
    view = await (await world.explainer(BUYERS)).contact("u1", T0 + 2 * HOUR)
    [told] = view.segments
    assert view.as_of_ms == T0 + 2 * HOUR
    assert (told.member, told.judged_otherwise, told.changes_ms) == (True, True, None)


async def test_a_condition_that_came_after_the_contact_says_since_when_it_counts() -> None:
    world = World()
    await world.started(BUYERS, at_ms=T0)
    await world.started(BUYERS, VIEWERS, at_ms=T0 + 5000)
    await world.happened("u1", ("Order", T0 + 1000), ("View", T0 + 6000))
    await world.happened("u2", ("Order", T0 + 6000))
    explainer = await world.explainer(BUYERS, VIEWERS)
    early = (await explainer.contact("u1", None)).segments
    late = (await explainer.contact("u2", None)).segments
    assert [leaf.counted_since_ms for told in early for leaf in told.leaves] == [None, T0 + 5000]
    assert [leaf.counted_since_ms for told in late for leaf in told.leaves] == [None, None]


async def test_history_is_counted_from_its_beginning_by_whatever_the_first_worker_knew() -> None:
    world = World()
    await world.started(BUYERS, at_ms=T0 + 1000 * HOUR)
    await world.happened("u1", ("Order", T0))
    [told] = (await (await world.explainer(BUYERS)).contact("u1", None)).segments
    assert told.leaves[0].counted_since_ms is None


async def test_a_definition_that_no_worker_has_seen_has_no_version_and_no_members() -> None:
    world = World()
    await world.started(BUYERS, at_ms=T0)
    await world.happened("u1", ("Order", T0), ("View", T0), ("View", T0))
    told = (await (await world.explainer(BUYERS, VIEWERS)).contact("u1", None)).segments[1]
    assert (told.version, told.member, told.leaves[0].observed) == (None, False, 0)


async def test_a_segment_that_is_gone_is_named_while_the_contact_is_still_in_it() -> None:
    world = World()
    await world.started(BUYERS, VIEWERS, at_ms=T0)
    await world.happened("u1", ("Order", T0))
    assert (await (await world.explainer(VIEWERS)).contact("u1", None)).gone == ("buyers",)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("U1", "did you mean 'u1'"), ("visitor", "did you mean 'anonymous:visitor'"), ("x", "see its userId")],
)
async def test_an_unknown_contact_may_be_another(asked: str, meant: str) -> None:
    world = World()
    await world.started(BUYERS, at_ms=T0)
    await world.happened("u1", ("Order", T0))
    # An anonymous contact as its record is kept.
    partition = home("anonymous:visitor", PARTITIONS)
    state = await world.store.take(partition)
    record = encode_record(Contact(id="anonymous:visitor"), 1)
    await world.store.commit(Commit(partition, state.fence, T0, contacts={"anonymous:visitor": record}))
    explainer = await world.explainer(BUYERS)
    with pytest.raises(NotFound, match=meant):
        await explainer.contact(asked, None)


async def test_a_contact_of_whom_nothing_but_reserved_records_came_is_in_nothing() -> None:
    world = World()
    await world.started(BUYERS, at_ms=T0)
    partition = home("u1", PARTITIONS)
    state = await world.store.take(partition)
    await world.store.commit(
        Commit(partition, state.fence, T0, contacts={"u1": encode_record(Contact(id="u1"), 1)})
    )
    view = await (await world.explainer(BUYERS)).contact("u1", None)
    assert [told.member for told in view.segments] == [False]


async def test_a_store_that_no_worker_used_says_so() -> None:
    with pytest.raises(NotFound, match="no worker has run"):
        await World().explainer(BUYERS)


async def test_nothing_is_said_of_a_state_that_is_only_half_made() -> None:
    world = World()
    await world.started(BUYERS, at_ms=T0)
    await world.happened("c", ("Order", T0))
    explainer = await world.explainer(BUYERS)
    await world.store.forget(home("c", PARTITIONS), [], {REBUILD_FIELD: b"1"})
    with pytest.raises(NotFound, match="is being rebuilt"):
        await explainer.contact("c", T0)
