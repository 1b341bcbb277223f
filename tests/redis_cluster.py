"""A real Redis Cluster for tests: primaries that share the slots evenly, and replicas, on free ports of this machine."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.crc import key_slot

from streams.local import redis_server
from streams.local.ports import HOST, free_ports
from streams.local.processes import GuardedServer
from streams.store.nodes import SLOTS
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
appendfsync always
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
            return client.execute_command(*command)

    def tell_raw(self, *command: str) -> Any:
        """The same as it came: of some answers the client makes something else."""
        with redis.Redis(HOST, self.port, decode_responses=True) as client:
            client.response_callbacks.clear()
            return client.execute_command(*command)

    def has(self, slot: int) -> bool:
        """Whether it says so itself."""
        return any(
            first <= slot <= last and primary[1] == self.port
            for first, last, primary, *_ in self.tell_raw("CLUSTER", "SLOTS")
        )

    @property
    def node_id(self) -> str:
        return str(self.tell("CLUSTER", "MYID"))


@dataclass(frozen=True, slots=True)
class OwnCluster:
    nodes: list[ClusterNode]

    @property
    def primaries(self) -> list[ClusterNode]:
        return [node for node in self.nodes if node.process and node.tell("ROLE")[0] == "master"]

    @property
    def url(self) -> str:
        return self.primaries[0].url

    def replica_of(self, primary: ClusterNode) -> ClusterNode:
        roles = {node.port: node.tell("ROLE") for node in self.nodes}
        return next(node for node in self.nodes if roles[node.port][:3] == ["slave", HOST, primary.port])

    def holder(self, partition: int) -> ClusterNode:
        """The primary that has a partition's slot, and knows it."""
        slot = key_slot(str(partition).encode())
        return next(node for node in self.primaries if node.has(slot))

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

    def move(self, partition: int, to: ClusterNode) -> None:
        with self.moving(partition, to):
            pass

    def move_at_once(self, partition: int, to: ClusterNode) -> None:
        """The same as one step, where the servers can (Valkey from 9 on); returns when it is done."""
        slot, source = key_slot(str(partition).encode()), self.holder(partition)
        try:
            source.tell("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", to.node_id)
        except redis.ResponseError as error:
            if "unknown subcommand" not in str(error):
                raise
            self.move(partition, to)
        until(lambda: to.has(slot) and not source.has(slot))

    def mend(self) -> None:
        """Returns when all nodes are back, agree, and every primary has its replica."""
        for node in self.nodes:
            if node.process is None:
                node.start()
        until(self._is_whole)

    def _is_whole(self) -> bool:
        roles = [node.tell("ROLE") for node in self.nodes]
        linked = {role[2] for role in roles if role[0] == "slave" and role[3] == "connected"}
        return len(linked) == len(self.nodes) // 2 and all(_knows(node, self.nodes) for node in self.nodes)


def form(nodes: list[ClusterNode]) -> None:
    """Makes nodes that know no others a cluster in which they have as many slots each."""
    for number, node in enumerate(nodes):
        first, after = (SLOTS * at // len(nodes) for at in (number, number + 1))
        node.tell("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        node.tell("CLUSTER", "ADDSLOTSRANGE", first, after - 1)
    for node in nodes[1:]:
        node.tell("CLUSTER", "MEET", HOST, *nodes[0].ports)
    until(lambda: all(_knows(node, nodes) for node in nodes))


def _join(primaries: list[ClusterNode], replicas: list[ClusterNode]) -> None:
    for node in replicas:
        node.tell("CLUSTER", "MEET", HOST, *primaries[0].ports)
    nodes = [*primaries, *replicas]
    until(lambda: all(_knows(node, nodes) for node in nodes))
    for primary, replica in zip(primaries, replicas, strict=True):
        replica.tell("CLUSTER", "REPLICATE", primary.node_id)


def _knows(node: ClusterNode, nodes: list[ClusterNode]) -> bool:
    """It knows all of them, and that all slots are served."""
    told = node.tell_raw("CLUSTER", "INFO").splitlines()
    agreed = ("cluster_state:ok", f"cluster_slots_ok:{SLOTS}")
    return {f"cluster_known_nodes:{len(nodes)}", *agreed} <= set(told)


@contextmanager
def cut_off(replica: ClusterNode, primary: ClusterNode) -> Iterator[None]:
    """Within the block the replica is told nothing more of what its primary takes, and would take over as it is."""
    replica.tell("CONFIG", "SET", "masterauth", "not the one")
    primary.tell("CLIENT", "KILL", "TYPE", "replica")
    until(lambda: replica.tell("ROLE")[3] != "connected")
    try:
        yield
    finally:
        replica.tell("CONFIG", "SET", "masterauth", "")


def until(holds: Callable[[], bool], within_s: float = 20) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def own_node(folder: Path) -> Iterator[ClusterNode]:
    """One that knows no others, and has no slots yet."""
    node = ClusterNode(folder, tuple(free_ports(2)))
    try:
        node.start()
        yield node
    finally:
        node.kill()


@contextmanager
def own_cluster(folder: Path) -> Iterator[OwnCluster]:
    """Three primaries with a replica each, and their data in `folder`."""
    with ExitStack() as ending:
        nodes = [ending.enter_context(own_node(folder / str(number))) for number in range(6)]
        form(nodes[:3])
        _join(nodes[:3], nodes[3:])
        cluster = OwnCluster(nodes)
        cluster.mend()
        yield cluster
