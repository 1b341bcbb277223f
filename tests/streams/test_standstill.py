"""What an error means for those who look at metrics: few reasons."""

import re

import pytest
from aiokafka import errors as kafka

from streams.errors import PartitionStopped
from streams.metrics import Metrics
from streams.outbox import PublishFailed
from streams.places import StateLost
from streams.records import NewerRecord
from streams.standstill import Reason, Standstill
from streams.store import FenceLost, StoreUnavailable, Trouble


def _publish_failed(cause: Exception) -> PublishFailed:
    try:
        raise PublishFailed.of(("t", 0), cause) from cause
    except PublishFailed as error:
        return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        *[(StoreUnavailable(trouble, "x"), Reason(f"redis_{trouble}")) for trouble in Trouble],
        (FenceLost(1, 2), Reason.MOVED),
        (PartitionStopped(1, "x"), Reason.STOPPED),
        (StateLost(1, "x"), Reason.STATE_LOST),
        (NewerRecord(9), Reason.NEWER_RECORD),
        (_publish_failed(kafka.KafkaConnectionError("x")), Reason.KAFKA_UNREACHABLE),
        (_publish_failed(OSError("x")), Reason.KAFKA_UNREACHABLE),
        (_publish_failed(kafka.UnknownTopicOrPartitionError("x")), Reason.KAFKA_TOPIC_MISSING),
        (_publish_failed(kafka.TransactionalIdAuthorizationFailed("x")), Reason.KAFKA_DENIED),
        (kafka.TopicAuthorizationFailedError("x"), Reason.KAFKA_DENIED),
        (kafka.UnknownError("x"), Reason.KAFKA_ERROR),
        (PublishFailed("x"), Reason.KAFKA_ERROR),
        (KeyError("x"), Reason.BUG),
    ],
)
def test_every_error_has_its_reason(error: Exception, reason: Reason) -> None:
    found = Standstill.of(error)
    assert found.reason is reason
    assert "x" in found.why or isinstance(error, FenceLost | NewerRecord)


def test_a_partition_stands_still_for_one_reason_at_a_time() -> None:
    metrics = Metrics()
    for reason in (Reason.BUG, Reason.BUG, Reason.MOVED):
        metrics.say_standstill(3, reason)

    def said(reason: Reason) -> float | None:
        labels = {"partition": "3", "reason": reason}
        return metrics.registry.get_sample_value("segments_partition_standstill", labels)

    assert (said(Reason.BUG), said(Reason.MOVED)) == (None, 1)
    metrics.say_standstill(3, None)
    assert said(Reason.MOVED) is None


def test_the_reference_names_every_reason() -> None:
    (about,) = (each.about for each in Metrics().declared if each.name == "segments_partition_standstill")
    named = set(re.findall(r"\b[a-z_]+", about))
    assert {
        reason.split("_")[0] + "_" if reason.startswith(("redis_", "kafka_")) else reason for reason in Reason
    } <= named
