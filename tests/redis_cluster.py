"""A real Redis Cluster for tests: primaries that share the slots evenly, and replicas, on free ports of this machine."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from streams.local import redis_server
from streams.local.ports import HOST, free_ports
from streams.local.processes import GuardedServer
from tests.servers import OwnServer

NODE_TIMEOUT_MS = 1000
_SETTINGS = """\
bind {host}
port {port}
cluster-enabled yes
cluster-port {bus}
cluster-node-timeout {timeout_ms}
cluster-require-full-coverage no
cluster-replica-validity-factor 0
repl-diskless-sync-delay 0
dir .
pidfile redis.pid
logfile server.log
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
"""


class ClusterNode(OwnServer):
    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        port, bus = self.ports
        settings = _SETTINGS.format(host=HOST, port=port, bus=bus, timeout_ms=NODE_TIMEOUT_MS)
        (self.folder / "redis.conf").write_text(settings)
        command = [str(redis_server.server_binary()), "redis.conf"]
        self.process = GuardedServer(command, self.folder, grace_s=0)
        redis_server.await_ready(self.process, self.port)

    def tell(self, *command: str | int | bytes) -> Any:
        """The answer of this very node, wherever a key may be."""
        with redis.Redis(HOST, self.port, decode_responses=True) as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    @property
    def node_id(self) -> str:
        return str(self.tell("CLUSTER", "MYID"))


@dataclass(slots=True)
class OwnCluster:
    primaries: list[ClusterNode]
    replicas: list[ClusterNode]
    """As many as primaries, of each one, or none."""
    moved: dict[int, ClusterNode] = field(default_factory=dict, init=False)

    @property
    def nodes(self) -> list[ClusterNode]:
        return [*self.primaries, *self.replicas]

    @property
    def url(self) -> str:
        return self.primaries[0].url

    def holder(self, partition: int) -> ClusterNode:
        """The primary that a partition's slot was given."""
        slot, count = key_slot(str(partition).encode()), len(self.primaries)
        number = next(number for number in range(count) if slot < _first_slot(number + 1, count))
        return self.moved.get(slot, self.primaries[number])

    @contextmanager
    def moving(self, partition: int, to: ClusterNode) -> Iterator[None]:
        """Moves a partition's slot: within the block half of its keys are there, afterwards all."""
        slot, source = key_slot(str(partition).encode()), self.holder(partition)
        to.tell("CLUSTER", "SETSLOT", slot, "IMPORTING", source.node_id)
        source.tell("CLUSTER", "SETSLOT", slot, "MIGRATING", to.node_id)

        def migrate(share: int) -> None:
            keys = sorted(source.tell("CLUSTER", "GETKEYSINSLOT", slot, 1000))
            if some := keys[: (len(keys) + share - 1) // share]:
                source.tell("MIGRATE", HOST, to.port, "", 0, 5000, "KEYS", *some)

        migrate(2)
        yield
        migrate(1)
        for node in (to, source):
            node.tell("CLUSTER", "SETSLOT", slot, "NODE", to.node_id)
        self.moved[slot] = to

    def move(self, partition: int, to: ClusterNode) -> None:
        with self.moving(partition, to):
            pass

    def form(self) -> None:
        first, count = self.primaries[0], len(self.primaries)
        for number, node in enumerate(self.primaries):
            node.tell("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.tell("CLUSTER", "ADDSLOTSRANGE", _first_slot(number, count), _first_slot(number + 1, count) - 1)
        for node in self.nodes[1:]:
            node.tell("CLUSTER", "MEET", HOST, first.port, first.ports[1])
        until(lambda: all(self._knows_all(node) for node in self.nodes))
        for primary, replica in zip(self.primaries, self.replicas, strict=bool(self.replicas)):
            replica.tell("CLUSTER", "REPLICATE", primary.node_id)
        until(lambda: all("master_link_status:up" in _told(node, "INFO", "replication") for node in self.replicas))

    def _knows_all(self, node: ClusterNode) -> bool:
        told = _told(node, "CLUSTER", "INFO")
        return f"cluster_known_nodes:{len(self.nodes)}" in told and "cluster_state:ok" in told


def _first_slot(number: int, count: int) -> int:
    return REDIS_CLUSTER_HASH_SLOTS * number // count


def _told(node: ClusterNode, *command: str) -> str:
    with redis.Redis(HOST, node.port) as client:
        # As bytes and raw: the client would make a dictionary of it.
        client.response_callbacks.clear()
        return bytes(client.execute_command(*command)).decode()  # type: ignore[no-untyped-call]


def until(holds: Callable[[], bool], within_s: float = 20) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def own_cluster(folder: Path, *, replicas: bool = False) -> Iterator[OwnCluster]:
    """Three primaries, each with a replica where asked for, with their data in `folder`."""
    with ExitStack() as ending:
        nodes = [ClusterNode(folder / str(number), tuple(free_ports(2))) for number in range(6 if replicas else 3)]
        for node in nodes:
            ending.callback(node.kill)
            node.start()
        cluster = OwnCluster(nodes[:3], nodes[3:])
        cluster.form()
        yield cluster
