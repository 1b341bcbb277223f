"""Looks at everything that a worker needs, and says of each thing that is wrong what to do. Changes nothing."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from kafka import errors as kafka_errors
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from rules.checker import check as check_definitions
from streams.connections import KafkaConnection
from streams.errors import ConfigurationError
from streams.settings import Settings
from streams.store import StoreError
from streams.store.redis import RedisStore
from streams.topics import TopicNames

ANSWER_S = 5.0
"""How long Kafka and Redis may take."""


class Grade(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    """It works; something may go wrong later."""
    WRONG = "wrong"
    """A worker will not start, or not do its work."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at."""

    what: str
    grade: Grade
    found: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """For ``--json``."""
        return asdict(self)


async def diagnose(settings: Settings) -> list[Diagnosis]:
    """Everything, in the order in which to mend it. Never raises for what is wrong with Kafka, Redis or definitions."""
    kafka, partitions = await asyncio.to_thread(_kafka, settings)
    return [*kafka, *await _redis(settings, partitions), *_definitions(settings)]


def _kafka(settings: Settings) -> tuple[list[Diagnosis], int | None]:
    connection = KafkaConnection.of(settings)
    try:
        with KafkaAdminClient(
            **connection.options(), bootstrap_timeout_ms=int(ANSWER_S * 1000), client_id="livesegments-doctor"
        ) as admin:
            found = [_ok("Kafka", f"answers at {connection.address}")]
            topics, partitions = _topics(admin, settings)
            return [*found, *topics], partitions
    except kafka_errors.SaslAuthenticationFailedError as error:
        fix = "see SEGMENTS_KAFKA_USERNAME, SEGMENTS_KAFKA_PASSWORD and SEGMENTS_KAFKA_SASL_MECHANISM"
        return [
            _wrong("Kafka", f"{connection.address} refuses the user {connection.username}: {error}", fix)
        ], None
    except (kafka_errors.KafkaError, OSError, ValueError) as error:
        fix = "start one (`segments up`), or set SEGMENTS_KAFKA to where it is"
        said = str(error) or type(error).__name__
        return [_wrong("Kafka", f"does not answer at {connection.address}: {said}", fix)], None


def _topics(admin: KafkaAdminClient, settings: Settings) -> tuple[list[Diagnosis], int | None]:
    names = TopicNames.of(settings)
    counts: dict[str, int] = {}
    found: list[Diagnosis] = []
    for topic in admin.describe_topics(list(names.all)):
        name, error = topic["name"], kafka_errors.for_code(topic["error_code"])
        if error is kafka_errors.UnknownTopicOrPartitionError:
            found.append(_warning(f"topic {name}", "does not exist", "a worker makes it when it starts"))
        elif error is not kafka_errors.NoError:
            found.append(
                _wrong(
                    f"topic {name}", f"cannot be seen ({error.__name__})", "give the user DESCRIBE and READ"
                )
            )
        else:
            counts[name] = len(topic["partitions"])
    kinds = _timestamp_types(admin, [name for name in names.sources if name in counts])
    wanted = counts.get(names.events)
    found += [_topic(name, count, wanted, names, kinds.get(name)) for name, count in counts.items()]
    order = {f"topic {name}": number for number, name in enumerate(names.all)}
    return sorted(found, key=lambda diagnosis: order[diagnosis.what]), wanted


def _topic(name: str, count: int, wanted: int | None, names: TopicNames, kind: str | None) -> Diagnosis:
    what, has = f"topic {name}", f"{count} partitions"
    if wanted is not None and name == names.by_contact and count != wanted:
        return _wrong(what, f"{has}, and {names.events} has {wanted}", "give both the same number")
    if wanted is not None and count < wanted:
        return _wrong(what, f"{has}, fewer than the {wanted} of {names.events}", "add partitions to it")
    if kind is not None and kind != "LogAppendTime":
        fix = f"kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config "
        says = f"{has}; timestamps are the producers' ({kind}), so that their wrong clocks count"
        return _warning(what, says, f"{fix}message.timestamp.type=LogAppendTime")
    return _ok(what, has)


def _timestamp_types(admin: KafkaAdminClient, topics: list[str]) -> dict[str, str]:
    if not topics:
        return {}
    setting = "message.timestamp.type"
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, {setting: None}) for name in topics]
    found: dict[str, Any] = admin.describe_configs(asked, config_filter="all")["topic"]
    return {name: found[name][setting]["value"] for name in topics if setting in found.get(name, {})}


async def _redis(settings: Settings, partitions: int | None) -> list[Diagnosis]:
    from redis.asyncio import Redis
    from redis.exceptions import AuthenticationError, RedisError

    place = settings.redis_place
    client = Redis.from_url(
        settings.redis.get_secret_value(), socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S
    )
    try:
        info: dict[str, Any] = await client.info("everything")
        found = [_ok("Redis", f"answers at {place}, version {_version(info)}"), *_redis_settings(info)]
    except AuthenticationError as error:
        return [
            _wrong("Redis", f"{place} does not let us in: {error}", "see user and password in SEGMENTS_REDIS")
        ]
    except (RedisError, OSError) as error:
        fix = "start one (`segments up`), or set SEGMENTS_REDIS to where it is"
        return [_wrong("Redis", f"does not answer at {place}: {error}", fix)]
    finally:
        await client.aclose()
    return [*found, *await _stored(settings, partitions)]


def _version(info: dict[str, Any]) -> str:
    valkey = info.get("valkey_version")
    return f"{valkey} (Valkey)" if valkey else str(info.get("redis_version", "unknown"))


def _redis_settings(info: dict[str, Any]) -> Iterator[Diagnosis]:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    limited = bool(info.get("maxmemory"))
    fix = "CONFIG SET maxmemory-policy noeviction, and in its configuration file"
    if policy == "noeviction":
        yield _ok("Redis memory", "noeviction: it never throws contacts away")
    elif limited:
        yield _wrong("Redis memory", f"{policy}: it throws contacts away when its memory is full", fix)
    else:
        yield _warning("Redis memory", f"{policy}: with a maxmemory it would throw contacts away", fix)
    if info.get("aof_enabled"):
        yield _ok("Redis on disk", "append-only file")
    else:
        lost = "no append-only file: what came after its last snapshot is lost when it stops"
        yield _warning("Redis on disk", lost, "CONFIG SET appendonly yes, and in its configuration file")
    if info.get("role") == "slave":
        yield _wrong(
            "Redis role", "it is a replica, which takes no writes", "set SEGMENTS_REDIS to the primary"
        )


async def _stored(settings: Settings, partitions: int | None) -> list[Diagnosis]:
    store = RedisStore(settings.redis.get_secret_value(), settings.group, timeout_s=ANSWER_S)
    try:
        stored = await store.partition_count()
    except StoreError as error:
        return [_wrong("state", str(error), "see SEGMENTS_REDIS")]
    finally:
        await store.close()
    if stored is None:
        return [_ok("state", f"none yet of the group {settings.group}")]
    if partitions is not None and stored != partitions:
        found = f"made for {stored} partitions, and {settings.events_topic} has {partitions}"
        return [
            _wrong(
                "state", found, f"go back to {stored} partitions, or start anew under another SEGMENTS_GROUP"
            )
        ]
    return [_ok("state", f"of the group {settings.group}, for {stored} partitions")]


def _definitions(settings: Settings) -> list[Diagnosis]:
    try:
        findings = check_definitions(settings.definitions_directory)
    except ConfigurationError as error:
        return [_wrong("definitions", str(error), "set SEGMENTS_DEFINITIONS, or `segments init`")]
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    warnings = [str(finding) for finding in findings if finding.severity == "warning"]
    fix = f"see `segments check {settings.definitions}`"
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return [_wrong("definitions", f"{errors[0]}{more}", fix)]
    if warnings:
        return [
            _warning("definitions", f"sound, with {len(warnings)} warnings, the first: {warnings[0]}", fix)
        ]
    return [_ok("definitions", f"sound, in {settings.definitions}")]


def _ok(what: str, found: str) -> Diagnosis:
    return Diagnosis(what, Grade.OK, found)


def _warning(what: str, found: str, fix: str) -> Diagnosis:
    return Diagnosis(what, Grade.WARNING, found, fix)


def _wrong(what: str, found: str, fix: str) -> Diagnosis:
    return Diagnosis(what, Grade.WRONG, found, fix)
