"""How many events a second from a topic that is full, and at what cost."""

import asyncio
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Sampler
from tests.benchmarks.site import Site, WrongResult, check, fill, process, worker
from tests.benchmarks.workload import Workload
from tests.integration.installation import Installation

LOOK_S = 0.01
PATIENCE_S = 240.0


async def worker_throughput(site: Site, workload: Workload, count: int) -> dict[str, Any]:
    """Of `segments worker`, from its first commit to the last transition on the topic."""
    sent = list(workload.history(count))
    expected = workload.outcome(sent)
    transitions = sum(map(len, expected.values()))
    installation = site.installation(workload, "events")
    await fill(installation, sent)
    with (
        worker(installation, site.delivery) as started,
        Sampler({**site.pids, "worker": started.pid}) as sampler,
    ):
        await _until_taken(installation, 1, started)
        begin, done = time.time(), installation.taken()
        await _until_taken(installation, count, started)
        await _until_published(installation, transitions, site.delivery)
        end = time.time()
        used = sampler.between(begin, end)
    await check(installation, expected)
    return _result(count - done, transitions * (count - done) / count, end - begin, used)


async def one_by_one_throughput(site: Site, workload: Workload, count: int) -> dict[str, Any]:
    """Of the stock Faust agent, from its first event to its last."""
    sent = list(workload.history(count))
    expected = workload.outcome_without_wakes(sent)
    installation = site.installation(workload, "events")
    await fill(installation, sent)
    folder = installation.folder
    command = ["tests.benchmarks.faust_one_by_one", "worker", "--loglevel", "warn", "--without-web"]
    log = folder / "peer.log"
    with (
        process(command, _peer_environment(installation, count), log) as started,
        Sampler({**site.pids, "worker": started.pid}) as sampler,
    ):
        moments = await _written(folder / "done", started, log)
        used = sampler.between(*moments)
        # What it has sent last is on its way.
        await asyncio.sleep(1)
    await check(installation, expected)
    return _result(count, sum(map(len, expected.values())), moments[1] - moments[0], used)


def _peer_environment(installation: Installation, count: int) -> dict[str, str]:
    return {
        "PEER_GROUP": f"peer-{installation.name}",
        "PEER_COUNT": str(count),
        "PEER_KAFKA": installation.kafka,
        "PEER_REDIS": installation.redis_url,
        "PEER_PARTITIONS": str(installation.partitions),
        "PEER_EVENTS": installation.topics.events,
        "PEER_TRANSITIONS": installation.topics.transitions,
        "PEER_DEFINITIONS": str(installation.segments),
        "PEER_FOLDER": str(installation.folder),
    }


async def _written(path: Path, started: subprocess.Popen[bytes], log: Path) -> tuple[float, float]:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if started.poll() is not None:
            raise RuntimeError(f"the peer ended: {_text(log)[-2000:]}")
        moments = _text(path).split()
        if len(moments) == 2:
            return float(moments[0]), float(moments[1])
        await asyncio.sleep(0.1)
    raise TimeoutError(f"the peer was not done within {PATIENCE_S:.0f} s")


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


async def _until_taken(installation: Installation, count: int, started: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_S
    while installation.taken() < count:
        if started.poll() is not None:
            raise RuntimeError(f"the worker ended: {installation.workers[-1].said()}")
        if time.monotonic() > until:
            raise TimeoutError(f"not done within {PATIENCE_S:.0f} s: {installation.workers[-1].said()}")
        await asyncio.sleep(LOOK_S)


async def _until_published(installation: Installation, count: int, delivery: str) -> None:
    until = time.monotonic() + PATIENCE_S
    if delivery == "exactly_once":
        # What ends a transaction takes an offset too: offsets do not count records.
        while await installation.unpublished():
            if time.monotonic() > until:
                raise WrongResult("not all transitions were published")
        return
    while (found := sum((await installation.ends(installation.topics.transitions)).values())) < count:
        if time.monotonic() > until:
            raise WrongResult(f"{found} transitions came, {count} were expected")
        await asyncio.sleep(LOOK_S)


def _result(events: int, transitions: float, seconds: float, used: dict[str, float]) -> dict[str, Any]:
    return {
        "events": events,
        "transitions_per_event": transitions / events,
        "events_per_s": events / seconds,
        "seconds": seconds,
        "cores": used["worker"] / seconds,
        "cpu_us_per_event": {name: 1e6 * spent / events for name, spent in used.items()},
    }


def middle(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The run whose worker took the median CPU time per event: others on the machine move that least."""
    return sorted(runs, key=lambda run: run["cpu_us_per_event"]["worker"])[(len(runs) - 1) // 2]
