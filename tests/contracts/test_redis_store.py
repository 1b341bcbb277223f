"""What only the store in Redis can meet: lost answers, restarts, odd numbers and keys."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis

from streams.local.redis_server import Fsync
from streams.store import FenceLost, StateMoved, StoreUnavailable, Trouble
from streams.store.keys import PartitionKeys
from streams.store.redis import RedisStore
from tests.contracts.stores import PARTITION, PREFIX, Owner, opened, redis_stores
from tests.proxy import proxied
from tests.redis_cluster import until
from tests.servers import own_redis

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
    async with proxied(redis_url) as (proxy, url), opened(url, timeout_s=2) as store:
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


async def test_whoever_waits_behind_a_call_without_an_answer_is_told_at_the_same_time(redis_url: str) -> None:
    async with proxied(redis_url) as (proxy, url), opened(url, timeout_s=2) as store:
        await store.counts(PARTITION)
        proxy.silent = True
        first = asyncio.create_task(store.counts(PARTITION))
        await asyncio.sleep(0.1)
        behind = [asyncio.create_task(store.counts(partition)) for partition in range(3)]
        with pytest.raises(StoreUnavailable):
            await first
        for failed in await asyncio.gather(*behind, return_exceptions=True):
            assert isinstance(failed, StoreUnavailable)
            assert failed.trouble is Trouble.TIMEOUT
        assert proxy.connections == 1, "each has waited for itself"
        proxy.silent = False
        await store.counts(PARTITION)


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


async def test_what_is_asked_reaches_redis_though_the_event_loop_has_other_work(redis_url: str) -> None:
    """As it has, all the time, under load: nobody's batch waits until another one's is worked out."""
    async with opened(redis_url) as store:
        await store.peek(PARTITION)
        waiting = [asyncio.create_task(store.note(PARTITION, f"n{number}", b"")) for number in range(2)]
        await asyncio.sleep(0)  # they ask; the loop has no other turn before they are looked for
        with redis.Redis.from_url(redis_url) as other:
            until(lambda: other.hlen(PartitionKeys.of(PREFIX, PARTITION).meta) == 2, within_s=10)
        await asyncio.gather(*waiting)


async def test_an_answer_that_other_work_kept_from_being_read_is_no_timeout(redis_url: str) -> None:
    async with opened(redis_url, timeout_s=2) as store:
        await store.peek(PARTITION)
        asked = asyncio.create_task(store.note(PARTITION, "n", b""))
        await asyncio.sleep(0)
        time.sleep(2.5)  # noqa: ASYNC251  as generating what judges thousands of segments may take
        await asked


async def test_what_is_asked_is_sent_before_others_have_their_answers(redis_url: str) -> None:
    async with proxied(redis_url) as (proxy, url), opened(url) as store:
        await store.peek(PARTITION)
        proxy.silent = True
        waiting = []
        for name in ("first", "second"):
            came = asyncio.Event()
            proxy.swallow_at = _noting(name.encode(), came)
            waiting.append(asyncio.create_task(store.note(PARTITION, name, b"")))
            async with asyncio.timeout(10):
                await came.wait()
        assert not any(each.done() for each in waiting)
        for each in waiting:
            each.cancel()


def _noting(text: bytes, came: asyncio.Event) -> Callable[[bytes], bool]:
    """Lets everything through, and says when this text came by."""

    def look(chunk: bytes) -> bool:
        if text in chunk:
            came.set()
        return False

    return look


async def test_what_nobody_waits_for_any_more_is_not_sent_again(redis_url: str) -> None:
    async with proxied(redis_url) as (proxy, url), opened(url) as store:
        await store.peek(PARTITION)
        proxy.silent = True
        came = asyncio.Event()
        proxy.swallow_at = _noting(b"wanted", came)
        given_up = asyncio.create_task(store.note(PARTITION, "given-up", b""))
        wanted = asyncio.create_task(store.note(PARTITION, "wanted", b""))
        async with asyncio.timeout(10):
            await came.wait()
        given_up.cancel()
        await asyncio.sleep(0)
        again = asyncio.Event()
        proxy.swallow_at = _noting(b"given-up", again)
        proxy.silent = False
        proxy.cut()
        await wanted
        assert not again.is_set()


async def test_a_server_that_became_a_replica_is_left_for_the_one_that_has_its_name_now(
    tmp_path: Path,
) -> None:
    with own_redis(tmp_path, Fsync.EVERY_SECOND) as server, redis.Redis.from_url(server.url) as admin:
        async with proxied(server.url) as (proxy, url), opened(url) as store:
            owners = [Owner(store, (await store.take(partition)).fence) for partition in range(3)]
            batches = [owner.batch(counts={"a": 1}) for owner in owners]
            for partition, batch in enumerate(batches):
                batch.partition = partition
            connections = proxy.connections
            admin.replicaof("127.0.0.1", "1")
            for error in await asyncio.gather(*map(store.commit, batches), return_exceptions=True):
                assert isinstance(error, StoreUnavailable)
                assert error.trouble is Trouble.READ_ONLY
            admin.replicaof("NO", "ONE")
            await asyncio.gather(*map(store.commit, batches))
            assert proxy.connections == connections + 1


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
    # What is committed is on the disk before the answer comes, so that the kill may come at any time.
    with own_redis(tmp_path, Fsync.ALWAYS) as server:
        server.kill()
        server.start()
        async with opened(server.url) as store:
            owner = await Owner.of(store)
            await store.commit(owner.batch(counts={"a": 1}, contacts={"u1": b"one"}))
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
        assert older
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
        assert set(await admin.keys()) == {
            b"livesegments:partitions",
            b"livesegments:definitions",
            *(f"livesegments:{{3}}:{kind}".encode() for kind in kinds),
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
