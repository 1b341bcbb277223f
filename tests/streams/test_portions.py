"""A batch from which very much follows is taken in portions; contacts in memory are bounded by their size, too."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rules import step
from rules.definitions import Definitions
from rules.segment import Segment
from rules.step import Step
from streams.contacts import Contacts, Work
from streams.deployment import Deployment
from streams.intake import home
from streams.lane import Lane
from streams.observer import Unobserved
from streams.outbox import decode_entry
from streams.registry import bring_into_force
from streams.store import Commit, CommitResult
from streams.store.memory import MemoryData, MemoryStore
from streams.topics import TopicNames
from streams.wire import decode
from tests.streams.in_memory import FedRecord, InMemoryTopics

START_MS = 1_770_000_000_000
NAMES = TopicNames()
USERS = [name for n in range(400) if home(name := f"u{n}", 4) == 0]
STRANGER = next(f"w{n}" for n in range(100) if home(f"w{n}", 4) == 1)
SEGMENTS = Definitions(
    tuple(Segment.model_validate({"key": f"s{n}", "when": {"did": "E", "within": "1h"}}) for n in range(5)),
    (),
)


class CountingStore(MemoryStore):
    """Remembers how many outputs each commit had."""

    def __init__(self, data: MemoryData) -> None:
        super().__init__(data)
        self.outputs: list[int] = []

    async def commit(self, commit: Commit) -> CommitResult:
        self.outputs.append(0 if commit.outbox is None else len(decode_entry(commit.outbox).outputs))
        return await super().commit(commit)


async def new_lane(
    most: int, definitions: Definitions = SEGMENTS, *, at_once: int = 50
) -> tuple[Lane, CountingStore, InMemoryTopics]:
    store, topics = CountingStore(MemoryData()), InMemoryTopics()
    await store.open(4)
    in_force = await bring_into_force(definitions, store, START_MS)
    deployment = Deployment(
        catalog=in_force.catalog, store=store, publisher=topics, topics=NAMES, partitions=4, observer=Unobserved(),
        wall_ms=lambda: START_MS + 10**7, most_transitions=most, at_once=at_once,
    )  # fmt: skip
    lane = Lane(0, deployment)
    await lane.start()
    store.outputs.clear()
    return lane, store, topics


def event(offset: int, contact: str, at_ms: int) -> FedRecord:
    value = {"type": "track", "userId": contact, "event": "E", "messageId": f"{contact}-{at_ms}"}
    return FedRecord(offset, contact.encode(), json.dumps(value).encode(), START_MS + at_ms)


def batch() -> Mapping[str, Sequence[FedRecord]]:
    """Of both topics, with dead letters and records to send on between the events, at the same moments too."""
    of_events = [
        FedRecord(n, b"x", b"{", START_MS) if n % 5 == 0
        else event(n, STRANGER, n) if n % 7 == 0
        else event(n, USERS[n % 20], n // 2)
        for n in range(1, 60)
    ]  # fmt: skip
    return {NAMES.events: of_events, NAMES.by_contact: [event(n, USERS[n % 30], n) for n in range(40)]}


@pytest.mark.parametrize("most", [1, 7, 40])
async def test_portions_give_what_the_whole_gives(most: int) -> None:
    whole, whole_store, whole_topics = await new_lane(10**6)
    await whole.handle(batch())
    parted, parted_store, parted_topics = await new_lane(most)
    await parted.handle(batch())
    assert parted_topics.transitions() == whole_topics.transitions()
    dead = (NAMES.dead_letters, 0)
    assert sorted(list(each.headers) for each in parted_topics.records[dead]) == sorted(
        list(each.headers) for each in whole_topics.records[dead]
    )
    assert parted_store.data.partitions[0].contacts == whole_store.data.partitions[0].contacts
    assert parted_store.data.partitions[0].offsets == {NAMES.events: 60, NAMES.by_contact: 40}
    assert len(parted_store.outputs) > len(whole_store.outputs) == 1
    # One event enters five segments; dead letters come beside them.
    assert max(parted_store.outputs) <= most + 4 + 12
    sent_on = {dict(each.headers)["source_offset"] for each in parted_topics.records[(NAMES.by_contact, 1)]}
    assert sent_on == {
        dict(each.headers)["source_offset"] for each in whole_topics.records[(NAMES.by_contact, 1)]
    }


@pytest.mark.parametrize("at_once", [1, 2, 3, 50])
async def test_enough_is_enough_wherever_a_few_records_end(at_once: int) -> None:
    lane, store, topics = await new_lane(10, at_once=at_once)
    await lane.handle({NAMES.events: [event(n, contact, n) for n, contact in enumerate(USERS[:9])]})
    assert store.outputs == [10, 10, 10, 10, 5]
    assert len(topics.transitions()) == 45
    assert store.data.partitions[0].offsets == {NAMES.events: 9}


async def test_wakes_that_are_due_together_are_committed_in_portions() -> None:
    lane, store, topics = await new_lane(10)
    await lane.handle({NAMES.events: [event(n, contact, 0) for n, contact in enumerate(USERS[:50])]})
    store.outputs.clear()
    await lane.tick(START_MS + 3_600_001)
    while lane.has_work:
        await lane.tick(None)
    assert len(topics.transitions()) == 50 * 5 * 2
    assert max(store.outputs) <= 10 + 4


async def test_wakes_of_one_contact_before_its_event_are_committed_in_portions() -> None:
    one = Definitions(
        tuple(
            Segment.model_validate({"key": f"s{n}", "when": {"did": "E", "within": f"{n + 1}m"}})
            for n in range(20)
        ),
        (),
    )
    later = [event(1, USERS[0], 3_600_000), event(2, USERS[1], 3_600_000)]
    whole, _, whole_topics = await new_lane(10**6, one)
    parted, store, topics = await new_lane(3, one)
    for lane in (whole, parted):
        await lane.handle({NAMES.events: [event(0, USERS[0], 0)]})
        store.outputs.clear()
        await lane.handle({NAMES.events: later})
    assert topics.transitions() == whole_topics.transitions()
    # Twenty leave at twenty moments, then each of two events enters twenty.
    assert len(topics.transitions()) == 20 + 20 + 2 * 20
    assert max(store.outputs) <= 3 + 20
    assert store.outputs.count(3) > 3
    assert store.data.partitions[0].offsets == {NAMES.events: 3}


@pytest.mark.parametrize("by_events", [True, False])
async def test_changed_definitions_are_brought_to_contacts_in_portions(by_events: bool) -> None:
    """By a sweep, and where a batch reads their records."""
    lane, store, topics = await new_lane(10)
    contacts = USERS[:50]
    await lane.handle({NAMES.events: [event(n, contact, 0) for n, contact in enumerate(contacts)]})
    changed = Definitions(
        tuple(
            Segment.model_validate({"key": f"t{n}", "when": {"did": "E", "within": "1h"}}) for n in range(5)
        ),
        (),
    )
    catalog = (await bring_into_force(changed, store, START_MS)).catalog
    lane = Lane(0, replace(lane._on, catalog=catalog))
    await lane.start()
    store.outputs.clear()
    if by_events:
        again = [FedRecord(50 + n, c.encode(), _nothing(c), START_MS + 1) for n, c in enumerate(contacts)]
        await lane.handle({NAMES.events: again})
        assert len(topics.transitions()) == 50 * 15
    while lane.has_work:
        await lane.tick(None)
    assert len(topics.transitions()) == 50 * 15
    # Each leaves five and enters five.
    assert max(store.outputs) <= 10 + 9
    assert store.data.partitions[0].members == {f"t{n}": set(contacts) for n in range(5)} | {
        f"s{n}": set() for n in range(5)
    }


def _nothing(contact: str) -> bytes:
    return json.dumps({"type": "track", "userId": contact, "event": "Other"}).encode()


@pytest.mark.parametrize(("most", "shown"), [(4, 203), (5, 20_000)])
async def test_evidence_is_short_where_one_event_moves_its_contact_very_often(
    most: int, shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "MOST_IN_FULL", most)
    showing = Definitions(
        tuple(
            Segment.model_validate(
                {"key": f"s{n}", "when": {"latest": "E", "property": "v", "is_not": f"{n}"}}
            )
            for n in range(5)
        ),
        (),
    )
    lane, _, topics = await new_lane(10, showing)
    value = {"type": "track", "userId": USERS[0], "event": "E", "properties": {"v": "y" * 20_000}}
    record = FedRecord(0, USERS[0].encode(), json.dumps(value).encode(), START_MS)
    await lane.handle({NAMES.events: [record]})
    told = [each["context"]["segment"]["evidence"] for each in topics.transitions()]
    assert [len(evidence[0]["observed"]) for evidence in told] == [shown] * 5


async def test_contacts_with_much_to_remember_make_room_earlier() -> None:
    _, store, _ = await new_lane(10)
    steps = Step((await bring_into_force(SEGMENTS, store, START_MS)).catalog)
    contacts, size = Contacts(steps, 1, None, 1000, capacity_bytes=3000), 0
    for contact in USERS[:50]:
        taken: Any = decode(event(0, contact, 0).value, START_MS)
        work = Work(START_MS)
        contacts.bring_in([contact], [None], work)
        contacts.take([taken], work)
        contacts.put_away(work)
        size = len(work.records[contact])
        contacts.settle()
    known = [contact for contact in USERS[:50] if contact in contacts.known]
    assert 2000 < len(known) * size <= 3000
    assert known == USERS[50 - len(known) : 50]
