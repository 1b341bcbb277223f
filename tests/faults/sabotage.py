"""Workers with a guarantee broken on purpose, to show that the comparison finds it.

Each function is called in a worker's process before anything else, and changes what the product does there alone.
"""

import asyncio
import dataclasses
import hashlib
import os

from kafka import KafkaAdminClient

from streams.lane import Lane
from streams.store import Commit, PartitionState
from streams.store import redis as redis_store
from streams.store.redis import RedisStore

_FENCE = "if stored[1] ~= ARGV[1] then\n  return {'fence'}\nend\n"
_NUMBER = (
    "if stored[2] == ARGV[2] then\n  return done() -- tried again, since its answer was lost\nend\n",
    "if tonumber(stored[2]) ~= number - 1 then\n  return {'number', stored[2]}\nend\n",
)
_OFFSET = "  if offset and offset ~= ARGV[at + 1] then\n    return {'offset', ARGV[at], offset}\n  end\n"


def fence_off() -> None:
    """Whoever commits is believed to own the partition."""
    _without(_FENCE, *_NUMBER, _OFFSET)


def outbox_off() -> None:
    """Transitions are published after the commit, and are nowhere if that does not happen."""
    usual = Lane._commit

    def commit(self: Lane, *arguments: object) -> Commit:
        made = usual(self, *arguments)  # type: ignore[arg-type]
        made.outbox = None
        return made

    Lane._commit = commit  # type: ignore[method-assign, assignment]


def offsets_in_kafka_only() -> None:
    """A partition is read on from where the group has been told that it is done, as is usual elsewhere."""
    usual = RedisStore.take
    _without(_OFFSET)

    async def take(self: RedisStore, partition: int) -> PartitionState:
        state = await usual(self, partition)
        return dataclasses.replace(state, offsets=await asyncio.to_thread(_told, partition))

    RedisStore.take = take  # type: ignore[method-assign]


def _told(partition: int) -> dict[str, int]:
    """The group's offsets of a partition, by topic."""
    group = os.environ["SEGMENTS_GROUP"]
    client = KafkaAdminClient(bootstrap_servers=os.environ["SEGMENTS_KAFKA"])
    try:
        offsets = client.list_group_offsets(group)[group]
    finally:
        client.close()
    return {
        tp.topic: told.offset
        for tp, told in offsets.items()
        if tp.partition == partition and told.offset >= 0
    }


def _without(*parts: str) -> None:
    """Commits from now on without these lines of the script."""
    script = redis_store._COMMIT
    source = script.source.decode()
    for part in parts:
        assert source.count(part) == 1, f"commit.lua has changed: {part!r} is not in it"
        source = source.replace(part, "")
    script.source = source.encode()
    script.sha = hashlib.sha1(script.source, usedforsecurity=False).hexdigest()
