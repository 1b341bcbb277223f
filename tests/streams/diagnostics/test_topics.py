"""What the doctor finds wrong with topics, on a real broker."""

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.structs import OffsetAndMetadata

from streams.admission import REBUILD_FIELD
from streams.places import BEGIN_FIELD, encode_begin
from streams.store import Commit
from streams.store.redis import RedisStore
from tests.streams.diagnostics.conftest import Examined
from tests.streams.recording import produce


async def test_nothing_is_wrong_with_what_a_worker_makes(sound: Examined) -> None:
    found = await sound.examined()
    assert {each.what: each.found for each in found.values() if each.grade != "ok"} == {}
    assert {f"topic {topic}" for topic in sound.topics.all} <= found.keys()


async def test_compacted_topics_and_those_that_delete_too_soon_are_wrong(sound: Examined) -> None:
    topics = sound.topics
    sound.set_topic(topics.events, cleanup_policy="compact,delete", retention_ms="3600000")
    sound.set_topic(topics.by_contact, retention_ms="604800000", retention_bytes="1000000")
    sound.set_topic(topics.transitions, cleanup_policy="compact")
    sound.set_topic(topics.dead_letters, retention_ms="60000")
    found = await sound.examined()
    wrong = {each.what for each in found.values() if each.grade == "wrong"}
    assert wrong == {
        f"cleanup of {topics.events}",
        f"retention of {topics.events}",
        f"cleanup of {topics.transitions}",
        f"retention of {topics.dead_letters}",
    }
    assert "1h" in found[f"retention of {topics.events}"].found
    assert "events are lost" in found[f"retention of {topics.events}"].found
    assert found[f"retention of {topics.events}"].fix.endswith(
        f"--entity-name {topics.events} --add-config retention.ms=604800000"
    )
    # A week is enough for a restored copy, not for a window of 30 days to be made anew.
    assert "look back 30d" in found[f"retention of {topics.by_contact}"].found
    assert found[f"size of {topics.by_contact}"].grade == "warning"


async def test_limits_below_the_size_of_our_records_are_wrong(sound: Examined) -> None:
    topics = sound.topics
    sound.set_topic(topics.events, max_message_bytes="100000")
    sound.set_topic(topics.transitions, max_message_bytes="200000")
    found = await sound.examined()
    assert found[f"size limit of {topics.events}"].grade == "wrong"
    assert found[f"size limit of {topics.transitions}"].fix.endswith("max.message.bytes=327680")
    # An events topic that takes larger ones than before: what is sent on would not fit.
    sound.set_topic(topics.events, max_message_bytes="5000000")
    found = await sound.examined()
    for topic in (topics.by_contact, topics.dead_letters):
        assert found[f"size limit of {topic}"].grade == "wrong"
        assert found[f"size limit of {topic}"].fix.endswith("max.message.bytes=5065536")


async def test_partitions_and_timestamps_of_other_kinds_are_found(sound: Examined) -> None:
    topics = sound.topics
    sound.widen(topics.events, 3)
    sound.set_topic(topics.events, message_timestamp_type="CreateTime")
    found = await sound.examined()
    assert "CreateTime" in found[f"topic {topics.events}"].found
    for topic in (topics.by_contact, topics.transitions, topics.dead_letters):
        assert found[f"topic {topic}"].grade == "wrong"
    assert found[f"topic {topics.transitions}"].fix.endswith("--partitions 3")


async def test_more_partitions_of_transitions_than_of_events_are_warned_of(sound: Examined) -> None:
    sound.widen(sound.topics.transitions, 3)
    told = (await sound.examined())[f"topic {sound.topics.transitions}"]
    assert told.grade == "warning"
    assert "3 partitions, more than the 2" in told.found


async def test_state_beside_the_log_is_wrong(sound: Examined) -> None:
    """What was deleted before it was taken, and a topic that was made anew below the state."""
    topics = sound.topics
    store = RedisStore(sound.redis_url, sound.name)
    try:
        await store.open(2)
        await produce(sound.kafka, topics.events, ["{}"] * 20, range(2))
        state = await store.take(0)
        await store.commit(
            Commit(partition=0, fence=state.fence, clock_ms=1, offsets={topics.events: (0, 3)})
        )
        state = await store.take(1)
        await store.commit(
            Commit(partition=1, fence=state.fence, clock_ms=1, offsets={topics.events: (0, 99)})
        )
        assert (await sound.examined())[f"state of {topics.events}/1"].grade == "wrong"
        with KafkaAdminClient(bootstrap_servers=sound.kafka) as admin:
            admin.delete_records({TopicPartition(topics.events, 0): 7})
        found = await sound.examined()
        assert "3 to 6 were deleted" in found[f"state of {topics.events}/0"].found
        assert "ends at 10" in found[f"state of {topics.events}/1"].found
    finally:
        await store.close()


async def test_a_redis_that_knows_nothing_of_what_the_group_took_is_wrong(sound: Examined) -> None:
    topics = sound.topics
    await produce(sound.kafka, topics.events, ["{}"] * 20, range(2))
    with KafkaAdminClient(bootstrap_servers=sound.kafka) as admin:
        told = {TopicPartition(topics.events, 0): OffsetAndMetadata(10, "", -1)}
        admin.alter_group_offsets(sound.name, told)
    found = await sound.examined()
    assert found["state of partition 0"].grade == "wrong"
    assert f"has taken {topics.events} up to 10" in found["state of partition 0"].found
    assert "state of partition 1" not in found
    store = RedisStore(sound.redis_url, sound.name)
    try:
        await store.open(2)
        assert (await sound.examined())["state of partition 0"].grade == "wrong"
        await store.note(0, BEGIN_FIELD, encode_begin({topics.events: 0}))
        assert (await sound.examined())["state"].grade == "ok"
        await store.note(0, REBUILD_FIELD, b"1")
        assert "only a part" in (await sound.examined())["state of partition 0"].found
    finally:
        await store.close()


async def test_the_wrong_number_of_partitions_for_the_state_is_wrong(sound: Examined) -> None:
    store = RedisStore(sound.redis_url, sound.name)
    try:
        await store.open(5)
    finally:
        await store.close()
    assert "made for 5 partitions" in (await sound.examined())["state"].found


async def test_a_topic_that_does_not_exist_is_told(kafka: str, sound: Examined) -> None:
    found = await sound.examined(events_topic=f"none-{sound.name}")
    assert "does not exist" in found[f"topic none-{sound.name}"].found


@pytest.mark.parametrize(
    ("ahead_ms", "grade", "said"),
    [
        (30_000, "wrong", "behind this machine, more than the wake delay"),
        (-30_000, "warning", "ahead of this machine: transitions that time alone causes come so much later"),
        (-400_000, "wrong", "every event is a dead letter"),
    ],
)
async def test_a_clock_that_differs_from_the_brokers_is_found(
    ahead_ms: int, grade: str, said: str, sound: Examined
) -> None:
    found = await sound.examined(ahead_ms=ahead_ms)
    assert found["Kafka's clock"].grade == grade
    assert said in found["Kafka's clock"].found
    assert "NTP" in found["Kafka's clock"].fix
    assert found["Redis' clock"].grade == "warning"


async def test_records_from_the_future_are_found(sound: Examined) -> None:
    await produce(sound.kafka, sound.topics.events, ["{}"], range(1))
    found = await sound.examined(ahead_ms=-400_000)
    assert "dead letters" in found["records of the events"].found
