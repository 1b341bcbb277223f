"""The store in a Redis Cluster: which node is asked, slots that move, nodes that die, and settings of each node."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import redis

from streams.store import Commit, EvictingStore, StateMoved, StoreDenied, StoreUnavailable, Trouble
from streams.store.errors import NoSuchDatabase
from streams.store.redis import RedisStore
from tests.contracts.stores import Owner
from tests.redis_cluster import ClusterNode, OwnCluster

PARTITIONS = 8


@pytest.fixture
async def store(redis_cluster: OwnCluster, unique: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(redis_cluster.url, unique, timeout_s=5)
    await store.open(PARTITIONS)
    yield store
    await store.close()


class Owners:
    """A worker that has all partitions."""

    def __init__(self, owners: list[Owner]) -> None:
        self.owners = owners

    @classmethod
    async def of(cls, store: RedisStore) -> "Owners":
        states = await asyncio.gather(*map(store.take, range(PARTITIONS)))
        return cls([Owner(store, state.fence) for state in states])

    async def commit(self, partition: int, **changes: object) -> None:
        owner = self.owners[partition]
        batch = owner.batch(**({"counts": {"a": 1}, "contacts": {"u1": b"one"}} | changes))
        batch.partition = partition
        await owner.store.commit(batch)


async def commit_at_last(store: RedisStore, batch: Commit, *expected: Trouble) -> None:
    """Tries until it is done, as a lane does; of nothing else but what is expected."""
    until = time.monotonic() + 20
    while True:
        try:
            await store.commit(batch)
        except StoreUnavailable as error:
            if error.trouble not in expected or time.monotonic() > until:
                raise
            await asyncio.sleep(0.05)
        else:
            return


async def counted(store: RedisStore) -> list[int]:
    return [(await store.counts(partition)).get("a", 0) for partition in range(PARTITIONS)]


def clients_of(node: ClusterNode) -> set[str]:
    with redis.Redis.from_url(node.url) as client:
        return {each["id"] for each in client.client_list(_type="normal")}


# ---------------------------------------------------------------------------------------------------- which node


async def test_each_partition_is_kept_by_one_node_and_there_is_one_connection_to_each(
    redis_cluster: OwnCluster, unique: str
) -> None:
    before = [clients_of(node) for node in redis_cluster.primaries]
    store = RedisStore(redis_cluster.primaries[1].url, unique)
    owners = await Owners.of(store)
    await asyncio.gather(*map(owners.commit, range(PARTITIONS)))
    new = [
        len(clients_of(node) - clients) - 1
        for node, clients in zip(redis_cluster.primaries, before, strict=True)
    ]
    assert new == [1, 1, 1]
    assert {redis_cluster.holder(partition).port for partition in range(PARTITIONS)} == {
        node.port for node in redis_cluster.primaries
    }
    for partition in range(PARTITIONS):
        keys = redis_cluster.holder(partition).tell("KEYS", f"{unique}:{{{partition}}}:*")
        assert {key.rpartition(":")[2] for key in keys} == {"state", "counts", "contacts"}
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.counts(0)


async def test_a_replica_is_as_good_an_entrance_as_a_primary(redis_cluster: OwnCluster, unique: str) -> None:
    store = RedisStore(redis_cluster.replica_of(redis_cluster.primaries[0]).url, unique)
    await store.open(PARTITIONS)
    owners = await Owners.of(store)
    await asyncio.gather(*map(owners.commit, range(PARTITIONS)))
    assert await counted(store) == [1] * PARTITIONS
    await store.close()


async def test_scripts_that_a_node_does_not_know_are_sent_to_it(
    redis_cluster: OwnCluster, store: RedisStore
) -> None:
    owners = await Owners.of(store)
    for node in redis_cluster.primaries:
        node.tell("SCRIPT", "FLUSH")
    await asyncio.gather(*map(owners.commit, range(PARTITIONS)))
    assert await counted(store) == [1] * PARTITIONS


# ---------------------------------------------------------------------------------------------------- slots that move


async def test_a_slot_that_is_on_its_way_holds_up_its_partition_alone_and_a_commit_is_done_once(
    redis_cluster: OwnCluster, store: RedisStore
) -> None:
    owners = await Owners.of(store)
    await asyncio.gather(*map(owners.commit, range(PARTITIONS)))
    there = next(node for node in redis_cluster.primaries if node is not redis_cluster.holder(3))
    waiting = owners.owners[3].batch(counts={"a": 1}, contacts={"u2": b"two"}, outbox=b"x")
    with redis_cluster.moving(3, there):
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as failed:
                await store.commit(waiting)
            assert failed.value.trouble is Trouble.CLUSTER
        with pytest.raises(StoreUnavailable) as failed:
            await store.take(3)
        assert failed.value.trouble is Trouble.CLUSTER
        for partition in set(range(PARTITIONS)) - {3}:
            await owners.commit(partition)
    assert (await store.commit(waiting)).outbox_sequence == 1
    assert await counted(store) == [2] * PARTITIONS
    assert await store.load(3, ["u1", "u2"]) == [b"one", b"two"]


async def test_a_slot_that_has_moved_is_followed_without_the_caller_noticing(
    redis_cluster: OwnCluster, store: RedisStore
) -> None:
    owners = await Owners.of(store)
    for number in range(4):
        there = redis_cluster.primaries[number % 3]
        if redis_cluster.holder(5) is not there:
            (redis_cluster.move_at_once if number == 3 else redis_cluster.move)(5, there)
        await asyncio.gather(*map(owners.commit, range(PARTITIONS)))
    assert await counted(store) == [4] * PARTITIONS


# ---------------------------------------------------------------------------------------------------- nodes that die


async def test_a_node_that_is_killed_holds_up_its_partitions_until_it_is_back_and_a_commit_is_done_once(
    redis_cluster: OwnCluster, store: RedisStore
) -> None:
    owners = await Owners.of(store)
    node = redis_cluster.primaries[1]
    replica = redis_cluster.replica_of(node)
    replica.kill()  # nobody takes over
    its = [partition for partition in range(PARTITIONS) if redis_cluster.holder(partition) is node]
    others = [partition for partition in range(PARTITIONS) if redis_cluster.holder(partition) is not node]
    assert its
    await asyncio.gather(*map(owners.commit, range(PARTITIONS)))
    node.kill()
    batch = owners.owners[its[0]].batch(counts={"a": 1})
    batch.partition = its[0]
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable) as failed:
        await store.commit(batch)
    assert failed.value.trouble is Trouble.CONNECTION
    assert str(node.port) in failed.value.detail
    await asyncio.gather(*map(owners.commit, others))
    assert time.monotonic() - begun < 1, "somebody waited for a node that is gone"
    node.start()
    replica.start()
    await commit_at_last(store, batch, Trouble.CONNECTION, Trouble.LOADING, Trouble.CLUSTER)
    for partition in its[1:]:
        await owners.commit(partition)
    assert await counted(store) == [2] * PARTITIONS


async def test_a_replica_that_takes_over_is_found_though_the_entrance_is_gone(
    redis_cluster: OwnCluster, store: RedisStore
) -> None:
    node = redis_cluster.primaries[0]
    replica = redis_cluster.replica_of(node)
    owners = await Owners.of(store)
    its = [partition for partition in range(PARTITIONS) if redis_cluster.holder(partition) is node]
    assert its
    await asyncio.gather(*map(owners.commit, range(PARTITIONS)))
    node.tell("WAIT", 1, 2000)  # until the replica has it
    node.kill()
    for partition in its:
        batch = owners.owners[partition].batch(counts={"a": 1})
        batch.partition = partition
        await commit_at_last(store, batch, Trouble.CONNECTION, Trouble.CLUSTER)
    assert replica.tell("ROLE")[0] == "master"
    assert await counted(store) == [2 if partition in its else 1 for partition in range(PARTITIONS)]
    node.start()
    await asyncio.gather(*map(owners.commit, range(PARTITIONS)))


async def test_what_a_failover_has_lost_is_noticed_by_the_owner(
    redis_cluster: OwnCluster, store: RedisStore
) -> None:
    owners = await Owners.of(store)
    node = redis_cluster.holder(2)
    await owners.commit(2)
    state = f"{store._prefix}:{{2}}:state"
    with redis.Redis.from_url(node.url) as client:
        older = client.dump(state)
        assert older
        await owners.commit(2)
        client.restore(state, 0, older, replace=True)  # as a replica has it that was not told yet
    with pytest.raises(StateMoved):
        await owners.commit(2)
    await (await Owners.of(store)).commit(2)


# ---------------------------------------------------------------------------------------------------- each node's own


async def test_a_node_that_may_evict_is_refused_wherever_it_is(
    redis_cluster: OwnCluster, store: RedisStore
) -> None:
    for node in redis_cluster.primaries:
        node.tell("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            (warning,) = await store.open(PARTITIONS)
            assert f"Redis at 127.0.0.1:{node.port} has maxmemory-policy allkeys-lru" in warning
            node.tell("CONFIG", "SET", "maxmemory", "100mb")
            with pytest.raises(EvictingStore, match=f"127.0.0.1:{node.port} .*noeviction"):
                await store.open(PARTITIONS)
        finally:
            node.tell("CONFIG", "SET", "maxmemory-policy", "noeviction")
            node.tell("CONFIG", "SET", "maxmemory", "0")
    assert await store.open(PARTITIONS) == []


async def test_a_node_without_append_only_file_is_warned_about(
    redis_cluster: OwnCluster, store: RedisStore
) -> None:
    node = redis_cluster.primaries[2]
    node.tell("CONFIG", "SET", "appendonly", "no")
    try:
        (warning,) = await store.open(PARTITIONS)
    finally:
        node.tell("CONFIG", "SET", "appendonly", "yes")
    assert f"Redis at 127.0.0.1:{node.port} has no append-only file" in warning


async def test_a_user_whom_one_node_does_not_let_in_or_do_all_is_told(
    redis_cluster: OwnCluster, unique: str
) -> None:
    rules = ("ACL", "SETUSER", unique, "reset", "on", ">secret", f"~{unique}:*", "+@all")
    for node in redis_cluster.primaries[:2]:
        node.tell(*rules)
    store = RedisStore(redis_cluster.url.replace("redis://", f"redis://{unique}:secret@"), unique)
    node = redis_cluster.primaries[2]
    with pytest.raises(StoreDenied, match=f"127.0.0.1:{node.port}: .*username-password"):
        await store.open(PARTITIONS)
    node.tell(*rules)
    await store.open(PARTITIONS)
    for node in redis_cluster.primaries:
        node.tell(*rules, "-zadd")
        with pytest.raises(StoreDenied, match="may not run ZADD"):
            await store.open(PARTITIONS)
        node.tell(*rules)
    await store.close()
    for each in redis_cluster.primaries:
        assert each.tell("KEYS", f"{unique}*rights") == []


async def test_a_cluster_has_no_further_databases(redis_cluster: OwnCluster, unique: str) -> None:
    store = RedisStore(f"{redis_cluster.url.removesuffix('/0')}/7", unique)
    with pytest.raises(NoSuchDatabase):
        await store.open(PARTITIONS)
    await store.close()
