"""CPU time of processes over time, and what machine and versions it was measured on."""

import os
import platform
import subprocess
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import redis

_TICKS = os.sysconf("SC_CLK_TCK")
EVERY_S = 0.05


def cpu_s(pid: int) -> float:
    """User and system time that a process has used, in seconds; 0 of one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_bytes(pid: int) -> int:
    """Memory of a process that is not shared with files; 0 of one that is gone."""
    for line in _lines(f"/proc/{pid}/status"):
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


class Sampler:
    """Notes the CPU time of processes every few milliseconds, in a thread, while it is open."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._samples: list[tuple[float, dict[str, float]]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._samples.append((time.time(), {name: cpu_s(pid) for name, pid in self._pids.items()}))
            if self._ended.wait(EVERY_S):
                return

    def between(self, begin: float, end: float) -> dict[str, float]:
        """CPU seconds by name between two moments (seconds since 1970)."""
        first, last = self._at(begin), self._at(end)
        return {name: last[name] - first[name] for name in self._pids}

    def _at(self, moment: float) -> dict[str, float]:
        at = bisect_left(self._samples, moment, key=lambda sample: sample[0])
        if at == 0 or at == len(self._samples):
            return self._samples[min(at, len(self._samples) - 1)][1]
        (before, low), (after, high) = self._samples[at - 1], self._samples[at]
        part = (moment - before) / (after - before)
        return {name: low[name] + part * (high[name] - low[name]) for name in self._pids}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """In the unit of the values."""
    ordered = sorted(values)
    at = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    found = {name: ordered[min(int(len(ordered) * part), len(ordered) - 1)] for name, part in at.items()}
    return {**found, "max": ordered[-1]}


def machine() -> dict[str, Any]:
    """The machine, and how busy others kept it when this was asked."""
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory_kib = next(
        (int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0
    )
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory_kib / 2**20, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
    }


def versions(redis_url: str, kafka_jars: Sequence[Any]) -> dict[str, str]:
    """Of what takes part."""
    with redis.Redis.from_url(redis_url) as client:
        server = client.info("server")
    kind = "valkey" if "valkey_version" in server else "redis"
    broker = next(jar.version for jar in kafka_jars if jar.artifact.startswith("kafka_"))
    packages = ("aiokafka", "faust-streaming", "redis", "hiredis", "msgspec", "orjson")
    return {
        "commit": commit(),
        "python": platform.python_version(),
        "kafka": broker,
        kind: str(server[f"{kind}_version"]),
        **{package: version(package) for package in packages},
    }


def commit() -> str:
    """The checkout's commit, with a + where it is changed."""
    folder = Path(__file__).parent
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
