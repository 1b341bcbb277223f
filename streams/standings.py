"""Tells probes and metrics how far the partitions of this worker are."""

from streams.assignment import Assignment
from streams.metrics import Metrics
from streams.progress import Progress


class Standings:
    """Call ``report`` every second or so, from the event loop."""

    def __init__(self, progress: Progress, metrics: Metrics | None = None) -> None:
        self._progress, self._metrics = progress, metrics
        self._known: frozenset[int] = frozenset()

    def report(self, assignment: Assignment) -> None:
        """Says how it stands now, and no longer anything of partitions that are gone."""
        self._progress.report(assignment.standings())
        metrics, runners = self._metrics, assignment.runners or {}
        if metrics is None:
            return
        for number in self._known - runners.keys():
            metrics.forget_partition(number, assignment.topics)
        self._known = frozenset(runners)
        metrics.partitions.set(len(runners))
        for number, runner in runners.items():
            metrics.stopped.labels(str(number)).set(runner.trouble is not None)
            for tp, lag in assignment.lags(runner).items():
                metrics.lag.labels(tp.topic, str(number)).set(lag)
