"""Redis: whether it lets us in, what we may do, whether it keeps what it is given, its clock, and the stored state."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from streams.admission import REBUILD_FIELD, TopicMadeAnew, topics_to_store
from streams.diagnostics.clocks import Clock, diagnose_store_clock
from streams.diagnostics.diagnosis import Diagnosis, ok, warning, wrong
from streams.diagnostics.kafka import Sources
from streams.places import Place, StateLost, begin_of, refuse_lost
from streams.records import NewerState, refuse_newer
from streams.settings import Settings
from streams.store import PartitionState, StoreError, StoreUnavailable
from streams.store.errors import Trouble
from streams.store.lines import Primary
from streams.store.nodes import SLOTS
from streams.store.redis import RedisStore

ANSWER_S = 5.0
"""How long Redis may take."""
_IN_FILE = "and in its configuration file"


async def diagnose_redis(settings: Settings, sources: Sources, wall_ms: Callable[[], int]) -> list[Diagnosis]:
    """``sources``: the source topics, as far as they can be seen."""
    place = settings.redis_place
    store = RedisStore(settings.redis.get_secret_value(), settings.group, timeout_s=ANSWER_S)
    try:
        rights = await _rights(store, settings)
        if rights.what == "Redis":
            return [rights]
        servers, clocks = await _servers(await store.primaries(), place, wall_ms)
        return [*servers, rights, *clocks, *await _stored(store, settings, sources)]
    except StoreUnavailable as error:
        return [_away(place, error.detail)]
    except AuthenticationError as error:
        return [
            wrong("Redis", f"{place} does not let us in: {error}", "see user and password in SEGMENTS_REDIS")
        ]
    except (RedisError, OSError) as error:
        return [_away(place, str(error))]
    finally:
        await store.close()


async def _servers(
    primaries: list[Primary], place: str, wall_ms: Callable[[], int]
) -> tuple[list[Diagnosis], list[Diagnosis]]:
    """What is to be said of the one server, or of each primary of a cluster: first all but the clocks."""
    found, clocks = [*_slots(primaries)], []
    for primary in primaries:
        client: Redis = Redis.from_url(primary.url, socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S)
        async with client:
            its = await _server(client, str(primary.place or place))
            clock = await _clock(client, wall_ms)
        found += [_of(primary, each) for each in its]
        clocks.append(_of(primary, clock))
    return found, clocks


def _of(primary: Primary, diagnosis: Diagnosis) -> Diagnosis:
    if primary.place is None:
        return diagnosis
    return replace(diagnosis, what=f"{diagnosis.what} ({primary.place})")


def _slots(primaries: list[Primary]) -> Iterator[Diagnosis]:
    if primaries[0].place is None:
        return
    missing = SLOTS - sum(primary.slots for primary in primaries)
    if missing:
        says = f"{missing:,} of {SLOTS:,} slots have no node: partitions that are in them stand still"
        yield wrong("Redis Cluster", says, "bring back the nodes that have them, or give them to others")
    else:
        yield ok("Redis Cluster", f"{len(primaries)} primaries have all {SLOTS:,} slots")


def _away(place: str, why: str) -> Diagnosis:
    fix = "start one (`segments up`), or set SEGMENTS_REDIS to where it is"
    return wrong("Redis", f"does not answer at {place}: {why}", fix)


async def _rights(store: RedisStore, settings: Settings) -> Diagnosis:
    """Named ``Redis`` where there is nothing else to say of it."""
    fix = f"ACL SETUSER … ~{settings.group}:* and the commands of docs/how-to/secure.md"
    try:
        denied = await store.denied_commands()
    except StoreUnavailable as error:
        if error.trouble is not Trouble.DENIED:
            return _away(settings.redis_place, error.detail)
        if "permission" in error.detail:
            return wrong("Redis rights", error.detail, fix)
        says = f"{settings.redis_place} does not let us in: {error.detail}"
        return wrong("Redis", says, "see user, password and ssl_ca_certs in SEGMENTS_REDIS")
    if denied:
        rights = " ".join(f"+{command.lower()}" for command in denied)
        return wrong("Redis rights", f"the user may not run {', '.join(denied)}", f"ACL SETUSER … {rights}")
    return ok("Redis rights", "the user may do what a worker does")


async def _server(client: Redis, place: str) -> list[Diagnosis]:
    try:
        info: dict[str, Any] = await client.info("everything")
    except NoPermissionError:
        says = f"answers at {place}, and does not say whether it may evict contacts, or keeps them on disk"
        return [warning("Redis", says, "ACL SETUSER … +info")]
    try:
        settings: dict[Any, Any] = await client.config_get("appendfsync", "save")
    except RedisError:  # not every service has it, and not every user may ask
        settings = {}
    return [ok("Redis", f"answers at {place}, version {_version(info)}"), *_keeping(info, settings)]


def _version(info: dict[str, Any]) -> str:
    valkey = info.get("valkey_version")
    return f"{valkey} (Valkey)" if valkey else str(info.get("redis_version", "unknown"))


def _keeping(info: dict[str, Any], settings: dict[Any, Any]) -> Iterator[Diagnosis]:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy == "noeviction":
        yield ok("Redis memory", "noeviction: it never throws contacts away")
    else:
        limited = bool(info.get("maxmemory"))
        says = (
            "it throws contacts away when its memory is full"
            if limited
            else "with a maxmemory it would throw contacts away"
        )
        yield wrong(
            "Redis memory", f"{policy}: {says}", f"CONFIG SET maxmemory-policy noeviction, {_IN_FILE}"
        )
    yield _disk(info, settings)
    if info.get("role") == "slave":
        yield wrong(
            "Redis role", "it is a replica, which takes no writes", "set SEGMENTS_REDIS to the primary"
        )


def _disk(info: dict[str, Any], settings: dict[Any, Any]) -> Diagnosis:
    what = "Redis on disk"
    if not info.get("aof_enabled"):
        kept = "what came after its last snapshot" if settings.get("save", "?") else "everything"
        says = f"no append-only file: {kept} is lost when it stops"
        return wrong(what, says, f"CONFIG SET appendonly yes, {_IN_FILE}")
    if info.get("aof_last_write_status", "ok") != "ok":
        return wrong(what, "its append-only file cannot be written", "see its log: its disk may be full")
    match settings.get("appendfsync"):
        case "always":
            return ok(
                what, "append-only file, written before each answer: nothing is lost when its machine stops"
            )
        case "no":
            says = "append-only file, written whenever the system likes: half a minute and more is lost when its machine stops"
            return warning(what, says, f"CONFIG SET appendfsync everysec (or always), {_IN_FILE}")
        case "everysec":
            return ok(
                what,
                "append-only file, written every second: when its machine stops, the last second is lost and processed "
                "again from Kafka; what is published again has the same messageId (appendfsync always: nothing)",
            )
        case _:
            return ok(what, "append-only file")


async def _clock(client: Redis, wall_ms: Callable[[], int]) -> Diagnosis:
    before_ms = wall_ms()
    try:
        seconds, micros = await client.time()
    except NoPermissionError:
        return warning("Redis' clock", "cannot be told", "ACL SETUSER … +time")
    return diagnose_store_clock(Clock("Redis' clock", seconds * 1000 + micros // 1000, before_ms, wall_ms()))


async def _stored(store: RedisStore, settings: Settings, sources: Sources) -> list[Diagnosis]:
    try:
        stored = await store.partition_count()
        events = sources.get(settings.events_topic)
        partitions = 0 if events is None else len(events.places)
        if stored is not None and partitions and stored != partitions:
            found = f"made for {stored} partitions, and {settings.events_topic} has {partitions}"
            fix = f"go back to {stored} partitions, or start anew under another SEGMENTS_GROUP"
            return [wrong("state", found, fix)]
        count = stored or partitions
        wrongs = [
            each
            for number in range(count)
            for each in _of_partition(number, await store.peek(number), sources)
        ]
        if wrongs:
            return wrongs
        if stored is None:
            return [ok("state", f"none yet of the group {settings.group}")]
        return [ok("state", f"of the group {settings.group}, for {stored} partitions")]
    except StoreError as error:
        return [wrong("state", str(error), "see SEGMENTS_REDIS")]


def _of_partition(number: int, state: PartitionState, sources: Sources) -> Iterator[Diagnosis]:
    """What is wrong with a partition's state, beside what Kafka has."""
    try:
        refuse_newer(number, state.meta)
    except NewerState as newer:
        yield wrong(
            f"state of partition {number}", str(newer), "run the version that wrote it, or a newer one"
        )
        return
    if state.meta.get(REBUILD_FIELD):
        says = "is only a part of what it has to be: a rebuild is at work, or was broken off"
        yield wrong(f"state of partition {number}", says, "wait for `segments rebuild`, or run it again")
        return
    offsets = begin_of(state.meta) | state.offsets
    places = {
        topic: replace(source.places[number], offset=offsets.get(topic))
        for topic, source in sources.items()
        if number < len(source.places)
    }
    try:
        refuse_lost(number, places)
        topics_to_store(
            number,
            state.offsets,
            state.meta,
            {topic: source.topic_id for topic, source in sources.items() if source.topic_id},
        )
    except StateLost as lost:
        fix = "set SEGMENTS_REDIS to where it is; or stop all workers, then `segments rebuild` (docs/how-to/rebuild.md)"
        yield wrong(f"state of partition {number}", lost.why, fix)
        return
    except TopicMadeAnew as anew:
        fix = "stop all workers, then `segments rebuild` (docs/how-to/rebuild.md)"
        yield wrong(f"state of partition {number}", anew.why, fix)
        return
    for topic, place in places.items():
        yield from _out_of_place(f"state of {topic}/{number}", place)


def _out_of_place(what: str, place: Place) -> Iterator[Diagnosis]:
    """Where it goes on from where the topic has nothing."""
    if place.offset is None:
        return
    if place.offset < place.begin:
        yield wrong(
            what,
            f"the records {place.offset} to {place.begin - 1} were deleted before they were taken",
            "keep events longer (retention.ms); what is gone is lost",
        )
    elif place.offset > place.end:
        yield wrong(
            what,
            f"at offset {place.offset}, and the topic ends at {place.end}: it was made anew, or lost records",
            "restore the topic; or stop all workers, then `segments rebuild` (docs/how-to/rebuild.md)",
        )
