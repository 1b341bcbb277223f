"""Every topic: its name, what it is keyed by, how many partitions it has. Makes those that are missing."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from kafka import errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from streams.connections import WHAT_TO_DO, BrokerUnreachable, KafkaConnection
from streams.errors import ConfigurationError
from streams.rights import Kind, Right, lacking, spelled
from streams.settings import Settings

logger = logging.getLogger(__name__)

ENVELOPE_BYTES = 64 * 1024
"""What a forwarded record or a dead letter may be larger than the record that it carries: its headers."""
BROKER_MESSAGE_BYTES = 1_048_588
"""The broker's own default of ``max.message.bytes``."""


class TopicsUnusable(ConfigurationError):
    """The topics are not as they must be, or cannot be seen or made; the message says what to do. Stop."""


@dataclass(frozen=True, slots=True)
class TopicNames:
    """The names of all topics of one deployment."""

    events: str = "events"
    """In, keyed by contact id: the Segment Spec."""
    transitions: str = "segment-transitions"
    """Out, keyed by contact id, on the contact's partition."""
    dead_letters: str = "events-dead-letters"
    """Records that could not be taken, unchanged, on the partition that they came from."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The names that the settings say."""
        return cls(settings.events_topic, settings.transitions_topic, settings.dead_letter_topic)

    @property
    def by_contact(self) -> str:
        """Events that came under another key than their contact's id, under the right one."""
        return f"{self.events}-by-contact"

    @property
    def sources(self) -> tuple[str, str]:
        """The topics that are read. Partition p of both belongs to the same contacts, so to the same worker."""
        return (self.events, self.by_contact)

    @property
    def all(self) -> tuple[str, str, str, str]:
        """Every topic."""
        return (self.events, self.by_contact, self.transitions, self.dead_letters)

    def rights(self, group: str) -> list[Right]:
        """What a worker needs where the topics exist: to know after a crash what had been published, it reads back
        what it writes."""
        read_and_written = (self.by_contact, self.transitions, self.dead_letters)
        wanted = [Right(Kind.TOPIC, self.events, "READ"), Right(Kind.GROUP, group, "READ")]
        wanted += [Right(Kind.TOPIC, name, does) for name in read_and_written for does in ("READ", "WRITE")]
        return sorted(wanted, key=lambda right: right.kind is Kind.GROUP)


def ensure(
    connection: KafkaConnection,
    names: TopicNames,
    partitions: int,
    wait_s: float = 30.0,
    *,
    group: str | None = None,
) -> int:
    """Makes the topics that are missing, and returns how many partitions the events have. Blocks: use a thread.

    An events topic that exists decides the number of partitions for the others; ``partitions`` is for a new one.
    ``group``: of the worker that is about to start; refused is then, too, what lacks a right that a worker needs.

    Raises BrokerUnreachable where no broker answers within ``wait_s`` seconds, TopicsUnusable for all else.
    """
    if len(set(names.all)) < len(names.all):
        raise TopicsUnusable(
            f"the topics must have different names, and two of these are the same: {names.all}"
        )
    try:
        with _admin(connection, wait_s) as admin:
            wanted = [] if group is None else names.rights(group)
            _refuse_without(connection, lacking(admin, wanted))
            count, made = _ensure(admin, names, partitions)
            if made:
                _refuse_without(connection, lacking(admin, wanted))
            return count
    except errors.AuthorizationError as error:
        raise TopicsUnusable(_refused(connection, names, error)) from error
    except errors.RetriableError as error:
        raise BrokerUnreachable(
            f"no Kafka broker answers at {connection.address} ({error}): {WHAT_TO_DO}"
        ) from error
    except errors.KafkaError as error:
        raise TopicsUnusable(
            f"Kafka at {connection.address} would not do what the topics need: {error}"
        ) from error


def _admin(connection: KafkaConnection, wait_s: float) -> KafkaAdminClient:
    return KafkaAdminClient(
        **connection.options(), bootstrap_timeout_ms=int(wait_s * 1000), client_id="livesegments-topics"
    )


def _ensure(admin: KafkaAdminClient, names: TopicNames, partitions: int) -> tuple[int, bool]:
    """The number of partitions, and whether a topic was made."""
    found = _partitions_of(admin, names.all)
    # Before anything is made that would then be in the way.
    _refuse_other_counts(found, names, found.get(names.events, partitions))
    # The events first, and alone: another program may have made them a moment ago, with a number of its own.
    first = names.events not in found
    if first:
        found = _make(admin, names, [names.events], partitions, BROKER_MESSAGE_BYTES)
    wanted = found[names.events]
    _refuse_other_counts(found, names, wanted)
    missing = [name for name in names.all if name not in found]
    if missing:
        sizes = Right(Kind.TOPIC, names.events, "DESCRIBE_CONFIGS")
        if lacking(admin, [sizes]):
            raise errors.TopicAuthorizationFailedError(f"DESCRIBE_CONFIGS on {names.events}")
        # The largest record that the events can bring, so that none is too large to be sent on.
        largest = _max_message_bytes(admin, names.events)
        found = _make(admin, names, missing, wanted, largest)
        _refuse_other_counts(found, names, wanted)
    return wanted, first or bool(missing)


def _make(
    admin: KafkaAdminClient, names: TopicNames, missing: Sequence[str], partitions: int, largest: int
) -> dict[str, int]:
    """Makes topics; the number of partitions of all that are there then. One that somebody else made is as good."""
    new = {
        name: {"num_partitions": partitions, "configs": _configs(name, names, largest)} for name in missing
    }
    result = admin.create_topics(new, raise_errors=False)
    for topic in result["topics"]:
        error = errors.for_code(topic["error_code"])
        if error not in (errors.NoError, errors.TopicAlreadyExistsError):
            raise error(topic.get("error_message") or topic["name"])
    admin.wait_for_topics(missing)
    found = _partitions_of(admin, names.all)
    logger.info("made the topics %s", ", ".join(f"{name} ({found[name]} partitions)" for name in missing))
    return found


def _configs(name: str, names: TopicNames, largest: int) -> dict[str, str]:
    # The broker's clock, so that no producer's wrong one counts, as received time or in a topic's retention.
    configs = {"message.timestamp.type": "LogAppendTime"}
    if name in (names.by_contact, names.dead_letters):
        configs["max.message.bytes"] = str(largest + ENVELOPE_BYTES)
    return configs


def _partitions_of(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    """The number of partitions of those topics that exist."""
    found: dict[str, int] = {}
    for topic in admin.describe_topics(list(names)):
        error = errors.for_code(topic["error_code"])
        if issubclass(error, errors.AuthorizationError):
            raise error(topic["name"])
        if error is errors.NoError and topic["partitions"]:
            found[topic["name"]] = len(topic["partitions"])
        elif error not in (errors.NoError, errors.UnknownTopicOrPartitionError):
            raise error(topic["name"])
    return found


def _refuse_other_counts(found: Mapping[str, int], names: TopicNames, wanted: int) -> None:
    sources = {name: found[name] for name in names.sources if name in found}
    if len(set(sources.values())) > 1:
        said = " and ".join(f"{name} has {count}" for name, count in sources.items())
        raise TopicsUnusable(
            f"{said} partitions, and both must have the same number: add partitions to the smaller one, "
            "or name another events topic with SEGMENTS_EVENTS_TOPIC"
        )
    for name, setting in (
        (names.transitions, "SEGMENTS_TRANSITIONS_TOPIC"),
        (names.dead_letters, "SEGMENTS_DEAD_LETTER_TOPIC"),
    ):
        if found.get(name, wanted) < wanted:
            raise TopicsUnusable(
                f"the topic {name} has {found[name]} partitions, fewer than the {wanted} of the events: "
                f"add partitions to it, or name another topic with {setting}"
            )


def _max_message_bytes(admin: KafkaAdminClient, topic: str) -> int:
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": None})
    found: dict[str, Any] = admin.describe_configs([resource], config_filter="all")["topic"][topic]
    entry = found.get("max.message.bytes")
    return int(entry["value"]) if entry and entry["value"] else BROKER_MESSAGE_BYTES


def _refuse_without(connection: KafkaConnection, rights: Sequence[Right]) -> None:
    if rights:
        raise TopicsUnusable(
            f"Kafka at {connection.address} does not allow {connection.username or 'this client'} "
            f"{spelled(rights)}: give it these rights (kafka-acls.sh --add); what a worker needs is in docs/how-to/secure.md"
        )


def _refused(connection: KafkaConnection, names: TopicNames, error: errors.KafkaError) -> str:
    who = connection.username or "this client"
    return (
        f"Kafka at {connection.address} does not let {who} see or make its topics ({error}): make them for it "
        f"({', '.join(names.all)}), or allow it CREATE and DESCRIBE on those that are missing and DESCRIBE_CONFIGS on {names.events}"
    )
