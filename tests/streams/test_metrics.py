"""What is counted, and how it is exposed."""

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from rules.event import Event
from rules.features import Limit
from rules.step import Outcome, Transition
from streams.contacts import Work
from streams.distribution import Distribution
from streams.intake import Taken
from streams.meter import Meter
from streams.metrics import Metrics, metrics_table
from streams.outbox import Output
from streams.progress import Progress
from streams.store import StoreUnavailable, Trouble

NOW_MS = 1_767_607_200_000


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"segments_{name}", labels)


def transition(entered: bool, reason: str, at_ms: int = NOW_MS, segment: str = "vip") -> Transition:
    return Transition("u1", segment, entered, 1, at_ms, reason, None, None, 1, [])


def test_a_distribution_puts_each_value_in_its_bucket_and_exposes_them_summed_up() -> None:
    registry = CollectorRegistry()
    distribution = Distribution("segments_x_seconds", "x", (0.1, 1, 10), registry)
    distribution.observe_many([0.05, 0.1, 0.5, 1.0, 11.0])
    distribution.observe(2)
    found = {
        bound: registry.get_sample_value("segments_x_seconds_bucket", {"le": bound})
        for bound in ("0.1", "1.0", "10.0", "+Inf")
    }
    assert found == {"0.1": 2, "1.0": 4, "10.0": 5, "+Inf": 6}
    assert registry.get_sample_value("segments_x_seconds_count") == 6
    assert registry.get_sample_value("segments_x_seconds_sum") == pytest.approx(14.65)


def test_no_two_metrics_have_one_name() -> None:
    registry = CollectorRegistry()
    Distribution("segments_x", "x", (1,), registry)
    with pytest.raises(ValueError, match="segments_x"):
        Distribution("segments_x", "x", (1,), registry)
    Metrics()
    Metrics()


def test_names_are_conventional_and_every_metric_is_in_the_table() -> None:
    metrics = Metrics()
    table = metrics_table()
    for declared in metrics.declared:
        assert re.fullmatch(r"segments_[a-z]+(_[a-z]+)*", declared.name)
        assert (declared.kind == "counter") == declared.name.endswith("_total")
        assert f"| `{declared.name}` | {declared.kind} |" in table
    exposed = {family.name for family in metrics.registry.collect()}
    assert exposed == {declared.name.removesuffix("_total") for declared in metrics.declared}


def test_what_is_exposed_can_be_read_by_prometheus() -> None:
    metrics = Metrics()
    metrics.add_process_metrics()
    metrics.set_segments(["vip"])
    metrics.event_to_transition.observe(0.02)
    families = {
        family.name for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
    }
    assert {
        "segments_members",
        "segments_event_to_transition_seconds",
        "segments_process_cpu_seconds",
    } <= families


def test_a_batch_counts_its_records_by_what_became_of_them() -> None:
    metrics = Metrics()
    meter = Meter(metrics, Progress(), lambda: NOW_MS)
    event = Event("u1", "track", "E", NOW_MS, NOW_MS, None, {}, {}, {})
    output = Output("t", 0, None, None, [])
    work = Work(NOW_MS)
    work.outcomes = {Outcome.PROCESSED: 5, Outcome.REPETITION: 2, Outcome.RESERVED: 1}
    taken = Taken([event] * 8, [output] * 3, [output] * 2, {"not_json": 1, "bad_id": 1}, repeated=1)
    limit = Limit(passed=2)
    meter.watch([limit])
    meter.batch(3, 14, taken, work)
    limit.passed += 3
    meter.batch(3, 0, Taken(), Work(NOW_MS))
    assert value(metrics, "inexact_events_total") == 5
    counted = {
        "processed": 5,
        "repetition": 2,
        "reserved": 1,
        "forwarded": 3,
        "forwarded_twice": 1,
        "dead_letter": 2,
    }
    assert {outcome: value(metrics, "events_total", outcome=outcome) for outcome in counted} == counted
    assert sum(counted.values()) == 14
    assert value(metrics, "dead_letters_total", reason="not_json") == 1
    assert value(metrics, "batch_records_sum") == 14
    assert value(metrics, "clock_timestamp_seconds", partition="3") == NOW_MS / 1000


def test_published_transitions_count_by_segment_direction_and_reason_with_how_long_they_took() -> None:
    metrics = Metrics()
    meter = Meter(metrics, Progress(), lambda: NOW_MS)
    work = Work(NOW_MS)
    work.transitions = [
        transition(True, "event"),
        transition(True, "event"),
        transition(False, "time", NOW_MS - 700),
        transition(True, "definition"),
    ]
    work.received_ms = [NOW_MS - 20, NOW_MS + 5]
    meter.published(0, work)
    assert value(metrics, "transitions_total", segment="vip", direction="enter", reason="event") == 2
    assert value(metrics, "transitions_total", segment="vip", direction="exit", reason="time") == 1
    assert value(metrics, "transitions_total", segment="vip", direction="enter", reason="definition") == 1
    assert value(metrics, "event_to_transition_seconds_count") == 2
    assert value(metrics, "event_to_transition_seconds_sum") == pytest.approx(0.02)
    assert value(metrics, "wake_lateness_seconds_sum") == pytest.approx(0.7)


def test_what_fails_is_counted_and_makes_the_worker_unready_until_it_works_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "streams.meter")
    metrics, progress = Metrics(), Progress()
    progress.report({})
    meter = Meter(metrics, progress, lambda: NOW_MS)
    meter.retrying(2, StoreUnavailable(Trouble.TIMEOUT, "no answer"))
    meter.retrying(3, StoreUnavailable(Trouble.TIMEOUT, "no answer"))
    meter.retrying(2, OSError("no broker"))
    said = [record.getMessage() for record in caplog.records]
    assert [message.partition(":")[0] for message in said] == [
        "partition 2 waits for Redis", "partition 2 waits for Kafka",
    ]  # fmt: skip
    assert value(metrics, "retries_total", partition="2", system="redis") == 1
    assert value(metrics, "retries_total", partition="2", system="kafka") == 1
    assert [problem["system"] for problem in progress.ready().body["problems"]] == ["redis", "kafka"]
    meter.woke(2, 10, Work(NOW_MS))
    meter.published(2, Work(NOW_MS))
    assert progress.ready().ok
    assert [record.getMessage() for record in caplog.records[2:]] == [
        "Redis does its part again", "Kafka does its part again",
    ]  # fmt: skip
    assert value(metrics, "wakes_total") == 10


def test_calls_are_timed_and_failures_counted() -> None:
    metrics = Metrics()
    meter = Meter(metrics, Progress(), lambda: NOW_MS)
    meter.store_call("commit", 0.004, False)
    meter.store_call("commit", 0.004, True)
    meter.kafka_call("publish", 0.01, True)
    meter.late(0, 3)
    assert value(metrics, "redis_call_seconds_count", operation="commit") == 2
    assert value(metrics, "redis_errors_total", operation="commit") == 1
    assert value(metrics, "kafka_errors_total", operation="publish") == 1
    assert value(metrics, "late_records_total") == 3


def test_nothing_is_left_of_segments_and_partitions_that_are_gone() -> None:
    metrics = Metrics()
    metrics.set_segments(["old", "vip"])
    metrics.members.labels("old").set(5)
    metrics.set_segments(["vip"])
    assert (value(metrics, "members", segment="old"), value(metrics, "members", segment="vip")) == (None, 0)
    assert value(metrics, "definitions_loaded") == 1
    metrics.lag.labels("events", "1").set(5)
    metrics.clock.labels("1").set(5)
    metrics.catch_up.labels("1").set(5)
    metrics.forget_partition(1, ["events", "events-by-contact"])
    assert value(metrics, "lag_records", topic="events", partition="1") is None
    assert value(metrics, "clock_timestamp_seconds", partition="1") is None
    assert value(metrics, "catch_up_seconds", partition="1") is None
