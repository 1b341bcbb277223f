"""How far everything is behind, at what pace it goes on, and how long it will take: from one look to the next."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from streams.backlog import BacklogReader, Look, PartitionLook
from streams.clock import wall_ms
from streams.pace import Pace, Track, in_all


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition."""

    look: PartitionLook
    pace: Pace
    oldest_s: float | None
    """How long ago the first record that waits was received, in seconds; None: none does, or it was not looked."""


@dataclass(frozen=True, slots=True)
class Lag:
    """All partitions, by their number."""

    partitions: Mapping[int, PartitionLag]
    unpublished: int | None
    """Outputs that are committed and on no topic, of partitions at rest; None: it may not be looked."""

    @property
    def pace(self) -> Pace:
        """Of all together."""
        return in_all(each.pace for each in self.partitions.values())

    @property
    def due(self) -> int | None:
        """Contacts whose wake is due; None: it may not be asked."""
        counts = [each.look.due for each in self.partitions.values()]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def oldest_s(self) -> float | None:
        """The oldest of all."""
        return max(
            (each.oldest_s for each in self.partitions.values() if each.oldest_s is not None), default=None
        )

    @property
    def is_done(self) -> bool:
        """Nothing waits, as far as may be seen."""
        return self.pace.waiting == 0 and not self.due and not self.unpublished


class Lags:
    """One look after the other."""

    def __init__(self, reader: BacklogReader, window_s: float) -> None:
        """``window_s``: over which time a pace is taken."""
        self._reader, self._window_s = reader, window_s
        self._tracks: dict[int, Track] = {}
        self._before: Look | None = None
        self._published: dict[int, tuple[int, int]] = {}
        """By partition, the outbox of which all is known to be published."""

    async def next(self, pause_s: float, *, oldest: bool) -> Lag:
        """How it is after a pause; the first time there is a look before it, too. ``oldest``: looks into every partition
        where records wait, how old the first one is, and not only where nothing moves.

        Raises what ``BacklogReader`` does.
        """
        before = self._before or await self._look()
        await asyncio.sleep(pause_s)
        now = await self._reader.look()
        waiting = [number for number, each in now.partitions.items() if each.waiting]
        # Where offsets wait and nothing moves there may be no record at all.
        chosen = [
            number
            for number in waiting
            if oldest or now.partitions[number].position == before.partitions[number].position
        ]
        now, received_ms = await self._reader.oldest(now, chosen)
        self._before = now
        wall = wall_ms()
        lags = {}
        for number, sight in now.sights().items():
            pace = self._track(number).saw(sight)
            old_s = max(wall - received_ms[number], 0) / 1000 if number in received_ms else None
            lags[number] = PartitionLag(now.partitions[number], pace or Pace(sight.waiting, 0, 0), old_s)
        return Lag(lags, await self._unpublished(before, now))

    async def _look(self) -> Look:
        look = await self._reader.look()
        for number, sight in look.sights().items():
            self._track(number).saw(sight)
        return look

    def _track(self, number: int) -> Track:
        return self._tracks.setdefault(number, Track(self._window_s))

    async def _unpublished(self, before: Look, now: Look) -> int | None:
        """Where an outbox rests: while it moves, what is in it is on its way."""
        resting = {
            number: each.outbox
            for number, each in now.partitions.items()
            if each.outbox[1] and each.outbox == before.partitions[number].outbox
        }
        unknown = [number for number, outbox in resting.items() if self._published.get(number) != outbox]
        if not unknown:
            return 0
        found = await self._reader.unpublished(unknown)
        if found == 0:
            self._published.update({number: resting[number] for number in unknown})
        return found
