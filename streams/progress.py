"""Whether a worker gets on: what liveness and readiness say, and why.

A worker that has lag and gets nowhere is not live, whatever it believes of itself; nor is one whose event loop does
not report any more. Only positions that move count.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

REDIS = "redis"
KAFKA = "kafka"
TOPICS = "topics"

STALL_S = 60.0
RESTART_IS_NO_HELP = frozenset({"state_lost"})
"""Reasons to stand still that a restart cannot change, and that are for people to look at."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a partition is."""

    position: int
    """Grows with every record processed: the sum of the offsets to go on from."""
    lag: int
    """Records waiting, as far as known."""
    trouble: str | None = None
    """Why it stands still, for people; None while it does not."""
    reason: str | None = None
    """The same in a word."""


@dataclass(slots=True)
class _Watched:
    standing: Standing
    since: float
    """When it last moved, or had nothing to do (monotonic seconds)."""


@dataclass(frozen=True, slots=True)
class Report:
    """An answer for a probe."""

    ok: bool
    body: dict[str, Any]


class Progress:
    """Written by the event loop, read by the threads that answer probes."""

    def __init__(self, stall_s: float = STALL_S, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stall_s, self._monotonic = stall_s, monotonic
        self._lock = Lock()
        self._partitions: dict[int, _Watched] = {}
        self._assigned = False
        self._beat = monotonic()
        self._unreached: dict[str, str] = {}
        self._stopped: dict[int, str] = {}

    def report(self, partitions: Mapping[int, Standing] | None) -> None:
        """Says how far all the partitions of this worker are; to be called every second or so, from the event loop.

        None: the consumer group has not yet assigned any, or is about to assign others. A worker to which it
        assigned none at all is a spare, and ready.
        """
        now = self._monotonic()
        with self._lock:
            self._beat = now
            self._assigned = partitions is not None
            before, self._partitions = self._partitions, {}
            for number, standing in (partitions or {}).items():
                known = before.get(number)
                since = known.since if known is not None and _stands_still(known.standing, standing) else now
                self._partitions[number] = _Watched(standing, since)
            self._stopped = {
                number: why for number, why in self._stopped.items() if number in self._partitions
            }

    def reached(self, system: str) -> bool:
        """Redis or Kafka did its part; returns whether that is news."""
        if not self._unreached:
            return False
        with self._lock:
            return self._unreached.pop(system, None) is not None

    def not_reached(self, system: str, why: str) -> bool:
        """Redis or Kafka could not do its part; returns whether that is news."""
        with self._lock:
            news = system not in self._unreached
            self._unreached[system] = why
            return news

    def stopped(self, partition: int, why: str | None) -> None:
        """A partition stands still on purpose, for people to look at: a restart would not help it, and would be in the
        way of the others. None: it goes on."""
        if why is not None or self._stopped:
            with self._lock:
                self._stopped.pop(partition, None)
                if why is not None:
                    self._stopped[partition] = why

    def live(self) -> Report:
        """False: restart this worker."""
        now = self._monotonic()
        with self._lock:
            problems: list[dict[str, Any]] = []
            if now - self._beat >= self._stall_s:
                problems.append({"why": f"the event loop has not reported for {now - self._beat:.0f} s"})
            for number, watched in self._partitions.items():
                stood_s = now - watched.since
                meant = number in self._stopped or watched.standing.reason in RESTART_IS_NO_HELP
                if not meant and watched.standing.lag > 0 and stood_s >= self._stall_s:
                    why = watched.standing.trouble or "no reason known"
                    waiting = f"{watched.standing.lag} records wait"
                    problems.append(
                        {"partition": number, "why": f"no progress for {stood_s:.0f} s, {waiting}: {why}"}
                    )
            return self._answer(problems, now)

    def ready(self) -> Report:
        """False: this worker cannot do its work now."""
        now = self._monotonic()
        with self._lock:
            problems: list[dict[str, Any]] = []
            if not self._assigned:
                problems.append({"why": "the consumer group has not assigned partitions to this worker yet"})
            problems.extend({"system": system, "why": why} for system, why in self._unreached.items())
            problems.extend(
                {"partition": number, "why": watched.standing.trouble, **_named(watched.standing)}
                for number, watched in self._partitions.items()
                if watched.standing.trouble is not None and number not in self._stopped
            )
            # These look again now and then whether they can go on, and have no trouble for a moment.
            problems.extend({"partition": number, "why": why} for number, why in self._stopped.items())
            return self._answer(problems, now)

    def _answer(self, problems: list[dict[str, Any]], now: float) -> Report:
        partitions = [
            {
                "partition": number,
                "position": watched.standing.position,
                "lag": watched.standing.lag,
                "seconds_without_progress": round(now - watched.since, 1) if watched.standing.lag else 0.0,
            }
            for number, watched in sorted(self._partitions.items())
        ]
        return Report(not problems, {"ok": not problems, "problems": problems, "partitions": partitions})


def _named(standing: Standing) -> dict[str, str]:
    return {} if standing.reason is None else {"reason": standing.reason}


def _stands_still(before: Standing, now: Standing) -> bool:
    """Records waited all along, and none was processed."""
    return before.lag > 0 and now.lag > 0 and now.position == before.position
