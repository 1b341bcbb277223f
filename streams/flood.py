"""A flood of dead letters stops its partition: somebody has to look before everything is buried.

One record that cannot be taken is the producer's mistake, and work goes on. When most records cannot be taken, the
mistake may be ours, or a producer's that is mended in an hour; so the partition then stands still before the next
records, which wait in Kafka. It goes on by itself once most of those that come next can be taken (another version, a
clock that was set right, records that are gone), or when an operator says so, with ``segments resume``.

What is remembered are the latest records: how many there were and how many became dead letters, in stretches. It is
stored with each batch, so that a worker that is started again and again does not bury a window full each time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from streams.errors import PartitionStopped

WINDOW_FIELD = "flood"
PASSED_FIELD = "flood_passed"
"""Of a partition's metadata: the window; and source topic -> offset, before which dead letters are let pass."""
STRETCHES = 20
"""In how many stretches a window is kept: it is forgotten by so large a part at a time."""


@dataclass(frozen=True, slots=True)
class FloodLimit:
    """More than this share of dead letters among the latest records is a flood. 1 is never exceeded."""

    share: float = 1.0
    window: int = 1000
    """How many records. Fewer than ``share`` of these never are a flood, however few records there were."""


class Flooded(PartitionStopped):
    """Stand still, and look again whether what comes next can be taken."""

    def __str__(self) -> str:
        return self.why


class Stretch(NamedTuple):
    """Records one after the other, and how many of them became dead letters."""

    records: int
    dead: int


class Part(NamedTuple):
    """What a batch holds of one topic."""

    topic: str
    offset: int
    """Of the first record."""
    records: int
    rejected: Mapping[str, int]
    """Reason -> how many dead letters."""


class FloodGate:
    """Judges one partition's batches before they are taken. ``keep`` what a batch brings once it is committed."""

    def __init__(self, partition: int, limit: FloodLimit) -> None:
        self._partition, self._limit = partition, limit
        self._window: tuple[Stretch, ...] = ()
        self._passed: dict[str, int] = {}

    def restore(self, meta: Mapping[str, bytes]) -> None:
        """Takes up what is stored of the partition."""
        window, passed = meta.get(WINDOW_FIELD), meta.get(PASSED_FIELD)
        self._window = () if window is None else _decode_window(window)
        self._passed = {} if passed is None else decode_passed(passed)

    @property
    def share(self) -> float:
        """Of dead letters in the window; records that it never had count as taken."""
        return sum(stretch.dead for stretch in self._window) / max(self._records, self._limit.window)

    @property
    def _records(self) -> int:
        return sum(stretch.records for stretch in self._window)

    def admit(self, parts: Iterable[Part]) -> Stretch:
        """What a batch adds to the window. Raises Flooded where it must not be taken now."""
        records, dead = self.added_by(parts)
        if dead > self._limit.share * records and self.share > self._limit.share:
            raise Flooded(self._partition, self._why(records, dead))
        return Stretch(records, dead)

    def added_by(self, parts: Iterable[Part]) -> Stretch:
        """What is taken adds to the window."""
        records = dead = 0
        for part in parts:
            if part.offset >= self._passed.get(part.topic, 0):
                records += part.records
                dead += sum(part.rejected.values())
        return Stretch(records, dead)

    def stored_after(self, added: Stretch) -> bytes | None:
        """The window to store with the batch that adds this; None: as before."""
        window = self._after(added)
        return None if window == self._window else msgspec.msgpack.encode(window)

    def keep(self, added: Stretch) -> bool:
        """Adds to the window what is committed; returns whether there is, or was, a dead letter in it."""
        before, self._window = self._window, self._after(added)
        return bool(before or self._window)

    def _after(self, added: Stretch) -> tuple[Stretch, ...]:
        window = list(self._window)
        if not window and not added.dead:
            return ()  # the rule: nothing to remember, nothing to store
        if window and window[-1].records < self._limit.window / STRETCHES:
            last = window.pop()
            added = Stretch(last.records + added.records, last.dead + added.dead)
        window.append(added)
        records = sum(stretch.records for stretch in window)
        while window and (records - window[0].records >= self._limit.window or not window[0].dead):
            records -= window.pop(0).records
        return tuple(window)

    def _why(self, records: int, dead: int) -> str:
        buried = sum(stretch.dead for stretch in self._window)
        return (
            f"{buried:,} of its last {max(self._records, self._limit.window):,} records became dead letters, "
            f"more than SEGMENTS_FLOOD_SHARE={self._limit.share:g} of them, and so would {dead:,} of the {records:,} "
            "that come next: see their reasons (`segments redrive --dry-run`), mend the cause, and say "
            "`segments resume` if these are to be dead letters all the same"
        )


def encode_passed(offsets: Mapping[str, int]) -> bytes:
    """What ``PASSED_FIELD`` holds."""
    return msgspec.msgpack.encode(dict(offsets))


def decode_passed(stored: bytes) -> dict[str, int]:
    """What ``encode_passed`` was given."""
    return msgspec.msgpack.decode(stored, type=dict[str, int])


def _decode_window(stored: bytes) -> tuple[Stretch, ...]:
    return msgspec.msgpack.decode(stored, type=tuple[Stretch, ...])
