"""Kafka: whether it lets us in, what we may do, its topics, its clock."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec
from kafka.structs import OffsetAndMetadata

from streams.connections import KafkaConnection, knock
from streams.diagnostics.clocks import Clock, diagnose_clock
from streams.diagnostics.diagnosis import Diagnosis, ok, warning, wrong
from streams.diagnostics.topics import READ, Topic, diagnose_topic
from streams.errors import ConfigurationError, RetryLater
from streams.identities import ids_of
from streams.membership import delivery_of
from streams.places import TAKEN, Place
from streams.rights import lacking, spelled
from streams.settings import Settings
from streams.topics import TopicNames

ANSWER_S = 5.0
"""How long Kafka may take."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source topic."""

    topic_id: str | None
    """None: the brokers give none."""
    places: tuple[Place, ...]
    """By partition: from where to where there are records, and how far the group said that it was."""


Sources = Mapping[str, Source]


async def diagnose_kafka(
    settings: Settings, window_ms: int, wall_ms: Callable[[], int]
) -> tuple[list[Diagnosis], Sources]:
    """And the source topics, those that can be seen."""
    connection = KafkaConnection.of(settings)
    try:
        await knock(connection, ANSWER_S)
        return await asyncio.to_thread(_look, connection, settings, window_ms, wall_ms)
    except ConfigurationError as error:
        return [wrong("Kafka", str(error), "see the settings SEGMENTS_KAFKA_… (docs/how-to/secure.md)")], {}
    except (RetryLater, kafka_errors.KafkaError, OSError, ValueError) as error:
        fix = "start one (`segments up`), or set SEGMENTS_KAFKA to where it is"
        said = str(error) or type(error).__name__
        return [wrong("Kafka", f"does not answer at {connection.address}: {said}", fix)], {}


def _look(
    connection: KafkaConnection, settings: Settings, window_ms: int, wall_ms: Callable[[], int]
) -> tuple[list[Diagnosis], Sources]:
    with KafkaAdminClient(
        **connection.options(), bootstrap_timeout_ms=int(ANSWER_S * 1000), client_id="livesegments-doctor"
    ) as admin:
        names = TopicNames.of(settings)
        found = [ok("Kafka", f"answers at {connection.address}"), _rights(admin, connection, settings)]
        unseen, topics = _topics(admin, names)
        events = next((topic for topic in topics if topic.name == names.events), None)
        brokers = len(admin.describe_cluster()["brokers"])
        told = [each for topic in topics for each in diagnose_topic(topic, names, events, brokers, window_ms)]
        told = [*unseen, *told]
        order = {name: number for number, name in enumerate(names.all)}
        found += sorted(told, key=lambda each: order[each.what.rpartition(" ")[2]])
        found += _workers(admin, settings)
        found += _clocks(admin, settings, wall_ms, events)
        sources = [topic for topic in topics if topic.name in names.sources]
        return found, _sources(admin, sources, _committed(admin, settings.group))


def _rights(admin: KafkaAdminClient, connection: KafkaConnection, settings: Settings) -> Diagnosis:
    who = connection.username or "this client"
    missing = lacking(admin, TopicNames.of(settings).rights(settings.group))
    if missing:
        fix = "give it these rights (kafka-acls.sh --add; docs/how-to/secure.md)"
        return wrong("Kafka rights", f"{who} lacks {spelled(missing)}", fix)
    return ok("Kafka rights", f"{who} may do what a worker does")


def _workers(admin: KafkaAdminClient, settings: Settings) -> Iterator[Diagnosis]:
    """That they deliver in another way than the settings say."""
    try:
        theirs = delivery_of(admin.describe_groups([settings.group])[settings.group])
    except kafka_errors.KafkaError:
        return  # there is no such group yet; that it may not be seen is told of rights
    if theirs not in (None, settings.delivery):
        says = f"run with SEGMENTS_DELIVERY={theirs}, and here it is {settings.delivery}"
        yield wrong("workers", says, "stop them all before changing it: the group takes no others")


def _topics(admin: KafkaAdminClient, names: TopicNames) -> tuple[list[Diagnosis], list[Topic]]:
    unseen, seen = [], []
    for topic in admin.describe_topics(list(names.all)):
        name, error = topic["name"], kafka_errors.for_code(topic["error_code"])
        if error is kafka_errors.UnknownTopicOrPartitionError:
            unseen.append(warning(f"topic {name}", "does not exist", "a worker makes it when it starts"))
        elif error is not kafka_errors.NoError:
            unseen.append(
                wrong(
                    f"topic {name}", f"cannot be seen ({error.__name__})", "give the user DESCRIBE and READ"
                )
            )
        else:
            seen.append(topic)
    settings = _settings(admin, [topic["name"] for topic in seen])
    return unseen, [_topic(topic, settings.get(topic["name"])) for topic in seen]


def _topic(topic: dict[str, Any], settings: Mapping[str, str] | None) -> Topic:
    partitions = topic["partitions"]
    return Topic(
        topic["name"],
        len(partitions),
        min(len(each["replica_nodes"]) for each in partitions),
        tuple(sorted(each["partition_index"] for each in partitions if each["leader_id"] < 0)),
        settings,
        ids_of([topic]).get(topic["name"]),
    )


def _settings(admin: KafkaAdminClient, topics: list[str]) -> Mapping[str, Mapping[str, str]]:
    """Empty for a topic whose settings may not be seen."""
    if not topics:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(READ)) for name in topics]
    found: dict[str, Any] = admin.describe_configs(asked, config_filter="all")["topic"]
    return {
        name: {setting: str(entry["value"]) for setting, entry in found.get(name, {}).items()}
        for name in topics
    }


def _clocks(
    admin: KafkaAdminClient, settings: Settings, wall_ms: Callable[[], int], events: Topic | None
) -> Iterator[Diagnosis]:
    before_ms = wall_ms()
    try:
        quorum = admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
    except (kafka_errors.KafkaError, ValueError, LookupError) as error:
        says = f"cannot be told ({type(error).__name__})"
        yield warning("Kafka's clock", says, "give the user DESCRIBE on the cluster, for this alone")
    else:
        after_ms = wall_ms()
        leader = next(
            voter for voter in quorum["current_voters"] if voter["replica_id"] == quorum["leader_id"]
        )
        # The leader has always just caught up with itself: this is its present moment.
        clock = Clock("Kafka's clock", leader["last_caught_up_timestamp"], before_ms, after_ms)
        yield diagnose_clock(clock, settings)
    if events is not None:
        yield from _newest(admin, events, settings, wall_ms)


def _newest(
    admin: KafkaAdminClient, events: Topic, settings: Settings, wall_ms: Callable[[], int]
) -> Iterator[Diagnosis]:
    """Records from the future: the clock of a broker, or of a producer where its timestamps count."""
    partitions = [TopicPartition(events.name, number) for number in range(events.partitions)]
    newest = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.MAX_TIMESTAMP))
    ahead_ms = max((each.timestamp for each in newest.values()), default=0) - wall_ms()
    if ahead_ms > settings.max_future_skew_ms:
        says = f"the newest is {ahead_ms / 1000:,.0f} s ahead of this machine: such records are dead letters (future_received)"
        yield wrong(
            "records of the events", says, "set the clocks of brokers, producers and this machine by NTP"
        )


def _committed(admin: KafkaAdminClient, group: str) -> Mapping[TopicPartition, OffsetAndMetadata]:
    """What the group was told; nothing where it may not be seen, which is told of rights."""
    try:
        found: dict[TopicPartition, OffsetAndMetadata] = admin.list_group_offsets({group: None})[group]
    except (kafka_errors.GroupIdNotFoundError, kafka_errors.AuthorizationError):
        return {}
    return found


def _sources(
    admin: KafkaAdminClient, topics: list[Topic], committed: Mapping[TopicPartition, OffsetAndMetadata]
) -> Sources:
    found = {}
    for topic in topics:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        first = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        after = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
        places = [_place(first[each].offset, after[each].offset, committed.get(each)) for each in partitions]
        found[topic.name] = Source(topic.topic_id, tuple(places))
    return found


def _place(first: int, after: int, told: OffsetAndMetadata | None) -> Place:
    if told is None or told.offset < 0:
        return Place(None, first, after)
    return Place(None, first, after, told.offset, told.metadata == TAKEN)
