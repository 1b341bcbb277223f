"""What is measured beside the worker, on the same events, in the same run."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers.environments import jars_of, python_of


@dataclass(frozen=True)
class Peer:
    """A program that does the worker's job."""

    label: str
    command: Callable[[Path], list[str]]
    """From the folder of its run. It is told the rest by the environment (``PEER_...``)."""
    guarantee: str = "at-least-once"
    is_slow: bool = False
    """It takes milliseconds an event, and so is given fewer."""
    tells_all: bool = True
    """Its transitions are those of the worker word for word; else without evidence."""
    package: tuple[str, str] | None = None
    """Environment and distribution whose version is shown; None: it is shown anyway."""
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


def _kafka_streams(_: Path) -> list[str]:
    return ["java", "-Xmx1g", "-cp", jars_of("kafka_streams"), "peer.Main"]


PEERS = {
    "faust": Peer("Faust, one event at a time", _faust, is_slow=True),
    "quix": Peer("Quix Streams", _quix, package=("quix", "quixstreams")),
    "quix-exactly-once": Peer("Quix Streams, exactly once", _quix, "exactly-once"),
    "bytewax": Peer("Bytewax", _bytewax, package=("bytewax", "bytewax"), prepared=_bytewax_recovery),
    "kafka-streams": Peer("Kafka Streams", _kafka_streams, tells_all=False),
    "kafka-streams-exactly-once": Peer(
        "Kafka Streams, exactly once", _kafka_streams, "exactly-once", tells_all=False
    ),
}
