"""All metrics, declared once: the code counts with them, the reference is made from them.

Label values are bounded: a segment's key, a reason, a topic, a partition, an operation, never a contact.
"""

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from streams.distribution import Distribution

PREFIX = "segments_"

_WAIT_S = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60,
)  # fmt: skip
_CALL_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)


@dataclass(frozen=True)
class Declared:
    """A metric, for the reference."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self.declared: list[Declared] = []
        self._standstills: dict[int, str] = {}
        self._declare_work()
        self._declare_times()
        self._declare_standing()
        self._declare_calls()
        self.build_info.labels(_version(), platform.python_version()).set(1)

    def _declare_work(self) -> None:
        self.events = self._counter(
            "events",
            "Records read, by what became of them: processed, repetition, reserved (group and alias), forwarded (sent"
            " on to its contact's partition), forwarded_twice (dropped: taken before), dead_letter",
            "outcome",
        )
        self.dead_letters = self._counter(
            "dead_letters", "Records that could not be taken, by reason", "reason"
        )
        self.dead_letters_shortened = self._counter(
            "dead_letters_shortened",
            "Dead letters that their topic did not take whole, so that they carry the beginning of their record alone",
        )
        self.transitions = self._counter(
            "transitions",
            "Transitions published, by segment, direction (enter, exit) and reason (event, time, definition)",
            "segment", "direction", "reason",
        )  # fmt: skip
        self.wakes = self._counter("wakes", "Contacts that were judged because a wake was due")
        self.late_records = self._counter(
            "late_records",
            "Records that came behind their partition's clock, by more than the wake delay or where the wall clock had"
            " moved it, so that live and replay may see them differently",
        )
        self.inexact_events = self._counter(
            "inexact_events",
            "Events past which a measure of a contact was no longer exact: over 1,000 of them in a window, or over"
            " 2,000 different values ever",
        )
        self.retries = self._counter(
            "retries", "Tries that failed and are made again, by partition and by what failed (redis, kafka)",
            "partition", "system",
        )  # fmt: skip

    def _declare_times(self) -> None:
        self.event_to_transition = self._distribution(
            "event_to_transition_seconds",
            "From an event's received time to the acknowledgement of a transition that it caused",
            _WAIT_S,
        )
        self.wake_lateness = self._distribution(
            "wake_lateness_seconds",
            "From a wake's moment to the acknowledgement of its transition, the wake delay included",
            _WAIT_S,
        )
        self.batch_records = self._distribution("batch_records", "Records in a fetched batch", _BATCH)

    def _declare_standing(self) -> None:
        self.members = self._gauge(
            "members",
            "Members of a segment, over all partitions: every worker says the same, so take the maximum",
            "segment",
        )
        self.lag = self._gauge(
            "lag_records", "Records of a partition not yet processed, as far as known", "topic", "partition"
        )
        self.catch_up = self._gauge(
            "catch_up_seconds",
            "Seconds until nothing of a partition waits, if records come and are taken as in the latest 15 s: 0 where"
            " nothing waits, +Inf where what waits does not become less",
            "partition",
        )
        self.clock = self._gauge(
            "clock_timestamp_seconds", "A partition's clock, in seconds UTC since 1970", "partition"
        )
        self.stopped = self._gauge(
            "partition_stopped",
            "1 while a partition stands still because something is wrong, else 0",
            "partition",
        )
        self.flood_share = self._gauge(
            "flood_share",
            "Dead letters among a partition's latest records (SEGMENTS_FLOOD_WINDOW of them), 0 to 1",
            "partition",
        )
        self.flood_stopped = self._gauge(
            "flood_stopped",
            "1 while a partition stands still because most of its records became dead letters, and more would, else 0",
            "partition",
        )
        self.standstill = self._gauge(
            "partition_standstill",
            "1 for the reason why a partition stands still, while it does: redis_… and kafka_… (what they could not do),"
            " newer_record (a newer version wrote the state), state_lost (Redis knows nothing of what was taken), moved (another worker took the partition), stopped (on"
            " purpose), waits (for the other source topic), slow (a piece of work takes long), bug",
            "partition", "reason",
        )  # fmt: skip
        self.partitions = self._gauge("partitions_assigned", "Partitions that this worker has")
        self.definitions = self._gauge("definitions_loaded", "Segment definitions in force")
        self.build_info = self._gauge("build_info", "1, with the versions as labels", "version", "python")

    def _declare_calls(self) -> None:
        self.redis_calls = self._histogram(
            "redis_call_seconds", "Calls of Redis, by operation, failed ones included", _CALL_S, "operation"
        )
        self.redis_errors = self._counter(
            "redis_errors", "Calls of Redis that failed, by operation", "operation"
        )
        self.kafka_calls = self._histogram(
            "kafka_call_seconds", "Calls of Kafka, by operation, failed ones included", _CALL_S, "operation"
        )
        self.kafka_errors = self._counter(
            "kafka_errors", "Calls of Kafka that failed, by operation", "operation"
        )

    def add_process_metrics(self) -> None:
        """Adds CPU, memory, open files and garbage collection of this process."""
        ProcessCollector(namespace=PREFIX.rstrip("_"), registry=self.registry)
        GCCollector(registry=self.registry)

    def set_segments(self, keys: Iterable[str]) -> None:
        """Says which definitions are in force, and forgets the members of those that are not."""
        in_force = set(keys)
        self.definitions.set(len(in_force))
        self.members.clear()
        for key in in_force:
            self.members.labels(key).set(0)

    def forget_partition(self, partition: int, topics: Iterable[str]) -> None:
        """Removes what is said of a partition that this worker no longer has."""
        self.catch_up.remove(str(partition))
        self.clock.remove(str(partition))
        self.stopped.remove(str(partition))
        self.flood_share.remove(str(partition))
        self.flood_stopped.remove(str(partition))
        self.say_standstill(partition, None)
        for topic in topics:
            self.lag.remove(topic, str(partition))

    def say_standstill(self, partition: int, reason: str | None) -> None:
        """Says why a partition stands still (None: it does not)."""
        before = self._standstills.pop(partition, None)
        if before is not None and before != reason:
            self.standstill.remove(str(partition), before)
        if reason is not None:
            self._standstills[partition] = reason
            self.standstill.labels(str(partition), reason).set(1)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        self._declare(f"{name}_total", "counter", labels, about)
        return Counter(PREFIX + name, about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        self._declare(name, "gauge", labels, about)
        return Gauge(PREFIX + name, about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, bounds: Sequence[float], *labels: str) -> Histogram:
        self._declare(name, "histogram", labels, about)
        return Histogram(PREFIX + name, about, labels, registry=self.registry, buckets=bounds)

    def _distribution(self, name: str, about: str, bounds: Sequence[float]) -> Distribution:
        self._declare(name, "histogram", (), about)
        return Distribution(PREFIX + name, about, bounds, self.registry)

    def _declare(self, name: str, kind: str, labels: tuple[str, ...], about: str) -> None:
        self.declared.append(Declared(PREFIX + name, kind, labels, about))


def metrics_table() -> str:
    """All metrics as a Markdown table, for the reference."""
    rows = ["| metric | kind | labels | what |", "| --- | --- | --- | --- |"]
    for metric in Metrics().declared:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.about} |")
    return "\n".join(rows) + "\n"


def _version() -> str:
    try:
        return version("livesegments")
    except PackageNotFoundError:
        return "unknown"
