"""What only the store in Redis can meet: lost answers, restarts, full memory, denied rights."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis

from streams.store import (
    ContactStore,
    EvictingStore,
    FenceLost,
    StateMoved,
    StoreDenied,
    StoreUnavailable,
    Trouble,
)
from streams.store.keys import PartitionKeys
from streams.store.redis import RedisStore
from tests.contracts.proxy import proxied
from tests.contracts.stores import PARTITION, Owner, redis_stores
from tests.servers import OwnRedis, own_redis

PREFIX = "livesegments"


@contextlib.asynccontextmanager
async def opened(url: str, *, timeout_s: float = 10.0) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, PREFIX, timeout_s=timeout_s)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def admin(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


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


# ---------------------------------------------------------------------------------------------------- lost answers


async def test_a_commit_whose_answer_was_lost_is_applied_once_when_tried_again(redis_url: str) -> None:
    async with proxied(redis_url) as (proxy, url), opened(url) as store:
        owner = await Owner.of(store)
        batch = owner.batch(offsets={"events": (0, 5)}, counts={"a": 1}, outbox=b"blob")
        proxy.cut_at_answer = True
        with pytest.raises(StoreUnavailable) as failed:
            await store.commit(batch)
        assert failed.value.trouble is Trouble.CONNECTION
        with pytest.raises(StateMoved):
            await store.commit(owner.batch(counts={"a": 1}))
        proxy.cut_at_answer = False
        result = await store.commit(batch)
        assert result.outbox_sequence == 1
        await store.commit(owner.batch(offsets={"events": (5, 6)}, counts={"a": 1}))
        assert await store.counts(PARTITION) == {"a": 2}
        state = await store.take(PARTITION)
        assert (state.outbox, state.offsets) == ([(1, b"blob")], {"events": 6})


async def test_a_dead_connection_is_replaced_without_the_caller_noticing(redis_url: str) -> None:
    async with proxied(redis_url) as (proxy, url), opened(url) as store:
        owner = await Owner.of(store)
        for _ in range(3):
            proxy.cut()
            await store.commit(owner.batch(counts={"a": 1}))
        assert await store.counts(PARTITION) == {"a": 3}
        assert proxy.connections == 4


async def test_an_answer_that_does_not_come_is_a_timeout_and_the_commit_may_be_tried_again(
    redis_url: str,
) -> None:
    async with proxied(redis_url) as (proxy, url), opened(url, timeout_s=0.2) as store:
        owner = await Owner.of(store)
        batch = owner.batch(counts={"a": 1})
        proxy.silent = True
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as failed:
                await store.commit(batch)
            assert failed.value.trouble is Trouble.TIMEOUT
        proxy.silent = False
        await store.commit(batch)
        assert await store.counts(PARTITION) == {"a": 1}


async def test_a_cancelled_commit_may_be_tried_again_and_leaves_others_alone(redis_url: str) -> None:
    async with opened(redis_url) as store:
        owner = await Owner.of(store)
        batch = owner.batch(counts={"a": 1})
        task = asyncio.create_task(store.commit(batch))
        other = asyncio.create_task(store.counts(PARTITION))
        await asyncio.sleep(0)
        task.cancel()
        await other
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.commit(batch)
        assert await store.counts(PARTITION) == {"a": 1}


async def test_partitions_that_commit_together_share_a_connection_and_fail_alone(redis_url: str) -> None:
    async with proxied(redis_url) as (proxy, url), opened(url) as store:
        fences = [(await store.take(partition)).fence for partition in range(8)]
        batches = [Owner(store, fence).batch(counts={"a": 1}) for fence in fences]
        for partition, batch in enumerate(batches):
            batch.partition = partition
        async with opened(url) as elsewhere:
            await elsewhere.take(5)
        results = await asyncio.gather(*map(store.commit, batches), return_exceptions=True)
        assert [type(each) is FenceLost for each in results] == [at == 5 for at in range(8)]
        assert proxy.connections == 2


# ---------------------------------------------------------------------------------------------------- restarts


async def test_scripts_that_the_server_forgot_are_sent_again(redis_url: str, admin: Redis) -> None:
    async with opened(redis_url) as store:
        owner = await Owner.of(store)
        await admin.script_flush()
        await store.commit(owner.batch(counts={"a": 1}))
        assert await store.counts(PARTITION) == {"a": 1}


async def test_work_goes_on_after_redis_was_killed_and_started_again(tmp_path: Path) -> None:
    with own_redis(tmp_path) as server:
        server.kill()
        server.start()
        async with opened(server.url) as store:
            owner = await Owner.of(store)
            await store.commit(owner.batch(counts={"a": 1}, contacts={"u1": b"one"}))
            await asyncio.sleep(1.2)  # until it is on the disk
            server.kill()
            batch = owner.batch(counts={"a": 1})
            with pytest.raises(StoreUnavailable) as failed:
                await store.commit(batch)
            assert failed.value.trouble is Trouble.CONNECTION
            server.start()
            await store.commit(batch)
            assert await store.counts(PARTITION) == {"a": 2}
            assert await store.load(PARTITION, ["u1"]) == [b"one"]


async def test_an_owner_notices_that_redis_was_put_back_to_an_older_copy(
    redis_url: str, admin: Redis
) -> None:
    async with opened(redis_url) as store:
        owner = await Owner.of(store)
        await store.commit(owner.batch(counts={"a": 1}))
        state = PartitionKeys.of(PREFIX, PARTITION).state
        older = await admin.dump(state)
        await store.commit(owner.batch(counts={"a": 1}))
        await admin.restore(state, 0, older, replace=True)
        with pytest.raises(StateMoved):
            await store.commit(owner.batch(counts={"a": 1}))
        again = await Owner.of(store)
        assert again.fence > owner.fence
        await store.commit(again.batch())


async def test_a_fence_is_not_given_twice_though_redis_forgot_that_it_gave_it(
    redis_url: str, admin: Redis
) -> None:
    async with opened(redis_url) as store, opened(redis_url) as other:
        owner = await Owner.of(store)
        await admin.flushdb()
        await other.take(PARTITION)
        with pytest.raises(FenceLost):
            await store.commit(owner.batch())


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
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as failed:
            await store.commit(batch)
    changed.execute_command(*back.split())
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
        changed.execute_command(*breaks.split())
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


# ---------------------------------------------------------------------------------------------------- the rest


async def test_all_keys_of_a_partition_carry_its_hash_tag(redis_url: str, admin: Redis) -> None:
    async with opened(redis_url) as store:
        await store.open(4)
        await store.register({"hot": b"1"})
        owner = await Owner.of(store)
        await store.commit(
            owner.batch(
                offsets={"events": (0, 1)},
                contacts={"u{9}": b"x"},
                wakes={"u{9}": 1},
                entered={"hot": ["u{9}"]},
                counts={"{8}": 1},
                outbox=b"x",
                meta={"x": b"x"},
            )
        )
        kinds = ("state", "offsets", "meta", "counts", "contacts", "wakes", "outbox", "members:hot")
        assert {key.decode() for key in await admin.keys()} == {
            "livesegments:partitions",
            "livesegments:definitions",
            *(f"livesegments:{{3}}:{kind}" for kind in kinds),
        }


async def test_every_operation_is_observed_with_its_time_and_whether_it_failed(redis_url: str) -> None:
    observed: list[tuple[str, bool]] = []
    store = RedisStore(
        redis_url,
        PREFIX,
        observe=lambda name, seconds, failed: observed.append((name, failed and seconds > 0)),
    )
    await store.open(4)
    owner = await Owner.of(store)
    await store.commit(owner.batch())
    with pytest.raises(FenceLost):
        await store.commit(Owner(store, 1).batch())
    await store.load(PARTITION, ["u1"])
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.load(PARTITION, ["u1"])
    assert observed == [("open", False), ("take", False), ("commit", False), ("load", False), ("load", True)]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1", "redis+cluster://127.0.0.1", "redis://127.0.0.1?nonsense=1", "127.0.0.1:6379"]
)
def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        RedisStore(url, PREFIX)


@pytest.mark.parametrize("prefix", ["", "a{b}", "a b", "ключ", "a\n"])
def test_a_prefix_that_would_make_names_ambiguous_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="cannot begin names"):
        RedisStore("redis://127.0.0.1", prefix)


async def test_stores_of_other_prefixes_share_nothing(redis_url: str) -> None:
    one, two = redis_stores(redis_url, "one")(), redis_stores(redis_url, "two")()
    await one.open(4)
    await two.open(8)
    assert await one.register({"hot": b"1"}) == {"hot": 1}
    assert await two.register({}) == {}
    await one.close()
    await two.close()
