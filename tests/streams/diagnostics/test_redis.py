"""What the doctor finds wrong with Redis, and with what a login may do, on real servers."""

from pathlib import Path

import pytest
import redis

from tests.redis_cluster import OwnCluster, own_node, until
from tests.servers import OwnRedis
from tests.streams.diagnostics.conftest import Examined


@pytest.fixture
def its(sound: Examined, own_server: OwnRedis) -> Examined:
    """The same with a Redis whose settings a test changes."""
    sound.redis_url = own_server.url
    return sound


@pytest.mark.parametrize("limit", ["0", "100mb"])
async def test_a_redis_that_evicts_is_wrong(limit: str, its: Examined, set_redis: redis.Redis) -> None:
    set_redis.config_set("maxmemory-policy", "volatile-lru")
    set_redis.config_set("maxmemory", limit)
    found = (await its.examined())["Redis memory"]
    assert (found.grade, found.fix) == (
        "wrong",
        "CONFIG SET maxmemory-policy noeviction, and in its configuration file",
    )


@pytest.mark.parametrize(
    ("save", "lost"), [("", "everything"), ("3600 1", "what came after its last snapshot")]
)
async def test_no_append_only_file_is_wrong(
    save: str, lost: str, its: Examined, set_redis: redis.Redis
) -> None:
    set_redis.config_set("appendonly", "no")
    set_redis.config_set("save", save)
    found = (await its.examined())["Redis on disk"]
    assert (found.grade, found.found) == ("wrong", f"no append-only file: {lost} is lost when it stops")


@pytest.mark.parametrize(
    ("fsync", "grade", "said"),
    [
        ("always", "ok", "nothing is lost when its machine stops"),
        ("everysec", "ok", "the last second is lost and processed again from Kafka"),
        ("no", "warning", "half a minute and more is lost"),
    ],
)
async def test_what_is_lost_with_its_machine_is_said(
    fsync: str, grade: str, said: str, its: Examined, set_redis: redis.Redis
) -> None:
    set_redis.config_set("appendfsync", fsync)
    found = (await its.examined())["Redis on disk"]
    assert found.grade == grade
    assert said in found.found


async def test_a_replica_is_wrong(its: Examined, set_redis: redis.Redis) -> None:
    set_redis.replicaof("127.0.0.1", "1")
    assert (await its.examined())["Redis role"].grade == "wrong"


async def test_a_user_without_rights_is_told_which(
    its: Examined, own_server: OwnRedis, set_redis: redis.Redis
) -> None:
    set_redis.acl_setuser("few", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@all"], commands=["-zadd", "-config", "-info", "-time"])  # fmt: skip
    its.redis_url = own_server.url.replace("redis://", "redis://few:secret@")
    found = await its.examined()
    assert found["Redis rights"].found == "the user may not run TIME, ZADD"
    assert found["Redis rights"].fix == "ACL SETUSER … +time +zadd"
    assert found["Redis"].fix == "ACL SETUSER … +info"
    its.redis_url = own_server.url.replace("redis://", "redis://few:wrong@")
    refused = (await its.examined())["Redis"]
    assert refused.grade == "wrong"
    assert "does not let us in" in refused.found
    assert "wrong" not in refused.found


async def test_definitions_that_are_wrong_are_told(its: Examined) -> None:
    (its.folder / "more.yaml").write_text("segments: [{key: x, when: {dd: y}}]\n")
    assert (await its.examined())["definitions"].grade == "wrong"


async def test_each_primary_of_a_cluster_is_looked_at(sound: Examined, redis_cluster: OwnCluster) -> None:
    sound.redis_url = redis_cluster.url
    examined = await sound.examined()
    assert examined["Redis Cluster"].found == "3 primaries have all 16,384 slots"
    assert {examined[what].grade for what in ("Redis rights", "state")} == {"ok"}
    for node in redis_cluster.primaries:
        for what in ("Redis", "Redis memory", "Redis on disk", "Redis' clock"):
            assert examined[f"{what} (127.0.0.1:{node.port})"].grade == "ok"
    node = redis_cluster.primaries[2]
    node.tell("CONFIG", "SET", "appendonly", "no")
    try:
        examined = await sound.examined()
    finally:
        node.tell("CONFIG", "SET", "appendonly", "yes")
    assert examined[f"Redis on disk (127.0.0.1:{node.port})"].grade == "wrong"
    assert [what for what in examined if what.startswith("Redis") and examined[what].grade == "wrong"] == [
        f"Redis on disk (127.0.0.1:{node.port})"
    ]


async def test_slots_without_a_node_are_wrong(sound: Examined, tmp_path: Path) -> None:
    with own_node(tmp_path / "node") as node:
        node.tell("CLUSTER", "ADDSLOTSRANGE", 0, 16_373)
        until(lambda: "cluster_state:ok" in node.tell_raw("CLUSTER", "INFO"))
        sound.redis_url = node.url
        found = (await sound.examined())["Redis Cluster"]
    assert (found.grade, found.found.split(":")[0]) == ("wrong", "10 of 16,384 slots have no node")
