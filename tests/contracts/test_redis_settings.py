"""The store before a Redis that is set up wrongly, or cannot write now."""

from collections.abc import Iterator

import pytest
import redis
from redis.asyncio import Redis

from streams.store import ContactStore, EvictingStore, StoreDenied, StoreUnavailable, Trouble
from streams.store.errors import NoSuchDatabase
from streams.store.keys import PartitionKeys
from tests.contracts.stores import PARTITION, PREFIX, Owner, opened
from tests.servers import OwnRedis, own_redis


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    """A server whose settings the tests below may change."""
    with own_redis(tmp_path_factory.mktemp("own-redis")) as server:
        yield server


@pytest.fixture
def changed(own_server: OwnRedis) -> Iterator[redis.Redis]:
    """A client that changes the server's settings; they are put back afterwards."""
    with redis.Redis.from_url(own_server.url) as client:
        client.flushall()
        yield client
        for name in ("maxmemory", "min-replicas-to-write"):
            client.config_set(name, 0)
        client.config_set("maxmemory-policy", "noeviction")
        client.replicaof("NO", "ONE")


# ---------------------------------------------------------------------------------------------------- settings


async def test_a_redis_that_may_evict_is_refused(own_server: OwnRedis, changed: redis.Redis) -> None:
    changed.config_set("maxmemory-policy", "allkeys-lru")
    async with opened(own_server.url) as store:
        assert "allkeys-lru" in " ".join(await store.open(4))
        changed.config_set("maxmemory", "100mb")
        with pytest.raises(EvictingStore, match="noeviction"):
            await store.open(4)
        changed.config_set("maxmemory-policy", "noeviction")
        assert await store.open(4) == []


async def test_a_redis_without_append_only_file_is_warned_about(
    own_server: OwnRedis, changed: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    changed.config_set("appendonly", "no")
    try:
        async with opened(own_server.url) as store:
            (warning,) = await store.open(4)
    finally:
        changed.config_set("appendonly", "yes")
    assert "append-only" in warning
    assert warning in caplog.text


async def test_a_wrong_password_stops_the_start(own_server: OwnRedis, changed: redis.Redis) -> None:
    changed.acl_setuser("worker", enabled=True, passwords=["+right"], keys=["*"], categories=["+@all"])
    url = own_server.url.replace("redis://", "redis://worker:{}@")
    async with opened(url.format("right")) as store:
        await store.open(4)
    async with opened(url.format("wrong")) as store:
        with pytest.raises(StoreDenied) as denied:
            await store.open(4)
        assert "wrong" not in str(denied.value).lower().replace("wrongpass", "")


async def test_a_database_that_does_not_exist_stops_the_start(own_server: OwnRedis) -> None:
    async with opened(f"{own_server.url.rsplit('/', 1)[0]}/9999") as store:
        with pytest.raises(NoSuchDatabase, match="SEGMENTS_REDIS"):
            await store.open(4)


async def test_a_user_without_info_is_served_with_a_warning_and_one_without_writes_is_told(
    own_server: OwnRedis, changed: redis.Redis
) -> None:
    changed.acl_setuser(
        "few", enabled=True, passwords=["+x"], keys=["*"], categories=["+@all"], commands=["-info"]
    )
    async with opened(own_server.url.replace("redis://", "redis://few:x@")) as store:
        assert "INFO is denied" in " ".join(await store.open(4))
        changed.acl_setuser("few", commands=["-hset"])
        with pytest.raises(StoreUnavailable) as denied:
            await store.take(PARTITION)
        assert denied.value.trouble is Trouble.DENIED
        changed.acl_setuser("few", commands=["+hset"])
        await store.take(PARTITION)


# ---------------------------------------------------------------------------------------------------- cannot write


async def _fails_then_works(
    store: ContactStore, owner: Owner, changed: redis.Redis, back: str
) -> StoreUnavailable:
    """Commits until told why not, puts the setting back, and tries the same commit again."""
    batch = owner.batch(
        wakes={"u1": None},
        exited={"hot": ["u1"]},
        trim=1,
        counts={"a": 1},
        contacts={"u1": b"x"},
        outbox=b"blob",
    )
    with pytest.raises(StoreUnavailable):
        await store.commit(batch)
    with pytest.raises(StoreUnavailable) as failed:
        await store.commit(batch)
    changed.execute_command(*back.split())  # type: ignore[no-untyped-call]
    assert (await store.commit(batch)).outbox_sequence == 1
    assert await store.counts(PARTITION) == {"a": 1}
    return failed.value


@pytest.mark.parametrize(
    ("breaks", "mends", "trouble"),
    [
        ("CONFIG SET maxmemory 100kb", "CONFIG SET maxmemory 0", Trouble.OUT_OF_MEMORY),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", Trouble.READ_ONLY),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", Trouble.CANNOT_PERSIST),
    ],
)
async def test_a_server_that_cannot_write_says_why_and_writes_once_when_it_can(
    own_server: OwnRedis, changed: redis.Redis, breaks: str, mends: str, trouble: Trouble
) -> None:
    async with opened(own_server.url) as store:
        owner = await Owner.of(store)
        changed.execute_command(*breaks.split())  # type: ignore[no-untyped-call]
        failed = await _fails_then_works(store, owner, changed, mends)
        assert failed.trouble is trouble


async def test_no_connection_at_all_is_unavailable(own_server: OwnRedis) -> None:
    for url in ("redis://127.0.0.1:1/0", "unix:///nowhere/redis.sock"):
        async with opened(url) as store:
            with pytest.raises(StoreUnavailable) as failed:
                await store.open(4)
            assert failed.value.trouble is Trouble.CONNECTION


async def test_a_key_of_a_wrong_type_stops_a_commit_before_it_writes(redis_url: str, admin: Redis) -> None:
    names = PartitionKeys.of(PREFIX, PARTITION)
    async with opened(redis_url) as store:
        for name in (names.offsets, names.meta, names.counts, names.contacts, names.wakes, names.outbox):
            await admin.flushdb()
            owner = await Owner.of(store)
            await admin.set(name, "someone else's")
            before = await admin.hgetall(names.state)
            batch = owner.batch(
                offsets={"events": (0, 1)},
                contacts={"u1": b"x"},
                wakes={"u1": 1},
                entered={"hot": ["u1"]},
                counts={"a": 1},
                outbox=b"x",
                meta={"x": b"x"},
            )
            with pytest.raises(StoreUnavailable):
                await store.commit(batch)
            assert await admin.hgetall(names.state) == before
            assert sorted(await admin.keys()) == sorted([name.encode(), names.state.encode()])
            await admin.delete(name)
            assert (await store.commit(batch)).outbox_sequence == 1


@pytest.mark.parametrize(
    "changes", [{"counts": {"a": 2**53}}, {"wakes": {"u1": 2**60}}, {"wakes": {"u1": 1.5}}]
)
async def test_a_number_that_redis_cannot_keep_exactly_stops_a_commit_before_it_writes(
    redis_url: str, admin: Redis, changes: dict[str, object]
) -> None:
    async with opened(redis_url) as store:
        owner = await Owner.of(store)
        await store.commit(owner.batch(counts={"a": 1}))
        keys = await admin.keys()
        with pytest.raises(StoreUnavailable) as failed:
            await store.commit(owner.batch(contacts={"u1": b"x"}, **changes))
        assert failed.value.trouble is Trouble.ERROR
        assert await admin.keys() == keys
