"""Says how long a worker's partitions still take to catch up: for a metric, and now and then for the log."""

import logging
import time
from collections.abc import Callable, Mapping
from math import isinf

from streams.pace import Pace, Sight, Track, in_all, spelled

logger = logging.getLogger(__name__)

WINDOW_S = 15.0
"""Over which time a pace is taken. The ends of topics are asked for every five seconds."""
SAY_FIRST_S = 5.0
"""How long it has to be seen before anything is said: at a start nothing has been taken yet."""
SAY_EVERY_S = 10.0
FAR_RECORDS = 10_000
FAR_S = 5.0
"""From how many records that wait, and from how many seconds left, it is worth a line."""


class CatchingUp:
    """Call ``report`` every second or so."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tracks: dict[int, Track] = {}
        self._next_s = 0.0
        self._far = False

    def report(self, seen: Mapping[int, tuple[int, int]]) -> dict[int, Pace]:
        """Of each partition of which the ends are known: its position, and how many records wait there. Returns the
        paces, of those that have been seen for long enough to have one."""
        now_s = self._monotonic()
        if not self._tracks:
            self._next_s = now_s + SAY_FIRST_S
        self._tracks = {number: self._tracks.get(number) or Track(WINDOW_S) for number in seen}
        found = {
            number: self._tracks[number].saw(Sight(now_s, position, waiting))
            for number, (position, waiting) in seen.items()
        }
        paces = {number: pace for number, pace in found.items() if pace is not None}
        if paces:
            self._say(in_all(paces.values()), now_s)
        else:
            self._far = False  # they went to another worker, and so did what waits
        return paces

    def _say(self, pace: Pace, now_s: float) -> None:
        if pace.waiting < FAR_RECORDS:
            if self._far:
                logger.info("caught up: %s", spelled(pace))
            self._far = False
        elif pace.left_s >= FAR_S and now_s >= self._next_s:
            self._far, self._next_s = True, now_s + SAY_EVERY_S
            logger.info("%s: %s", "behind" if isinf(pace.left_s) else "catching up", spelled(pace))
