"""How fast work that waits is taken, and how long it will take: arithmetic on what was seen at two moments."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isinf

ON_ITS_WAY_S = 2.0
"""Less than so many seconds' work is no backlog: with any load something is always on its way."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a partition, or of several together, at one moment."""

    at_s: float
    """Monotonic."""
    position: int
    """The offsets up to which records are taken, summed up."""
    waiting: int
    """How many offsets there are beyond these."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How it goes on."""

    waiting: int
    taken_per_s: float
    come_per_s: float

    @classmethod
    def between(cls, first: Sight, last: Sight) -> "Pace":
        """Of the time between two moments, the later one last."""
        took_s = last.at_s - first.at_s
        taken = last.position - first.position
        come = taken + last.waiting - first.waiting
        return cls(last.waiting, max(taken, 0) / took_s, max(come, 0) / took_s)

    @property
    def left_s(self) -> float:
        """Seconds until nothing waits if records come and are taken as they were: 0 where nothing waits, infinity where
        what waits does not become less."""
        if self.waiting == 0:
            return 0.0
        if self.waiting <= self.taken_per_s * ON_ITS_WAY_S:
            return self.waiting / self.taken_per_s
        shrinks_per_s = self.taken_per_s - self.come_per_s
        return self.waiting / shrinks_per_s if shrinks_per_s > 0 else inf

    @property
    def stands_still(self) -> bool:
        """Records wait, and none was taken."""
        return self.waiting > 0 and self.taken_per_s == 0


class Track:
    """What was seen in the latest seconds. Over a longer time a pace is steadier, over a shorter one sooner right."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._sights: deque[Sight] = deque()

    def saw(self, sight: Sight) -> Pace | None:
        """The pace up to now; None as long as it was seen at one moment alone."""
        sights = self._sights
        if sights and sight.position < sights[-1].position:
            sights.clear()  # begun anew from an earlier copy of the state
        sights.append(sight)
        # One of them may be older, so that there are two.
        while len(sights) > 2 and sights[1].at_s <= sight.at_s - self._window_s:
            sights.popleft()
        return Pace.between(sights[0], sight) if sight.at_s > sights[0].at_s else None


def in_all(paces: Iterable[Pace]) -> Pace:
    """Of several partitions together."""
    paces = list(paces)
    return Pace(
        sum(pace.waiting for pace in paces),
        sum(pace.taken_per_s for pace in paces),
        sum(pace.come_per_s for pace in paces),
    )


def spelled(pace: Pace) -> str:
    """``1,234,000 records wait, 31,000/s taken, 1,000/s come, 41 s left``."""
    count = f"{pace.waiting:,}" if pace.waiting else "no"
    waits = "record waits" if pace.waiting == 1 else "records wait"
    return f"{count} {waits}, {pace.taken_per_s:,.0f}/s taken, {pace.come_per_s:,.0f}/s come, {left(pace)}"


def left(pace: Pace) -> str:
    """``41 s left``, or why there is no telling."""
    if pace.waiting == 0:
        return "caught up"
    if pace.stands_still:
        return "stands still"
    if not isinf(pace.left_s):
        return f"{duration(pace.left_s)} left"
    return "grows" if pace.come_per_s > pace.taken_per_s else "stays"


def duration(seconds: float) -> str:
    """As short as people say it: ``0.4 s``, ``41 s``, ``4 min``, ``3 h``, ``12 d``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, length, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:,.0f} d"
