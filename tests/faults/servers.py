"""Kafka and Redis for fault runs: to be killed, frozen, starved of disk, and put back to an older copy."""

import os
import resource
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from streams.local import kafka_node
from streams.local.ports import HOST
from streams.local.redis_server import Fsync
from tests.servers import OwnKafka, OwnRedis, OwnServer

FILES_CAN_BE_LIMITED = hasattr(resource, "prlimit")
"""Linux alone lets one set a limit on another process."""


@dataclass(slots=True)
class LinkedKafka(OwnKafka):
    """A Kafka with a listener for each worker, which tells the worker the address of its own proxy.

    Clients connect to the address that the broker names, whatever they were given to begin with: with one listener for
    all, no proxy would ever see more than the first request.
    """

    links: Sequence[tuple[int, int]] = field(default=(), init=False)
    """For each worker the port of its listener, and that of the proxy before it."""

    def start(self) -> None:
        self.process = kafka_node.start(self.folder, self.ports, grace_s=0, settings=self._listeners())
        kafka_node.await_ready(self.process, self.ports[0])

    def _listeners(self) -> str:
        own, controller = self.ports
        named = [(f"WORKER{number}", *ports) for number, ports in enumerate(self.links)]
        return "".join(
            f"{name}={','.join(values)}\n"
            for name, values in {
                "listeners": [
                    f"PLAINTEXT://{HOST}:{own}",
                    f"CONTROLLER://{HOST}:{controller}",
                    *(f"{name}://{HOST}:{port}" for name, port, _ in named),
                ],
                "advertised.listeners": [
                    f"PLAINTEXT://{HOST}:{own}",
                    *(f"{name}://{HOST}:{proxy}" for name, _, proxy in named),
                ],
                "listener.security.protocol.map": [
                    f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER", *(name for name, *_ in named))
                ],
                "inter.broker.listener.name": ["PLAINTEXT"],
            }.items()
        )


@dataclass(slots=True)
class SafeRedis(OwnRedis):
    """A Redis that has everything on disk before it answers."""

    def __post_init__(self) -> None:
        self.fsync = Fsync.ALWAYS

    def copy(self, to: Path) -> None:
        """A copy of the data as they are at this moment."""
        shutil.rmtree(to, ignore_errors=True)
        freeze(self)
        try:
            shutil.copytree(self.folder / "appendonlydir", to)
        finally:
            thaw(self)

    def restore(self, copy: Path) -> None:
        """Puts an older copy in the place of the data. To be called while it is not running."""
        shutil.rmtree(self.folder / "appendonlydir")
        shutil.copytree(copy, self.folder / "appendonlydir")


def freeze(server: OwnServer) -> None:
    """Stops the process in the middle of what it does; its connections stay open."""
    os.kill(_pid(server), signal.SIGSTOP)


def thaw(server: OwnServer) -> None:
    """Lets it go on."""
    os.kill(_pid(server), signal.SIGCONT)


def fill_disk(server: OwnServer, room: int) -> None:
    """No file of the server grows beyond its largest one's size and ``room`` bytes.

    A limit on the size of files is what an unprivileged user can set on a running process (a full disk it cannot
    make). The writes fail in the same places; the next start is free of it.
    """
    _limit_files(server, max(file.stat().st_size for file in _data_of(server)) + room)


def free_disk(server: OwnServer) -> None:
    """There is room again, if the server still runs."""
    if is_alive(server):
        _limit_files(server, None)


def is_alive(server: OwnServer) -> bool:
    return server.process is not None and not server.process.has_ended()


def _limit_files(server: OwnServer, size: int | None) -> None:
    _, most = resource.prlimit(_pid(server), resource.RLIMIT_FSIZE)
    resource.prlimit(_pid(server), resource.RLIMIT_FSIZE, (most if size is None else size, most))


def _data_of(server: OwnServer) -> list[Path]:
    suffixes = {".log", ".aof"}
    return [
        file for file in server.folder.rglob("*") if file.suffix in suffixes and file.parent != server.folder
    ]


def _pid(server: OwnServer) -> int:
    assert server.process is not None
    return server.process.process.pid
