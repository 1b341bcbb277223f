"""Kafka and Redis of one data directory: `up`, `down`, and `running` for as long as a block of code runs.

The directory holds `kafka/`, `redis/`, `lock` (held by whoever starts or stops) and `state.json` (what was started).
"""

import itertools
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from streams.local import kafka_node, redis_server
from streams.local.errors import LocalError
from streams.local.locks import exclusive
from streams.local.ports import HOST, free_ports, is_free, preferred_or_free
from streams.local.processes import GuardedServer
from streams.local.progress import Progress, silent
from streams.local.redis_server import Fsync
from streams.local.state import Server, State

_START_ATTEMPTS = 3
_ANSWERS_WITHIN_S = 15.0  # on a busy machine; a server that runs and takes longer is replaced
_POLL_S = 0.1
# Longer than the first start of all takes, on a slow network.
_LOCK_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Kafka and Redis are: bootstrap servers, and a URL."""

    kafka: str
    redis: str

    def environment(self) -> dict[str, str]:
        """The settings that a worker needs to use them."""
        return {"SEGMENTS_KAFKA": self.kafka, "SEGMENTS_REDIS": self.redis}


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the two servers; its data is in the folder of its name."""

    name: str
    usual_ports: tuple[int, ...]
    start: Callable[[Path, tuple[int, ...], float], GuardedServer]
    await_ready: Callable[[GuardedServer, int], None]
    is_ready: Callable[[Path, int], bool]
    grace_s: float


def up(data_dir: Path, progress: Progress = silent, fsync: Fsync = Fsync.EVERY_SECOND) -> Endpoints:
    """Have Kafka and Redis run on the data of `data_dir`; return when both serve. They go on when this process ends.

    What runs already is left as it is; what has ended, however it did, is started again on its data. Ports are those
    of the last time, at first the usual ones, and free ones where those are taken.
    LocalError, with nothing left running that this call started, if that fails.
    """
    data_dir = data_dir.absolute()
    with exclusive(data_dir / "lock", _LOCK_TIMEOUT_S), ExitStack() as started:
        last = State.read(data_dir).servers
        servers: dict[str, Server] = {}
        begun: list[GuardedServer] = []
        for part in _parts(progress, fsync):
            server = last.get(part.name)
            if server is None or not _serves(part, data_dir, server, progress):
                ports = preferred_or_free(server.ports if server else part.usual_ports)
                process, ports = _start(part, data_dir, ports, part.grace_s, started)
                begun.append(process)
                server = Server(process.process, ports)
            servers[part.name] = server
        State(servers).write(data_dir)
        for process in begun:
            process.let_go()
    return _endpoints(servers)


def down(data_dir: Path, progress: Progress = silent) -> tuple[str, ...]:
    """Stop what runs on `data_dir`, keeping the data. Returns the names of what was stopped ("kafka", "redis"):
    empty if nothing ran. LocalError if a process will not end.
    """
    data_dir = data_dir.absolute()
    if not (data_dir / "lock").exists():
        return ()
    with exclusive(data_dir / "lock", _LOCK_TIMEOUT_S):
        last = State.read(data_dir).servers
        stopped = []
        for part in reversed(_parts(progress, Fsync.EVERY_SECOND)):
            server = last.get(part.name)
            if server is not None and server.process.is_alive():
                progress(f"Stopping {part.name.capitalize()}")
                server.process.stop(part.grace_s)
                stopped.append(part.name)
    return tuple(stopped)


@contextmanager
def running(
    data_dir: Path | None = None,
    progress: Progress = silent,
    fsync: Fsync = Fsync.EVERY_SECOND,
    usual_ports: bool = True,
) -> Iterator[Endpoints]:
    """Kafka and Redis for as long as the block runs. They end with it, and with this process however it ends.

    Without `data_dir` their data is thrown away. Without `usual_ports` they get free ports from the start.
    In the main thread SIGTERM and SIGHUP, where nothing handles them, leave the block as SystemExit.
    LocalError if they cannot be started, or run on `data_dir` already.
    """
    with ExitStack() as ending:
        ending.enter_context(_leaving_on_signals())
        folder = data_dir.absolute() if data_dir else _thrown_away(ending)
        with exclusive(folder / "lock", _LOCK_TIMEOUT_S):
            last = State.read(folder).servers
            if any(server.process.is_alive() for server in last.values()):
                raise LocalError(
                    f"Kafka or Redis run on {folder} already; stop them, or choose another directory"
                )
            servers = {}
            for part in _parts(progress, fsync):
                first = part.usual_ports if usual_ports else tuple(free_ports(len(part.usual_ports)))
                ports = preferred_or_free(last[part.name].ports if part.name in last else first)
                # Data that is thrown away needs no time to be put in order.
                process, ports = _start(part, folder, ports, part.grace_s if data_dir else 0, ending)
                servers[part.name] = Server(process.process, ports)
            State(servers).write(folder)
        yield _endpoints(servers)


def _parts(progress: Progress, fsync: Fsync) -> tuple[_Part, ...]:
    def start_redis(folder: Path, ports: tuple[int, ...], grace_s: float) -> GuardedServer:
        return redis_server.start(folder, ports, fsync, progress, grace_s)

    def start_kafka(folder: Path, ports: tuple[int, ...], grace_s: float) -> GuardedServer:
        return kafka_node.start(folder, ports, progress, grace_s=grace_s)

    redis, kafka = redis_server, kafka_node
    return (
        _Part("redis", redis.USUAL_PORTS, start_redis, redis.await_ready, redis.is_ready, redis.STOP_GRACE_S),
        _Part("kafka", kafka.USUAL_PORTS, start_kafka, kafka.await_ready, kafka.is_ready, kafka.STOP_GRACE_S),
    )


def _serves(part: _Part, data_dir: Path, server: Server, progress: Progress) -> bool:
    """Whether the server of the last time does its work still. One that runs and does not is stopped."""
    deadline = time.monotonic() + _ANSWERS_WITHIN_S
    while server.process.is_alive():
        if part.is_ready(data_dir / part.name, server.ports[0]):
            return True
        if time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    else:
        return False
    progress(f"Stopping {part.name.capitalize()}, which does not answer")
    server.process.stop(part.grace_s)
    return False


def _start(
    part: _Part, data_dir: Path, ports: tuple[int, ...], grace_s: float, ending: ExitStack
) -> tuple[GuardedServer, tuple[int, ...]]:
    """Start the server and wait until it serves; other ports are tried if another process was faster to take these."""
    for attempt in itertools.count(1):
        server = part.start(data_dir / part.name, ports, grace_s)
        ending.callback(server.stop)
        try:
            part.await_ready(server, ports[0])
        except LocalError:
            server.stop()
            if attempt >= _START_ATTEMPTS or all(map(is_free, ports)):
                raise
            ports = tuple(free_ports(len(ports)))
        else:
            return server, ports
    raise AssertionError  # the loop has no end


def _endpoints(servers: dict[str, Server]) -> Endpoints:
    return Endpoints(
        kafka=f"{HOST}:{servers['kafka'].ports[0]}",
        redis=f"redis://{HOST}:{servers['redis'].ports[0]}/0",
    )


def _thrown_away(ending: ExitStack) -> Path:
    folder = tempfile.mkdtemp(prefix="livesegments-")
    ending.callback(partial(shutil.rmtree, folder, ignore_errors=True))
    return Path(folder)


@contextmanager
def _leaving_on_signals() -> Iterator[None]:
    """Let signals that would end this process without further ado unwind it, so that it can put things in order."""

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    main_thread = threading.current_thread() is threading.main_thread()
    wanted = (signal.SIGTERM, signal.SIGHUP) if main_thread else ()
    handled = [number for number in wanted if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
