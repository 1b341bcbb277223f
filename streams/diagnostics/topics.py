"""Each topic's settings: what they would lose, refuse, or let a wrong clock do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.durations import format_duration
from streams.diagnostics.diagnosis import Diagnosis, ok, warning, wrong
from streams.topics import ENVELOPE_BYTES, TopicNames

SHORTEST_RETENTION_MS = 86_400_000
"""A day: what stands still over night, or is put back to last night's copy, must find the log since then."""
RECORD_BYTES = 256 * 1024
"""The largest record that is taken; what is made of it may be larger by its envelope."""
READ = (
    "message.timestamp.type", "cleanup.policy", "retention.ms", "retention.bytes", "max.message.bytes",
    "min.insync.replicas", "unclean.leader.election.enable",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topic:
    """What Kafka says of a topic."""

    name: str
    partitions: int
    copies: int
    """Of the partition that has the fewest."""
    leaderless: tuple[int, ...]
    settings: Mapping[str, str] | None
    """None: they may not be seen."""
    topic_id: str | None = None
    """None: the brokers give none."""


def diagnose_topic(
    topic: Topic, names: TopicNames, events: Topic | None, brokers: int, window_ms: int
) -> Iterator[Diagnosis]:
    """Of one topic that exists; ``events`` is the events topic, ``window_ms`` how far back definitions look."""
    yield _partitions(topic, names, events)
    if topic.leaderless:
        said = ", ".join(map(str, topic.leaderless))
        yield wrong(f"leaders of {topic.name}", f"partitions without a leader: {said}", "start their brokers")
    if not topic.settings:
        grant = f"kafka-acls.sh --add --operation DescribeConfigs --topic {topic.name}, for whoever runs this"
        yield warning(f"settings of {topic.name}", "cannot be seen", grant)
        return
    found = list(_settings(topic, topic.settings, names, events, brokers, window_ms))
    if not found:
        kept = int(topic.settings["retention.ms"])
        says = "kept for ever" if kept < 0 else f"kept for {format_duration(kept)}"
        found.append(ok(f"settings of {topic.name}", f"{says}, copies: {topic.copies}"))
    yield from found


def _partitions(topic: Topic, names: TopicNames, events: Topic | None) -> Diagnosis:
    what, has = f"topic {topic.name}", f"{topic.partitions} partitions"
    wanted = None if events is None else events.partitions
    if wanted is not None and topic.name == names.by_contact and topic.partitions != wanted:
        return wrong(what, f"{has}, and {names.events} has {wanted}", "give both the same number")
    if wanted is not None and topic.partitions < wanted:
        fix = f"kafka-topics.sh --alter --topic {topic.name} --partitions {wanted}"
        return wrong(what, f"{has}, fewer than the {wanted} of {names.events}", fix)
    if wanted is not None and topic.name == names.transitions and topic.partitions > wanted:
        says = (
            f"{has}, more than the {wanted} of {names.events}: a contact's transitions are on the partition of its events, "
            "where a consumer that works out partitions by itself does not look"
        )
        return warning(what, says, "make it anew with the same number, before consumers count on it")
    kind = (topic.settings or {}).get("message.timestamp.type", "LogAppendTime")
    if topic.name in names.sources and kind != "LogAppendTime":
        says = f"{has}; timestamps are the producers' ({kind}), so that their wrong clocks count"
        return warning(what, says, _set(topic, "message.timestamp.type=LogAppendTime"))
    return ok(what, has)


def _settings(
    topic: Topic,
    settings: Mapping[str, str],
    names: TopicNames,
    events: Topic | None,
    brokers: int,
    window_ms: int,
) -> Iterator[Diagnosis]:
    if "compact" in settings["cleanup.policy"]:
        says = "compacted: of each contact it keeps the latest record alone"
        yield wrong(f"cleanup of {topic.name}", says, _set(topic, "cleanup.policy=delete"))
    yield from _retention(topic, settings, names, window_ms)
    least = _least_bytes(topic, names, events)
    if int(settings["max.message.bytes"]) < least:
        says = (
            f"{int(settings['max.message.bytes']):,} bytes: records of up to {least:,} would be refused, "
            "and their partition stand still"
        )
        yield wrong(f"size limit of {topic.name}", says, _set(topic, f"max.message.bytes={least}"))
    yield from _copies(topic, settings, brokers)


def _retention(
    topic: Topic, settings: Mapping[str, str], names: TopicNames, window_ms: int
) -> Iterator[Diagnosis]:
    what, kept_ms = f"retention of {topic.name}", int(settings["retention.ms"])
    if "delete" not in settings["cleanup.policy"]:
        return
    if 0 <= kept_ms < SHORTEST_RETENTION_MS:
        says = f"deleted after {format_duration(kept_ms)}: {_what_is_lost(topic.name, names)}"
        yield wrong(what, says, _set(topic, f"retention.ms={7 * SHORTEST_RETENTION_MS}"))
    elif 0 <= kept_ms < window_ms and topic.name in names.sources:
        says = (
            f"{format_duration(kept_ms)}, and definitions look back {format_duration(window_ms)}: "
            "state that is lost with its copies could not be made anew from Kafka"
        )
        yield warning(what, says, _set(topic, f"retention.ms={window_ms}"))
    most = int(settings["retention.bytes"])
    if most >= 0:
        says = f"deleted beyond {most:,} bytes a partition, however new: {_what_is_lost(topic.name, names)}"
        yield warning(f"size of {topic.name}", says, _set(topic, "retention.bytes=-1"))


def _what_is_lost(name: str, names: TopicNames) -> str:
    if name in names.sources:
        return "while no worker runs, or after Redis was put back to an older copy, events are lost"
    if name == names.dead_letters:
        return "what could not be taken is lost before anybody has looked at it"
    return "a consumer that was away loses transitions, and a worker cannot see what it had published"


def _least_bytes(topic: Topic, names: TopicNames, events: Topic | None) -> int:
    if topic.name == names.events:
        return RECORD_BYTES
    if topic.name == names.transitions:
        return RECORD_BYTES + ENVELOPE_BYTES  # its evidence may show a value of an event
    known = (events.settings if events is not None else None) or {}
    largest = int(known.get("max.message.bytes", RECORD_BYTES))
    return largest + ENVELOPE_BYTES


def _copies(topic: Topic, settings: Mapping[str, str], brokers: int) -> Iterator[Diagnosis]:
    what, needed = f"copies of {topic.name}", int(settings["min.insync.replicas"])
    if topic.copies == 1:
        if brokers > 1:
            says = f"one copy on {brokers} brokers: with its broker's disk it is lost"
            yield warning(what, says, f"kafka-reassign-partitions.sh: {min(3, brokers)} replicas each")
        return
    if needed == 1:
        says = f"{topic.copies} copies, but one of them is enough to acknowledge a record (min.insync.replicas=1): what only it has is lost with it"
        yield wrong(what, says, _set(topic, "min.insync.replicas=2"))
    elif needed >= topic.copies:
        says = f"all {topic.copies} copies must acknowledge (min.insync.replicas={needed}): each broker that is away stops the work"
        yield warning(what, says, _set(topic, f"min.insync.replicas={topic.copies - 1}"))
    if settings["unclean.leader.election.enable"] == "true":
        says = "a copy that lags behind may become the leader, and acknowledged records are lost"
        yield wrong(f"leaders of {topic.name}", says, _set(topic, "unclean.leader.election.enable=false"))


def _set(topic: Topic, setting: str) -> str:
    return f"kafka-configs.sh --alter --entity-type topics --entity-name {topic.name} --add-config {setting}"
