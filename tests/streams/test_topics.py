"""Topics are made where they are missing, and refused where they do not fit together."""

import time

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from streams.connections import BrokerUnreachable, KafkaConnection
from streams.local.ports import free_ports
from streams.topics import TopicNames, TopicsUnusable, ensure
from tests.servers import Topics


def _names(unique: str) -> TopicNames:
    return TopicNames(f"events-{unique}", f"transitions-{unique}", f"dead-{unique}")


def _configs(kafka: str, topic: str) -> dict[str, str]:
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return {name: entry["value"] for name, entry in found["topic"][topic].items()}


def test_missing_topics_are_made_and_a_second_time_left_alone(kafka: str, unique: str) -> None:
    names = _names(unique)
    assert ensure(KafkaConnection((kafka,)), names, 3) == 3
    assert ensure(KafkaConnection((kafka,)), names, 8) == 3
    for topic in names.all:
        assert _configs(kafka, topic)["message.timestamp.type"] == "LogAppendTime"


def test_records_that_are_sent_on_may_be_larger_than_the_events_that_they_carry(
    kafka: str, unique: str, new_topic: Topics
) -> None:
    names = TopicNames(new_topic("events", 2, max_message_bytes="2000000"), f"t-{unique}", f"d-{unique}")
    assert ensure(KafkaConnection((kafka,)), names, 4) == 2
    for topic in (names.by_contact, names.dead_letters):
        assert int(_configs(kafka, topic)["max.message.bytes"]) > 2_000_000


def test_too_few_partitions_for_transitions_or_dead_letters_are_refused(
    kafka: str, unique: str, new_topic: Topics
) -> None:
    small = new_topic("small", 2)
    for names in (
        TopicNames(f"e-{unique}", small, f"d-{unique}"),
        TopicNames(f"e-{unique}", f"t-{unique}", small),
    ):
        with pytest.raises(TopicsUnusable, match=r"has 2 partitions, fewer than the 4 .* SEGMENTS_"):
            ensure(KafkaConnection((kafka,)), names, 4)
        with KafkaAdminClient(bootstrap_servers=kafka) as admin:
            assert names.events not in admin.list_topics()


def test_sources_with_different_numbers_of_partitions_are_refused(kafka: str, unique: str) -> None:
    names = _names(unique)
    ensure(KafkaConnection((kafka,)), names, 2)
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        admin.create_partitions({names.events: 3})
        while len(admin.describe_topics([names.events])[0]["partitions"]) < 3:
            time.sleep(0.05)
    with pytest.raises(TopicsUnusable, match="both must have the same number"):
        ensure(KafkaConnection((kafka,)), names, 2)


def test_the_same_name_twice_is_refused() -> None:
    with pytest.raises(TopicsUnusable, match="different names"):
        ensure(KafkaConnection(), TopicNames("events", "events-by-contact"), 4)


def test_a_broker_that_is_not_there_is_named() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(BrokerUnreachable, match=address):
        ensure(KafkaConnection((address,)), TopicNames(), 4, wait_s=0.5)
