"""Turns what lanes tell of their work into metrics, and into what readiness says of Redis and Kafka."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence

import prometheus_client

from rules.features import Limit
from rules.step import Outcome, Transition
from streams.contacts import Work
from streams.intake import Taken
from streams.metrics import Metrics
from streams.progress import KAFKA, REDIS, Progress
from streams.store import StoreUnavailable

logger = logging.getLogger(__name__)

_Kind = tuple[str, bool, str]


class Meter:
    """An ``Observer``: called once per piece of work. ``wall_ms`` is the wall clock, UTC since 1970."""

    def __init__(self, metrics: Metrics, progress: Progress, wall_ms: Callable[[], int]) -> None:
        self._metrics, self._progress, self._wall_ms = metrics, progress, wall_ms
        self._outcomes = {outcome: metrics.events.labels(outcome) for outcome in Outcome}
        self._forwarded = metrics.events.labels("forwarded")
        self._forwarded_twice = metrics.events.labels("forwarded_twice")
        self._dead = metrics.events.labels("dead_letter")
        self._turns: dict[_Kind, prometheus_client.Counter] = {}
        """The client takes twice as long to find one of them as to count."""
        self._limits: Sequence[Limit] = ()
        self._inexact = 0

    def watch(self, limits: Sequence[Limit]) -> None:
        """Counts the events past which features were no longer exact."""
        self._limits = limits

    def batch(self, partition: int, records: int, taken: Taken, work: Work) -> None:
        """Fetched records were taken."""
        self._metrics.batch_records.observe(records)
        for outcome, count in work.outcomes.items():
            if count:
                self._outcomes[outcome].inc(count)
        self._forwarded.inc(len(taken.forwards))
        self._forwarded_twice.inc(taken.repeated)
        for reason, count in taken.rejected.items():
            self._dead.inc(count)
            self._metrics.dead_letters.labels(reason).inc(count)
        inexact = sum([limit.passed for limit in self._limits])
        self._metrics.inexact_events.inc(inexact - self._inexact)
        self._inexact = inexact
        self._committed(partition, work)

    def published(self, partition: int, work: Work) -> None:  # noqa: ARG002
        """The transitions of a piece of work, if it had any, were acknowledged."""
        self._reached(KAFKA)
        if not work.transitions:
            return
        for kind, count in Counter(map(_kind, work.transitions)).items():
            (self._turns.get(kind) or self._turns_of(kind)).inc(count)
        now_ms = self._wall_ms()
        self._metrics.event_to_transition.observe_many(
            max(now_ms - received_ms, 0) / 1000 for received_ms in work.received_ms
        )
        self._metrics.wake_lateness.observe_many(
            max(now_ms - transition.at_ms, 0) / 1000
            for transition in work.transitions
            if transition.reason == "time"
        )

    def woke(self, partition: int, contacts: int, work: Work) -> None:
        """Due contacts were judged."""
        self._metrics.wakes.inc(contacts)
        self._committed(partition, work)

    def late(self, partition: int, records: int) -> None:  # noqa: ARG002
        """Records came more than the wake delay behind the clock."""
        self._metrics.late_records.inc(records)

    def flood(self, partition: int, share: float, why: str | None) -> None:
        """The share of dead letters has changed, or has stopped the partition."""
        self._metrics.flood_share.labels(str(partition)).set(share)
        self._metrics.flood_stopped.labels(str(partition)).set(why is not None)
        self._progress.stopped(partition, why)

    def retrying(self, partition: int, error: Exception) -> None:
        """The store or the broker could not do its part; it is tried again."""
        system = _system(error)
        self._metrics.retries.labels(str(partition), system).inc()
        why = str(error) or type(error).__name__
        if self._progress.not_reached(system, why):
            logger.warning(
                "partition %d waits for %s: %s; it is tried again until it works, and nothing is skipped",
                partition, system.capitalize(), why,
            )  # fmt: skip

    def recovered(self, partition: int, error: Exception) -> None:  # noqa: ARG002
        """What failed last, with this error, was done after all."""
        self._reached(_system(error))

    def store_call(self, operation: str, seconds: float, failed: bool) -> None:
        """A call of the store came back; to be given to it as its ``Observe``."""
        self._metrics.redis_calls.labels(operation).observe(seconds)
        if failed:
            self._metrics.redis_errors.labels(operation).inc()

    def kafka_call(self, operation: str, seconds: float, failed: bool) -> None:
        """A call of Kafka came back."""
        self._metrics.kafka_calls.labels(operation).observe(seconds)
        if failed:
            self._metrics.kafka_errors.labels(operation).inc()

    def shortened(self) -> None:
        """The topic of dead letters did not take one whole, and has its short form now."""
        self._metrics.dead_letters_shortened.inc()

    def _turns_of(self, kind: _Kind) -> prometheus_client.Counter:
        segment, entered, reason = kind
        turns = self._metrics.transitions.labels(segment, "enter" if entered else "exit", reason)
        self._turns[kind] = turns
        return turns

    def _reached(self, system: str) -> None:
        if self._progress.reached(system):
            logger.info("%s does its part again", system.capitalize())

    def _committed(self, partition: int, work: Work) -> None:
        self._reached(REDIS)
        self._metrics.clock.labels(str(partition)).set(work.clock_ms / 1000)


def _system(error: Exception) -> str:
    return REDIS if isinstance(error, StoreUnavailable) else KAFKA


def _kind(transition: Transition) -> _Kind:
    return transition.segment, transition.entered, transition.reason
