"""Tells probes and metrics how far the partitions of this worker are."""

from streams.assignment import Assignment
from streams.catching_up import CatchingUp
from streams.metrics import Metrics
from streams.progress import TOPICS, Progress


class Standings:
    """Call ``report`` every second or so, from the event loop."""

    def __init__(self, progress: Progress, metrics: Metrics | None = None) -> None:
        self._progress, self._metrics = progress, metrics
        self._known: frozenset[int] = frozenset()
        self._catching_up = CatchingUp()

    def report(self, assignment: Assignment) -> None:
        """Says how it stands now, and no longer anything of partitions that are gone."""
        standings = assignment.standings()
        self._progress.report(standings)
        if assignment.unseen is not None and not standings:
            self._progress.not_reached(TOPICS, assignment.unseen.why)
        else:
            self._progress.reached(TOPICS)
        metrics, runners = self._metrics, assignment.runners or {}
        seen = {number: (each.position, each.lag) for number, each in (standings or {}).items()}
        paces = self._catching_up.report(
            {number: of for number, of in seen.items() if assignment.has_ends_of(runners[number])}
        )
        if metrics is None:
            return
        for number in self._known - runners.keys():
            metrics.forget_partition(number, assignment.topics)
        self._known = frozenset(runners)
        metrics.partitions.set(len(runners))
        for number, standing in (standings or {}).items():
            metrics.stopped.labels(str(number)).set(standing.reason is not None)
            metrics.say_standstill(number, standing.reason)
        for number, pace in paces.items():
            metrics.catch_up.labels(str(number)).set(pace.left_s)
        for number, runner in runners.items():
            for tp, lag in assignment.lags(runner).items():
                metrics.lag.labels(tp.topic, str(number)).set(lag)
