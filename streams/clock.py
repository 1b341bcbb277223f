"""The wall clock, and how the clocks of a worker's partitions go by it."""

import time
from collections.abc import Callable
from dataclasses import dataclass


def wall_ms() -> int:
    """Milliseconds UTC since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """What the partitions of a worker go by, besides received times. All in milliseconds."""

    wake_delay_ms: int | None = 500
    """How far the clock of a partition that has been read to its end stays behind the wall clock; None: the wall clock
    does not move it."""
    max_future_skew_ms: int = 300_000
    """Received times that are farther ahead of the wall clock are mistakes, and move no clock."""
    wall_ms: Callable[[], int] = wall_ms
