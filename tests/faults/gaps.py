"""How long processing stood still: the longest time in which nothing of a partition became part of the state."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

import redis
import redis.asyncio

from streams.store.keys import PartitionKeys
from tests.integration.installation import Installation

LOOK_EVERY_S = 0.2


@dataclass
class Gaps:
    """Looks at the offsets that Redis holds while events flow into every partition all the time."""

    installation: Installation
    longest_s: float = field(default=0.0, init=False)
    longest_during: str = field(default="", init=False)
    of_each: dict[str, float] = field(default_factory=dict, init=False)
    """The longest gap by what went on when it began."""
    _events: list[tuple[float, str]] = field(default_factory=list, init=False)
    """What went on, and since when."""
    _moved: dict[int, tuple[int, float]] = field(default_factory=dict, init=False)
    """By partition: how far it was, and when it got there."""
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _ended: bool = field(default=False, init=False)

    def now_comes(self, what: str) -> None:
        """Says what goes on from now on, so that one knows later what a gap came from."""
        self._events.append((time.monotonic(), what))

    def start(self) -> None:
        self.now_comes("no fault")
        self._task = asyncio.create_task(self._watch())

    async def end(self) -> None:
        # Not cancelled: a client in the middle of a reconnect may take that for a timeout, and go on.
        assert self._task is not None
        self._ended = True
        await self._task

    async def _watch(self) -> None:
        name, partitions = self.installation.name, range(self.installation.partitions)
        async with redis.asyncio.Redis.from_url(
            self.installation.redis_url, socket_timeout=2, retry_on_timeout=False
        ) as client:
            while not self._ended:
                with contextlib.suppress(redis.RedisError, OSError):
                    async with client.pipeline(transaction=False) as pipeline:
                        for number in partitions:
                            pipeline.hvals(PartitionKeys.of(name, number).offsets)
                        for number, offsets in enumerate(await pipeline.execute()):
                            self._note(number, sum(map(int, offsets)))
                await asyncio.sleep(LOOK_EVERY_S)

    def has_moved_since(self, moment_s: float) -> bool:
        """Whether every partition has got on since then, by the monotonic clock."""
        return len(self._moved) == self.installation.partitions and all(
            since > moment_s for _, since in self._moved.values()
        )

    def _note(self, partition: int, offset: int) -> None:
        now = time.monotonic()
        before, since = self._moved.get(partition, (-1, now))
        if offset == before:
            return
        gap_s = now - since
        # It began after the last look at which there was progress.
        during = next(what for begun, what in reversed(self._events) if begun <= since + 5 * LOOK_EVERY_S)
        self.of_each[during] = max(self.of_each.get(during, 0.0), gap_s)
        if gap_s > self.longest_s:
            self.longest_s, self.longest_during = gap_s, during
        self._moved[partition] = (offset, now)
