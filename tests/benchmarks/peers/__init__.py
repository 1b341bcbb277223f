"""What is measured beside the worker, on the same events, in the same run."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.peers.environments import jars_of, python_of

HEAP = "-Xmx1g"


@dataclass(frozen=True)
class Peer:
    """A program that does the worker's job."""

    label: str
    command: Callable[[Path], list[str]]
    """From the folder of its run. It is told the rest by the environment (``PEER_...``)."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """More of the environment."""
    is_slow: bool = False
    """It takes milliseconds an event, and so is given fewer."""
    tells_all: bool = True
    """Its transitions are those of the worker word for word; else without evidence."""
    package: tuple[str, str] | None = None
    """What it runs in, and the distribution or jar there whose version is shown; None: it is shown anyway."""
    prepared: Callable[[Path], list[str]] | None = None
    """A command that is run before it."""


def _faust(_: Path) -> list[str]:
    module = "tests.benchmarks.peers.faust_one_by_one"
    return [sys.executable, "-m", module, "worker", "--loglevel", "warn", "--without-web"]


def _quix(_: Path) -> list[str]:
    return [str(python_of("quix")), "-m", "tests.benchmarks.peers.quix_streams"]


def _bytewax(folder: Path) -> list[str]:
    # Snapshots every second, like the other peers' commits; by Bytewax's default it is ten, and a short run would end
    # before there is one. Those that are done with go at once.
    flow = "tests.benchmarks.peers.bytewax_flow:flow"
    recovery = ["-r", str(folder / "recovery"), "-s", "1", "-b", "0"]
    return [str(python_of("bytewax")), "-m", "bytewax.run", flow, *recovery]


def _bytewax_recovery(folder: Path) -> list[str]:
    (folder / "recovery").mkdir()
    return [str(python_of("bytewax")), "-m", "bytewax.recovery", str(folder / "recovery"), "1"]


def _kept_to(folder: Path) -> list[str]:
    """So that what Java unpacks goes with the run, and not into the machine's temporary folder."""
    return [f"-Djava.io.tmpdir={folder}", "-XX:-UsePerfData"]


def _kafka_streams(folder: Path) -> list[str]:
    return ["java", HEAP, *_kept_to(folder), "-cp", jars_of("kafka_streams"), "peer.Main"]


def _flink(folder: Path) -> list[str]:
    # What it opens of Java's own packages with its start scripts.
    opened = ("java.util", "java.lang", "java.time", "java.nio")
    opens = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in opened]
    return ["java", HEAP, *_kept_to(folder), *opens, "-cp", jars_of("flink"), "peer.Main"]


AT_LEAST_ONCE = {"PEER_GUARANTEE": "at-least-once"}
EXACTLY_ONCE = {"PEER_GUARANTEE": "exactly-once"}

PEERS = {
    "faust": Peer("Faust, one event at a time", _faust, is_slow=True),
    "quix": Peer("Quix Streams", _quix, AT_LEAST_ONCE, package=("quix", "quixstreams")),
    "quix-exactly-once": Peer(
        "Quix Streams, exactly once", _quix, EXACTLY_ONCE, package=("quix", "quixstreams")
    ),
    "bytewax": Peer("Bytewax", _bytewax, package=("bytewax", "bytewax"), prepared=_bytewax_recovery),
    "kafka-streams": Peer(
        "Kafka Streams", _kafka_streams, AT_LEAST_ONCE, tells_all=False, package=("kafka_streams", "kafka-streams")
    ),
    "kafka-streams-exactly-once": Peer(
        "Kafka Streams, exactly once", _kafka_streams, EXACTLY_ONCE, tells_all=False,
        package=("kafka_streams", "kafka-streams"),
    ),
    "flink-heap": Peer(
        "Flink, on the heap", _flink, {"PEER_STATE": "hashmap"}, tells_all=False,
        package=("flink", "flink-streaming-java"),
    ),
    "flink-rocksdb": Peer(
        "Flink, in RocksDB", _flink, {"PEER_STATE": "rocksdb"}, tells_all=False,
        package=("flink", "flink-streaming-java"),
    ),
}  # fmt: skip
