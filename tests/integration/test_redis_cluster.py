"""A worker, and the commands, with a Redis Cluster whose slots move and whose nodes change places and die."""

import asyncio
import time

import pytest
import redis

from rules.loading import load
from streams.backlog import BacklogReader
from streams.connections import KafkaConnection
from streams.explain import Explainer
from streams.store.keys import PartitionKeys
from streams.store.redis import RedisStore
from tests.integration.conftest import Install
from tests.integration.history import history
from tests.integration.installation import Installation, Outcome, assert_came_true, outcome
from tests.redis_cluster import ClusterNode, OwnCluster, cut_off, until

EVENTS = 3000
PARTITIONS = 8


@pytest.mark.timeout(180)  # some ten seconds where nothing else runs
async def test_slots_that_move_and_nodes_that_change_places_or_die_cost_no_transition_and_only_what_is_lost_repeats(
    install: Install, redis_cluster: OwnCluster
) -> None:
    installation = install(partitions=PARTITIONS, redis_url=redis_cluster.url, clustered=True)
    sent = history(17, EVENTS, PARTITIONS)
    usual, last = sent[:-PARTITIONS], sent[-PARTITIONS:]
    worker = installation.worker(instance="the-one")
    worker.start()
    hurry = asyncio.Event()
    producing = asyncio.create_task(installation.produce(usual, pause_s=0.1, at_once=8, hurry=hurry))
    await installation.until_taken(0)
    lost = await _in_order_of_trouble(installation, redis_cluster)
    assert not producing.done(), "the events ended before the trouble"
    hurry.set()
    await producing
    await installation.produce(last)
    await installation.drained()
    assert "Traceback" not in worker.said()
    worker.stop()
    expected = outcome(sent)
    await assert_came_true(installation, expected, repeating=lost)
    kept = [node.tell("DBSIZE") for node in redis_cluster.primaries]
    assert min(kept) > PARTITIONS, "each node has its share"
    await _looks_are_right(installation, expected)


async def _in_order_of_trouble(installation: Installation, cluster: OwnCluster) -> list[int]:
    """After each, the worker must go on before the next comes. Gives the partitions of which something was lost."""
    first, second, third = cluster.primaries
    for partition, there in ((0, second), (1, third)):
        if cluster.holder(partition) is not there:
            with cluster.moving(partition, there):
                await asyncio.sleep(0.3)
            await _goes_on(installation)
    replica = cluster.replica_of(first)
    replica.tell("CLUSTER", "FAILOVER")  # the two change places, and nothing is lost
    await asyncio.to_thread(until, lambda: replica.tell("ROLE")[0] == "master")
    await _goes_on(installation)
    lost = [partition for partition in range(PARTITIONS) if cluster.holder(partition) is second]
    replica = cluster.replica_of(second)
    with cut_off(replica, second):
        await _goes_on(installation)
        before = _taken(second, installation, lost)
        second.kill()
        assert _taken(replica, installation, lost) < before
    await asyncio.to_thread(until, lambda: replica.tell("ROLE")[0] == "master")
    await _goes_on(installation)
    return lost


def _taken(node: ClusterNode, installation: Installation, partitions: list[int]) -> int:
    """How many records are part of the state, as a node has it that may be a replica."""
    with redis.Redis.from_url(node.url) as client:
        client.readonly()
        offsets = [client.hvals(PartitionKeys.of(installation.name, number).offsets) for number in partitions]
    return sum(int(offset) for each in offsets for offset in each)


async def _goes_on(installation: Installation) -> None:
    """Returns when every partition has taken something."""
    before = installation.stored_offsets()[installation.topics.events]
    end = time.monotonic() + 20
    while True:
        now = installation.stored_offsets()[installation.topics.events]
        if len(now) == PARTITIONS and all(now[number] > before.get(number, 0) for number in now):
            return
        assert time.monotonic() < end, installation.workers[-1].said()
        await asyncio.sleep(0.05)


async def _looks_are_right(installation: Installation, expected: Outcome) -> None:
    """What `segments lag` and `segments explain` are made of."""
    store = RedisStore(installation.redis_url, installation.name)
    try:
        connection = KafkaConnection((installation.kafka,))
        async with BacklogReader(connection, installation.topics, store, None) as reader:
            look = await reader.look()
        assert [each.waiting for each in look.partitions.values()] == [0] * PARTITIONS
        explainer = Explainer(load(installation.segments), store)
        await explainer.open()
        segment, members = max(expected.members.items(), key=lambda item: len(item[1]))
        view = await explainer.contact(min(members), None)
        assert {each.segment: each.member for each in view.segments}[segment]
        assert await store.members(segment) == len(members)
    finally:
        await store.close()
