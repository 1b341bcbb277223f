"""The seam between Faust, aiokafka and us: these fail when a new version of either has moved it."""

import inspect
from importlib.metadata import version
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka import client, cluster
from aiokafka.consumer import fetcher, group_coordinator, subscription_state
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.producer import message_accumulator, sender, transaction_manager
from faust.app.base import App, BootStrategy
from faust.tables.manager import TableManager
from faust.transport import consumer
from faust.transport.drivers import aiokafka as driver
from faust.types.settings import Settings

from streams.app import SegmentsApp, _NoTables, _OwnSettings
from streams.batches import BatchConsumer, BatchTopic
from streams.fetching import BatchThread


def test_the_versions_are_those_that_the_seam_was_tested_with() -> None:
    assert (version("faust-streaming"), version("aiokafka")) == ("0.15.3", "0.14.0")


@pytest.mark.parametrize(
    ("ours", "theirs", "names"),
    [
        (BatchConsumer, driver.Consumer, ["_new_consumer_thread", "_drain_messages", "perform_seek"]),
        (BatchConsumer, driver.Consumer, ["verify_event_path", "force_commit"]),
        (
            BatchThread,
            driver.AIOKafkaConsumerThread,
            ["_create_worker_consumer", "__post_init__", "on_thread_stop"],
        ),
        (BatchTopic, faust.Topic, ["_compile_decode"]),
        (_NoTables, TableManager, ["on_start"]),
        (SegmentsApp, App, ["_create_directories"]),
        (_OwnSettings, Settings, ["getenv"]),
    ],
)
def test_what_is_overridden_is_still_there_and_called_alike(
    ours: type, theirs: type, names: list[str]
) -> None:
    for name in names:
        assert list(inspect.signature(getattr(ours, name)).parameters) == list(
            inspect.signature(getattr(theirs, name)).parameters
        ), name


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (driver.Consumer, ["RebalanceListener", "wait", "should_stop"]),
        (
            driver.Consumer,
            ["on_partitions_assigned", "on_partitions_revoked", "stop_flow", "resume_flow", "commit"],
        ),
        (driver.AIOKafkaConsumerThread, ["_ensure_consumer"]),
        (driver.ConsumerRebalanceListener, ["on_partitions_assigned", "on_partitions_revoked"]),
        (BootStrategy, ["enable_kafka_producer", "enable_web", "enable_sensors"]),
        (TableManager, ["_update_channels", "recovery"]),
        (fetcher.Fetcher, ["fetched_records", "_notify"]),
        (RangePartitionAssignor, ["name", "assign", "metadata"]),
        (group_coordinator.GroupCoordinator, ["check_errors", "fetch_committed_offsets"]),
        (subscription_state.SubscriptionState, ["fetch_context", "pause", "resume", "subscription"]),
        (subscription_state.Assignment, ["state_value"]),
        (subscription_state.TopicPartitionState, ["position", "has_valid_position"]),
        (message_accumulator.MessageBatch, ["failure"]),
        (sender.Sender, ["close"]),
        (client.AIOKafkaClient, ["set_topics", "force_metadata_update"]),
        (cluster.ClusterMetadata, ["partitions_for_topic"]),
    ],
)
def test_what_is_called_is_still_there(owner: type, names: list[str]) -> None:
    assert [name for name in names if not hasattr(owner, name)] == []


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (fetcher.Fetcher.__init__, ["_fetch_min_bytes", "_fetch_max_wait_ms", "_records", "_subscriptions"]),
        (fetcher.Fetcher.__init__, ["_wait_consume_future", "_closed"]),
        (fetcher.Fetcher._get_actions_per_node, ["_fetch_max_wait_ms", "_fetch_min_bytes"]),
        (fetcher.Fetcher._proc_fetch_request, ["highwater", "lso", "timestamp = now_ms"]),
        (fetcher.Fetcher._proc_fetch_request, ["(self, assignment, node_id, request)", "request.topics"]),
        (fetcher.Fetcher._proc_fetch_request, ["self._records[tp] = FetchResult("]),
        (
            fetcher.Fetcher._proc_fetch_request,
            ["self._client.send(node_id, request)", "MemoryRecords(part_data[-1])"],
        ),
        (fetcher.FetchResult.__init__, ["self._partition_records = partition_records"]),
        (fetcher.PartitionRecords._unpack_records, ["records = self._records\n", "records.has_next()"]),
        (fetcher.PartitionRecords._unpack_records, ["records.next_batch()", "for record in next_batch:"]),
        (fetcher.PartitionRecords._unpack_records, ["self._consumer_record(tp, record)"]),
        (fetcher.Fetcher._fetch_requests_routine, ["self._proc_fetch_request(assignment, node_id, request)"]),
        (aiokafka.AIOKafkaConsumer.__init__, ["_subscription"]),
        (aiokafka.AIOKafkaConsumer.start, ["_fetcher", "_coordinator"]),
        (group_coordinator.GroupCoordinator.__init__, ["_coordination_task"]),
        (aiokafka.AIOKafkaProducer.__init__, ["_message_accumulator", "_sender", "_txn_manager"]),
        (transaction_manager.TransactionManager.__init__, ["_transaction_waiter"]),
        (message_accumulator.MessageAccumulator.__init__, ["_batches", "_pending_batches"]),
        (message_accumulator.MessageBatch.__init__, ["future", "_drain_waiter"]),
        (cluster.ClusterMetadata.__init__, ["unauthorized_topics"]),
        (aiokafka.AIOKafkaConsumer.__init__, ["_client"]),
        (consumer.Consumer.__init__, ["can_resume_flow", "suspend_flow"]),
        (App._on_partitions_revoked, ["stop_flow", "on_partitions_revoked"]),
        (App._on_partitions_assigned, ["on_partitions_assigned"]),
    ],
)
def test_what_is_read_and_set_is_still_used(function: Any, names: list[str]) -> None:
    source = inspect.getsource(function)
    assert [name for name in names if name not in source] == []
