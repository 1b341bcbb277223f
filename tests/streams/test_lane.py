"""Lanes on a store in memory: what survives restarts, failures and new definitions."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from rules.definitions import Definitions
from rules.durations import format_moment
from rules.group import Group
from rules.segment import Segment
from streams.deployment import Deployment
from streams.intake import home
from streams.lane import Lane
from streams.observer import Observer, Unobserved
from streams.registry import bring_into_force
from streams.store import PartitionMoved
from streams.store.memory import MemoryData, MemoryStore
from streams.topics import TopicNames
from tests.streams.in_memory import FedRecord, InMemoryTopics
from tests.streams.recording import until

PARTITIONS = 4
DAY_MS = 86_400_000
START_MS = 1_770_000_000_000
USER = next(f"u{number}" for number in range(100) if home(f"u{number}", PARTITIONS) == 0)
OTHER = next(f"v{number}" for number in range(100) if home(f"v{number}", PARTITIONS) == 0)
STRANGER = next(f"w{number}" for number in range(100) if home(f"w{number}", PARTITIONS) == 1)
NAMES = TopicNames()

BUYER = {"key": "buyer", "when": {"did": "Order Completed", "within": "1d"}}
CLICKER = {"key": "clicker", "when": {"did": "Email Clicked", "at_least": 2, "within": "7d"}}


class World:
    """One partition's store and topics, outliving the lanes that work on them."""

    def __init__(self) -> None:
        self.data, self.topics = MemoryData(), InMemoryTopics()
        self.offsets: dict[str, int] = {}

    async def lane(
        self,
        *definitions: dict[str, Any],
        groups: Sequence[dict[str, Any]] = (),
        partition: int = 0,
        cached_contacts: int = 1000,
        observer: Observer | None = None,
        most_transitions: int = 2000,
    ) -> Lane:
        store = MemoryStore(self.data)
        await store.open(PARTITIONS)
        in_force = await bring_into_force(
            Definitions(
                tuple(Segment.model_validate(each) for each in definitions),
                tuple(Group.model_validate(each) for each in groups),
            ),
            store,
            START_MS,
        )
        lane = Lane(
            partition,
            Deployment(
                catalog=in_force.catalog,
                store=store,
                publisher=self.topics,
                topics=NAMES,
                partitions=PARTITIONS,
                observer=observer or Unobserved(),
                wall_ms=lambda: START_MS + 1000 * DAY_MS,
                cached_contacts=cached_contacts,
                chunk=2,
                most_transitions=most_transitions,
                longest_pause_ms=50,
            ),
        )
        await lane.start()
        return lane

    def records(self, *events: tuple[str, str, int], topic: str = "events") -> list[FedRecord]:
        """Records of (contact, event, milliseconds after the start), under the right key."""
        first = self.offsets.get(topic, 0)
        self.offsets[topic] = first + len(events)
        return [
            FedRecord(
                offset,
                contact.encode(),
                json.dumps(
                    {"type": "track", "userId": contact, "event": event, "messageId": f"m{offset}"}
                ).encode(),
                START_MS + at_ms,
            )
            for offset, (contact, event, at_ms) in enumerate(events, start=first)
        ]


def at(ms: int) -> str:
    return format_moment(START_MS + ms)


async def drain(lane: Lane) -> None:
    while lane.has_work:
        await lane.tick(None)


async def test_a_batch_ends_in_its_transitions_and_time_alone_in_the_exit() -> None:
    world = World()
    lane = await world.lane(BUYER)
    await lane.handle({"events": world.records((USER, "Order Completed", 0), (OTHER, "Order Completed", 5))})
    await lane.tick(START_MS + DAY_MS)
    assert [each[:3] for each in world.topics.story()] == [(USER, "buyer", True), (OTHER, "buyer", True)]
    await lane.tick(START_MS + DAY_MS + 1)
    assert world.topics.story()[2:] == [(USER, "buyer", False, at(DAY_MS), "time")]


async def test_records_handed_over_again_change_nothing() -> None:
    world = World()
    lane = await world.lane(BUYER)
    records = world.records((USER, "Order Completed", 0), (USER, "Order Completed", 1))
    await lane.handle({"events": records})
    await lane.handle({"events": records})
    again = await world.lane(BUYER)
    await again.handle({"events": records})
    assert len(world.topics.story()) == 1


async def test_a_wake_that_came_due_while_no_worker_ran_happens_at_its_moment() -> None:
    world = World()
    lane = await world.lane(BUYER)
    await lane.handle({"events": world.records((USER, "Order Completed", 0))})
    later = await world.lane(BUYER)
    await later.tick(START_MS + 9 * DAY_MS)
    assert world.topics.story()[1:] == [(USER, "buyer", False, at(DAY_MS), "time")]


@pytest.mark.parametrize("arrived", [0, 1, 2])
async def test_what_was_committed_and_not_published_is_published_once_by_the_next_owner(arrived: int) -> None:
    world = World()
    lane = await world.lane(BUYER)

    class Killed(BaseException):
        pass

    async def die_after(outputs: Sequence[Any]) -> None:
        for output in outputs[:arrived]:
            world.topics.records[(output.topic, output.partition)].append(output)
        raise Killed

    publish, world.topics.publish = world.topics.publish, die_after  # type: ignore[method-assign,assignment]
    with pytest.raises(Killed):
        await lane.handle(
            {"events": world.records((USER, "Order Completed", 0), (OTHER, "Order Completed", 1))}
        )
    world.topics.publish = publish  # type: ignore[method-assign]
    await world.lane(BUYER)
    assert [each[0] for each in world.topics.story()] == [USER, OTHER]


@pytest.mark.parametrize("arrived", [0, 1])
async def test_a_failed_publishing_is_tried_again_without_what_has_arrived(arrived: int) -> None:
    world = World()
    lane = await world.lane(BUYER)
    world.topics.fail = [arrived, 0]
    await lane.handle({"events": world.records((USER, "Order Completed", 0), (OTHER, "Order Completed", 1))})
    assert [each[0] for each in world.topics.story()] == [USER, OTHER]


async def test_an_owner_from_before_can_commit_nothing() -> None:
    world = World()
    old = await world.lane(BUYER)
    await world.lane(BUYER)
    with pytest.raises(PartitionMoved):
        await old.handle({"events": world.records((USER, "Order Completed", 0))})
    with pytest.raises(PartitionMoved):
        await old.tick(START_MS)
    assert world.topics.story() == []


async def test_a_record_that_cannot_be_taken_becomes_a_dead_letter_and_the_next_is_taken() -> None:
    world = World()
    lane = await world.lane(BUYER)
    good = world.records((USER, "Order Completed", 0))
    bad = FedRecord(1, b"k", b"{", START_MS + 10 * DAY_MS, [("trace", b"1")])
    await lane.handle({"events": [*good, bad]})
    letter = world.topics.records[(NAMES.dead_letters, 0)][0]
    headers = dict(letter.headers)
    assert (letter.key, letter.value, headers["reason"], headers["source_offset"]) == (
        b"k",
        b"{",
        b"not_json",
        b"1",
    )
    assert headers["trace"] == b"1"
    assert len(world.topics.story()) == 1, "the clock did not move by a dead letter"


async def test_a_record_under_another_key_is_sent_on_once_and_taken_at_its_contacts_home() -> None:
    world = World()
    lane = await world.lane(BUYER)
    record = world.records((STRANGER, "Order Completed", 7))[0]
    record.key = None
    await lane.handle({"events": [record]})
    sent = world.topics.records[(NAMES.by_contact, 1)]
    assert [output.key for output in sent] == [STRANGER.encode()]
    arrived = [
        FedRecord(offset, out.key, out.value, START_MS + DAY_MS, out.headers)
        for offset, out in enumerate([*sent, *sent])
    ]
    far = await world.lane(BUYER, partition=1)
    await far.handle({NAMES.by_contact: arrived[:1]})
    await far.handle({NAMES.by_contact: arrived[1:]})
    assert world.topics.story() == [(STRANGER, "buyer", True, at(7), "event")]


async def test_records_of_both_topics_are_taken_in_the_order_of_received_times() -> None:
    """What was sent on is no later than what waits in the other topic, and moves no clock over it."""
    world = World()
    lane = await world.lane(BUYER)
    of_events = world.records((USER, "Order Completed", 0), (USER, "Order Completed", DAY_MS - 1))
    by_contact = world.records(
        (OTHER, "Order Completed", 5), (OTHER, "Order Completed", DAY_MS + 6), topic=NAMES.by_contact
    )
    await lane.handle({"events": of_events, NAMES.by_contact: by_contact})
    await drain(lane)
    # At its end the window of the first order held the second one, so nobody has left.
    assert world.topics.story() == [
        (USER, "buyer", True, at(0), "event"),
        (OTHER, "buyer", True, at(5), "event"),
        (OTHER, "buyer", False, at(DAY_MS + 5), "time"),
        (OTHER, "buyer", True, at(DAY_MS + 6), "event"),
    ]
    assert await (await world.lane(BUYER)).start() == {"events": 2, NAMES.by_contact: 2}


async def test_a_lane_that_cannot_publish_says_what_it_waits_for_until_it_can() -> None:
    world = World()
    lane = await world.lane(BUYER)
    world.topics.fail = [0, 0, 0]
    handling = asyncio.create_task(lane.handle({"events": world.records((USER, "Order Completed", 0))}))
    await until(lambda: lane.trouble is not None)
    assert str(lane.trouble) == "told to fail"
    await handling
    assert lane.trouble is None


class _CountsLate(Unobserved):
    records = 0

    def late(self, partition: int, records: int) -> None:
        self.records += records


async def test_records_are_late_behind_a_clock_that_time_has_moved_or_far_behind_one_that_records_have() -> (
    None
):
    """What time has passed a record's moment for may have moved its contact, as a replay would not."""
    world, late = World(), _CountsLate()
    lane = await world.lane(BUYER, observer=late)
    await lane.handle({"events": world.records((USER, "Order Completed", 0))})
    await lane.tick(START_MS + DAY_MS + 10)
    await lane.handle({"events": world.records((OTHER, "A", DAY_MS + 10), (OTHER, "A", DAY_MS + 9))})
    assert late.records == 1
    await lane.handle({"events": world.records((OTHER, "A", DAY_MS + 999), (OTHER, "A", DAY_MS + 499))})
    assert late.records == 1
    await lane.handle({"events": world.records((OTHER, "A", DAY_MS + 498))})
    assert late.records == 2


async def test_what_is_due_is_done_with_the_records_that_come_next_in_one_commit() -> None:
    world = World()
    lane = await world.lane(BUYER)
    await lane.handle(
        {"events": world.records((USER, "Order Completed", 0), (OTHER, "Order Completed", 2 * DAY_MS))}
    )
    assert len(world.topics.story()) == 2, "both are buyers, and time has not gone on"
    done = world.data.partitions[0].done
    await lane.handle({"events": world.records((OTHER, "Email Clicked", 2 * DAY_MS))})
    assert world.data.partitions[0].done == done + 1
    assert not lane.has_work
    assert world.topics.story()[-1] == (USER, "buyer", False, at(DAY_MS), "time")


async def test_more_that_is_due_than_is_taken_at_once_comes_little_by_little_with_the_records() -> None:
    world = World()
    lane = await world.lane(BUYER)
    users = [f"x{number}" for number in range(200) if home(f"x{number}", PARTITIONS) == 0][:5]
    await lane.handle({"events": world.records(*((user, "Order Completed", 0) for user in users))})
    for exits in (0, 2, 4, 5, 5):  # two at once, as the deployment says
        await lane.handle({"events": world.records((OTHER, "Email Clicked", 2 * DAY_MS))})
        assert sum(not entered for _, _, entered, *_ in world.topics.story()) == exits
    assert not lane.has_work


async def test_however_many_wakes_are_due_the_records_that_come_with_them_get_on() -> None:
    world = World()
    buyers = [{**BUYER, "key": f"buyer-{number}"} for number in range(5)]
    lane = await world.lane(*buyers, most_transitions=10)
    users = [f"x{number}" for number in range(200) if home(f"x{number}", PARTITIONS) == 0][:20]
    await lane.handle({"events": world.records(*((user, "Order Completed", 0) for user in users))})
    await lane.handle({"events": world.records((OTHER, "Email Clicked", 2 * DAY_MS))})
    done = world.data.partitions[0].done
    clicks = world.records(*((OTHER, "Email Clicked", 2 * DAY_MS + 1) for _ in range(20)))
    await lane.handle({"events": clicks})
    assert world.data.partitions[0].done == done + 1
    assert lane.has_work


async def test_a_new_segment_is_judged_for_contacts_that_were_there_before() -> None:
    world = World()
    lane = await world.lane(CLICKER)
    await lane.handle(
        {
            "events": world.records(
                (USER, "Email Clicked", 0), (USER, "Email Clicked", 1), (OTHER, "Email Clicked", 2)
            )
        }
    )
    lane = await world.lane(CLICKER, {"key": "any-click", "when": {"did": "Email Clicked", "within": "30d"}})
    await drain(lane)
    story = world.topics.story()
    assert story[0] == (USER, "clicker", True, at(1), "event")
    assert sorted(story[1:]) == [
        (USER, "any-click", True, at(2), "definition"),
        (OTHER, "any-click", True, at(2), "definition"),
    ]


async def test_a_changed_segment_counts_its_version_up_and_moves_those_whom_it_moves() -> None:
    world = World()
    lane = await world.lane(CLICKER)
    await lane.handle({"events": world.records((USER, "Email Clicked", 0), (USER, "Email Clicked", 1))})
    changed = {"key": "clicker", "when": {"did": "Email Clicked", "at_least": 3, "within": "7d"}}
    await drain(await world.lane(changed))
    value = world.topics.transitions()[-1]
    assert value["event"] == "Audience Exited"
    segment = value["context"]["segment"]
    assert (segment["version"], segment["sequence"], segment["reason"], segment["cause"]) == (
        2,
        2,
        "definition",
        None,
    )
    assert segment["member_for_ms"] == 0


async def test_a_segment_that_is_gone_is_left_and_goes_on_counting_when_it_comes_back() -> None:
    world = World()
    lane = await world.lane(BUYER, CLICKER)
    await lane.handle({"events": world.records((USER, "Order Completed", 0))})
    await drain(await world.lane(CLICKER))
    assert world.topics.story()[-1] == (USER, "buyer", False, at(0), "definition")
    lane = await world.lane(BUYER, CLICKER)
    await drain(lane)
    await lane.handle({"events": world.records((USER, "Order Completed", 5))})
    segments = [value["context"]["segment"] for value in world.topics.transitions()]
    assert [segment["sequence"] for segment in segments] == [1, 2, 3]
    assert [segment["version"] for segment in segments] == [1, 1, 2]


async def test_what_was_not_remembered_before_counts_from_now_on() -> None:
    world = World()
    lane = await world.lane(BUYER)
    await lane.handle({"events": world.records((USER, "Order Completed", 0), (USER, "Email Clicked", 1))})
    lane = await world.lane(BUYER, {"key": "one-click", "when": {"did": "Email Clicked"}})
    await drain(lane)
    assert len(world.topics.story()) == 1
    await lane.handle({"events": world.records((USER, "Email Clicked", 2))})
    assert world.topics.story()[-1] == (USER, "one-click", True, at(2), "event")


async def test_a_restart_in_the_middle_of_a_sweep_goes_on_and_repeats_nothing() -> None:
    world = World()
    lane = await world.lane(CLICKER)
    users = [f"x{number}" for number in range(200) if home(f"x{number}", PARTITIONS) == 0][:9]
    await lane.handle({"events": world.records(*((user, "Order Completed", 3) for user in users))})
    definitions = [CLICKER, {"key": "quiet", "when": {"did_not": "Email Clicked"}}]
    lane = await world.lane(*definitions)
    await lane.tick(None)
    await lane.tick(None)
    lane = await world.lane(*definitions)
    await lane.handle({"events": world.records((users[-1], "Email Clicked", 4))})
    await drain(lane)
    story = world.topics.story()
    assert sorted(each[0] for each in story if each[2]) == sorted(users)
    assert [each for each in story if not each[2]] == [(users[-1], "quiet", False, at(4), "event")]
    await drain(await world.lane(*definitions))
    assert len(world.topics.story()) == len(story)


async def test_more_contacts_than_are_kept_in_memory_make_no_difference() -> None:
    world = World()
    lane = await world.lane(BUYER, cached_contacts=1)
    users = [f"x{number}" for number in range(200) if home(f"x{number}", PARTITIONS) == 0][:9]
    for at_ms in range(3):
        await lane.handle({"events": world.records(*((user, "Order Completed", at_ms) for user in users))})
    await lane.tick(START_MS + 3 * DAY_MS)
    await drain(lane)
    story = world.topics.story()
    assert len(story) == 18
    assert {each[3] for each in story if not each[2]} == {at(DAY_MS + 2)}


async def test_another_name_counts_the_version_up_and_judges_nobody_anew() -> None:
    world = World()
    lane = await world.lane(BUYER)
    await lane.handle({"events": world.records((USER, "Order Completed", 0))})
    lane = await world.lane({**BUYER, "name": "Buyers"})
    assert not lane.has_work
    await lane.tick(START_MS + 2 * DAY_MS)
    assert [value["context"]["segment"]["version"] for value in world.topics.transitions()] == [1, 2]


async def test_who_is_in_a_segment_that_gets_a_policy_stays_and_leaves_by_the_policy() -> None:
    world = World()
    viewer: dict[str, Any] = {"key": "viewer", "when": {"did": "View", "within": "2d"}}
    lane = await world.lane(viewer)
    await lane.handle({"events": world.records((USER, "View", 0))})
    lane = await world.lane({**viewer, "enter_after": "1d", "exit_after": "1d", "cooldown": "5d"})
    await drain(lane)
    await lane.handle({"events": world.records((USER, "View", 4 * DAY_MS), (USER, "Tick", 20 * DAY_MS))})
    assert world.topics.story() == [
        (USER, "viewer", True, at(0), "event"),
        (USER, "viewer", False, at(3 * DAY_MS), "time"),
    ]


async def test_segments_that_come_into_a_group_or_change_their_places_in_it_hand_over_at_once() -> None:
    world = World()
    lane = await world.lane(BUYER, CLICKER)
    await lane.handle(
        {"events": world.records((USER, "Order Completed", 0), *[(USER, "Email Clicked", 0)] * 3)}
    )
    groups = [{"key": "g", "exclusive": ["clicker", "buyer"]}]
    await drain(await world.lane(BUYER, CLICKER, groups=groups))
    turned = [{"key": "g", "exclusive": ["buyer", "clicker"]}]
    await drain(await world.lane(BUYER, CLICKER, groups=turned))
    await drain(await world.lane(CLICKER, groups=[{"key": "g", "exclusive": ["clicker"]}]))
    assert world.topics.story()[2:] == [
        (USER, "buyer", False, at(0), "definition"),
        (USER, "clicker", False, at(0), "definition"),
        (USER, "buyer", True, at(0), "definition"),
        (USER, "buyer", False, at(0), "definition"),
        (USER, "clicker", True, at(0), "definition"),
    ]


async def test_who_follows_a_segment_that_is_changed_follows_the_change() -> None:
    world = World()
    follower = {"key": "a-follower", "when": {"all": [{"member_of": "clicker"}, {"did": "Email Clicked"}]}}
    lane = await world.lane(CLICKER, follower)
    await lane.handle({"events": world.records((USER, "Email Clicked", 0), (USER, "Email Clicked", 1))})
    changed = {"key": "clicker", "when": {"did": "Email Clicked", "at_least": 3, "within": "7d"}}
    await drain(await world.lane(changed, follower))
    assert world.topics.story() == [
        (USER, "clicker", True, at(1), "event"),
        (USER, "a-follower", True, at(1), "event"),
        (USER, "clicker", False, at(1), "definition"),
        (USER, "a-follower", False, at(1), "definition"),
    ]
