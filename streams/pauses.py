"""The pauses between tries of what the store or the broker could not do."""

import asyncio
from typing import Protocol

from streams.observer import Observer
from streams.outbox import PublishFailed
from streams.store import StoreUnavailable


class Trying(Protocol):
    """What tries: a lane."""

    partition: int
    trouble: Exception | None


class Pauses:
    """Pauses between tries of a lane, which double from 50 ms up to the longest."""

    def __init__(self, lane: Trying, observer: Observer, longest_ms: int) -> None:
        self._lane, self._observer = lane, observer
        self._next_ms, self._longest_ms = 50, longest_ms

    async def after(self, error: StoreUnavailable | PublishFailed) -> None:
        """Waits, after telling everybody why."""
        self._lane.trouble = error
        self._observer.retrying(self._lane.partition, error)
        await asyncio.sleep(self._next_ms / 1000)
        self._next_ms = min(2 * self._next_ms, self._longest_ms)

    def over(self) -> None:
        """It worked."""
        if (error := self._lane.trouble) is not None:
            self._lane.trouble = None
            self._observer.recovered(self._lane.partition, error)
