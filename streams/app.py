"""The Faust app: what of Faust is used, and how it is set."""

import tempfile
from collections.abc import Callable
from typing import Any, cast

import faust
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.types.settings import Settings as FaustSettings
from yarl import URL

from streams.agents import add_ingest
from streams.assignment import Assignment
from streams.batches import BatchConsumer, BatchTopic, BatchTransport
from streams.clock import Clock
from streams.connections import KafkaConnection
from streams.packed import MOST_UNPACKED_BYTES
from streams.runner import Lane
from streams.settings import Delivery

SESSION_S = 10.0
"""How long a worker may be silent before its partitions go to others."""


class _OwnSettings(FaustSettings):
    def getenv(self, env_name: str) -> Any:  # noqa: ARG002
        # Faust lets variables such as BROKER_URL or WEB_ENABLED, whoever set them and for what, go before what is
        # written here.
        return None


class _OnlyConsumer(BootStrategy):
    """No producer (``streams.publisher`` is ours), no web server, no sampling sensors."""

    enable_kafka_producer = False
    enable_web = False
    enable_sensors = False


class _NoTables(TableManager):
    async def on_start(self) -> None:
        # The stock one sleeps for a second first, so that tables can be added.
        await self._update_channels()
        await self.recovery.start()


class SegmentsApp(faust.App):
    """A Faust app that reads batches and nothing else."""

    Settings = _OwnSettings
    BootStrategy = _OnlyConsumer
    connection: KafkaConnection
    assignment: Assignment
    delivery: Delivery
    """The same for all workers of the group: it lets in no other."""
    most_unpacked_bytes: int
    """How much a fetched batch may be when it is unpacked."""
    instance: str | None = None
    """Who this worker is to the group, before and after a restart; None: somebody new at each start."""

    @property
    def reader(self) -> BatchConsumer:
        """The consumer."""
        return cast("BatchConsumer", self.consumer)

    def _create_directories(self) -> None:
        """None: no tables are kept."""


def build_app(
    connection: KafkaConnection,
    group: str,
    topics: tuple[str, ...],
    make_lane: Callable[[int], Lane],
    *,
    clock: Clock,
    instance: str | None = None,
    delivery: Delivery = Delivery.AT_LEAST_ONCE,
    session_s: float = SESSION_S,
    most_unpacked_bytes: int = MOST_UNPACKED_BYTES,
) -> SegmentsApp:
    """An app that reads the source topics as a member of the group, each partition through a lane of its own.

    ``instance``: a name that no other worker of the group has; one that was killed and starts again under it has its
    partitions back at once, and not only when its session has run out.
    To be called, and started, in a running event loop.
    """
    servers = [URL(f"kafka://{server}") for server in connection.bootstrap_servers]
    app = SegmentsApp(
        group,
        broker=servers,
        broker_session_timeout=session_s,
        broker_heartbeat_interval=session_s / 5,
        broker_commit_interval=5.0,
        datadir=tempfile.gettempdir(),
        store="memory://",
        stream_recovery_delay=0.0,
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
        TableManager=_NoTables,
        Topic=BatchTopic,
    )
    app.connection, app.instance, app.delivery = connection, instance, delivery
    app.most_unpacked_bytes = most_unpacked_bytes
    app.transport = BatchTransport(servers, app)
    app.assignment = assignment = Assignment(topics, make_lane, clock)
    add_ingest(app, topics, assignment)

    async def assigned(_app: Any, /, *tps: Any, signal: Any, **_: Any) -> None:  # noqa: ARG001
        assignment.assigned(tps[0], app.reader)

    async def revoked(_app: Any, /, *_tps: Any, signal: Any, **_: Any) -> None:  # noqa: ARG001
        await assignment.revoked()
        await app.reader.commit()
        app.reader.forget()

    app.on_partitions_assigned.connect(assigned, weak=False)
    app.on_partitions_revoked.connect(revoked, weak=False)
    return app
