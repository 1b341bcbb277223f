"""A histogram that takes a whole batch of values at once.

``prometheus_client``'s own takes them one by one, with two locks each: for a value per transition that is too much.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class Distribution(Collector):
    """A histogram without labels. ``bounds`` are the upper ends of its buckets, rising; above the last is one more."""

    def __init__(
        self, name: str, documentation: str, bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._documentation = name, documentation
        self._bounds = [float(bound) for bound in bounds]
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = Lock()
        registry.register(self)

    def observe(self, value: float) -> None:
        """Takes one value."""
        self.observe_many((value,))

    def observe_many(self, values: Iterable[float]) -> None:
        """Takes values, in one go."""
        bounds, counts, added = self._bounds, self._counts, 0.0
        with self._lock:
            for value in values:
                counts[bisect_left(bounds, value)] += 1
                added += value
            self._sum += added

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """For the registry."""
        with self._lock:
            totals, total_sum = list(accumulate(self._counts)), self._sum
        ends = [*map(str, self._bounds), "+Inf"]
        yield HistogramMetricFamily(
            self._name, self._documentation, buckets=list(zip(ends, totals, strict=True)), sum_value=total_sum
        )

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """For the registry: its name, so that no other metric takes it."""
        yield HistogramMetricFamily(self._name, self._documentation)
