"""A flood of dead letters stops a partition before the next records; a few never do."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.definitions import Definitions
from rules.segment import Segment
from streams.deployment import Deployment
from streams.flood import PASSED_FIELD, Flooded, FloodGate, FloodLimit, Part, encode_passed
from streams.intake import home
from streams.lane import Lane
from streams.observer import Unobserved
from streams.registry import bring_into_force
from streams.store.memory import MemoryData, MemoryStore
from streams.topics import TopicNames
from tests.streams.in_memory import FedRecord, InMemoryTopics

START_MS = 1_770_000_000_000
LIMIT = FloodLimit(0.5, 1000)
USER = next(f"u{number}" for number in range(100) if home(f"u{number}", 4) == 0)


def part(offset: int, good: int, dead: int) -> Part:
    return Part("events", offset, good + dead, {"not_json": dead})


def taken(gate: FloodGate, *batches: tuple[int, int]) -> bool:
    """Feeds batches of (good, dead) records; whether all are taken."""
    offset = 0
    for good, dead in batches:
        try:
            gate.keep(gate.admit([part(offset, good, dead)]))
        except Flooded:
            return False
        offset += good + dead
    return True


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=40))
def test_it_stops_only_where_more_than_the_share_of_a_window_are_dead_letters(
    batches: list[tuple[int, int]],
) -> None:
    gate = FloodGate(0, LIMIT)
    records: list[bool] = []
    for good, dead in batches:
        # A stretch more than the window may be looked at, and of it at most a batch.
        most = max(sum(records[-size:]) / size for size in (1000, 1050, 1350, 1650))
        if not taken(gate, (good, dead)):
            assert most > 0.4
            assert dead > good
        records += [False] * good + [True] * dead
    assert gate.share <= 1


def test_few_bad_records_stop_nothing_however_few_others_there_are() -> None:
    assert taken(FloodGate(0, LIMIT), *[(0, 1)] * 500)
    assert taken(FloodGate(0, LIMIT), *[(1, 1)] * 5000)
    assert not taken(FloodGate(0, LIMIT), *[(0, 1)] * 502)


def test_good_records_push_the_bad_ones_out_of_the_window() -> None:
    gate = FloodGate(0, LIMIT)
    assert taken(gate, (0, 500), (1100, 0), (0, 500))
    assert not taken(gate, (0, 300), (0, 300))


def test_a_share_of_one_is_never_exceeded() -> None:
    assert taken(FloodGate(0, FloodLimit(1.0, 10)), *[(0, 100)] * 50)


def test_what_is_stored_is_what_is_remembered() -> None:
    gate, stored = FloodGate(0, LIMIT), b""
    for good, dead in ((10, 0), (5, 400), (0, 200)):
        added = gate.admit([part(0, good, dead)])
        window = gate.stored_after(added)
        assert (window is None) is (dead == 0)
        stored = window or stored
        gate.keep(added)
    other = FloodGate(0, LIMIT)
    other.restore({"flood": stored})
    assert other.share == gate.share
    with pytest.raises(Flooded):
        other.admit([part(0, 0, 1)])


def test_without_dead_letters_nothing_is_stored() -> None:
    gate = FloodGate(0, LIMIT)
    for _ in range(5):
        added = gate.admit([part(0, 1000, 0)])
        assert gate.stored_after(added) is None
        assert not gate.keep(added)


def test_what_an_operator_lets_pass_does_not_count_and_what_comes_later_does() -> None:
    gate = FloodGate(0, LIMIT)
    assert taken(gate, (0, 600))
    gate.restore(
        {"flood": gate.stored_after(part_of(gate)) or b"", PASSED_FIELD: encode_passed({"events": 5000})}
    )
    assert gate.keep(gate.admit([part(4000, 0, 1000)]))
    with pytest.raises(Flooded, match="segments resume"):
        gate.admit([part(5000, 0, 10)])


def part_of(gate: FloodGate) -> Any:
    """A batch of one dead letter, so that there is something to store."""
    return gate.admit([part(0, 2, 1)])


class Listener(Unobserved):
    def __init__(self) -> None:
        self.told: list[tuple[float, bool]] = []

    def flood(self, partition: int, share: float, why: str | None) -> None:
        self.told.append((share, why is not None))


class World:
    def __init__(self) -> None:
        self.data, self.topics, self.listener, self.offset = MemoryData(), InMemoryTopics(), Listener(), 0

    async def lane(self) -> Lane:
        store = MemoryStore(self.data)
        await store.open(4)
        segment = Segment.model_validate({"key": "buyer", "when": {"did": "Order"}})
        in_force = await bring_into_force(Definitions((segment,), ()), store, START_MS)
        deployment = Deployment(
            catalog=in_force.catalog, store=store, publisher=self.topics, topics=TopicNames(), partitions=4,
            observer=self.listener, wall_ms=lambda: START_MS,
        )  # fmt: skip
        lane = Lane(0, replace(deployment, flood=FloodLimit(0.5, 100)))
        await lane.start()
        return lane

    def records(self, *values: bytes | None) -> list[FedRecord]:
        self.offset += len(values)
        return [
            FedRecord(offset, USER.encode(), value, START_MS)
            for offset, value in enumerate(values, start=self.offset - len(values))
        ]

    @property
    def buried(self) -> int:
        return len(self.topics.records[("events-dead-letters", 0)])


def order() -> bytes:
    return json.dumps({"type": "track", "userId": USER, "event": "Order"}).encode()


async def flooded(lane: Lane, records: Sequence[FedRecord]) -> bool:
    try:
        await lane.handle({"events": records})
    except Flooded:
        return True
    return False


async def test_a_flooded_lane_buries_nothing_more_and_a_new_one_neither() -> None:
    world = World()
    lane = await world.lane()
    assert not await flooded(lane, world.records(*[b"{"] * 60))
    more = world.records(*[b"{"] * 30, order())
    for _ in range(3):
        assert await flooded(lane, more)
        lane = await world.lane()  # as a worker that was started again
    assert world.buried == 60
    assert await lane.start() == {"events": 60}
    assert world.listener.told == [(0.6, False)] + 3 * [(0.6, True)]


async def test_it_goes_on_by_itself_where_most_of_what_comes_next_can_be_taken() -> None:
    world = World()
    lane = await world.lane()
    await lane.handle({"events": world.records(*[b"{"] * 60)})
    assert not await flooded(lane, world.records(b"{", order(), order()))
    assert world.buried == 61
    assert [each[:3] for each in world.topics.story()] == [(USER, "buyer", True)]


async def test_it_goes_on_when_an_operator_says_so_and_then_nothing_is_missing() -> None:
    world = World()
    lane = await world.lane()
    await lane.handle({"events": world.records(*[b"{"] * 60)})
    more = world.records(*[b"{"] * 30)
    assert await flooded(lane, more)
    await MemoryStore(world.data).note(0, PASSED_FIELD, encode_passed({"events": 90}))
    lane = await world.lane()
    assert not await flooded(lane, more)
    assert world.buried == 90
    assert await flooded(lane, world.records(b"{"))
