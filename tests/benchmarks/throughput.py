"""How many events a second from a topic that is full, and at what cost."""

import asyncio
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from tests.benchmarks.checking import WrongResult, check
from tests.benchmarks.history import History
from tests.benchmarks.measuring import Sampler, resident_bytes
from tests.benchmarks.site import Site, fill, worker
from tests.integration.installation import Installation

LOOK_S = 0.01
PATIENCE_S = 240.0


async def worker_throughput(site: Site, history: History) -> dict[str, Any]:
    """Of `segments worker`, from its first commit (after the warm events) to the last transition on the topic."""
    workload, expected = history.workload, history.expected
    count, warm, transitions = history.count, workload.warm, sum(map(len, expected.values()))
    installation = site.installation(workload, "events")
    await fill(installation, history.sent)
    redis_before = site.memory(installation)
    with (
        worker(installation, site.delivery, workload.settings()) as started,
        Sampler({**site.pids, "worker": started.pid}) as sampler,
    ):
        await until_taken(installation, 1, started)
        resident, first = resident_bytes(started.pid), site.memory(installation)["contacts"]
        await until_taken(installation, max(warm, 1), started)
        begin, done = time.time(), installation.taken() - warm
        await until_taken(installation, warm + count, started)
        await _until_published(installation, transitions, site.delivery)
        end = time.time()
        used = sampler.between(begin, end)
        grown = resident_bytes(started.pid) - resident
    redis = site.memory(installation)
    await check(installation, expected)
    site.forget(installation)
    share = (count - done) / count
    evaluations = history.evaluations_per_event
    found = rates(count - done, sum(map(len, expected.values())) * share, end - begin, used)
    return found | {
        "evaluations_per_event": evaluations,
        "evaluations_per_s": evaluations * found["events_per_s"],
        "memory": {
            "contacts": redis["contacts"],
            "redis_record_bytes": redis["records"] / redis["contacts"],
            "redis_bytes": (redis["all"] - redis_before["all"]) / redis["contacts"],
            "worker_bytes": grown / (redis["contacts"] - first),
        },
    }


async def until_taken(installation: Installation, count: int, started: subprocess.Popen[bytes]) -> None:
    """Returns when so many events are part of the state."""
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


def rates(events: int, transitions: float, seconds: float, used: dict[str, float]) -> dict[str, Any]:
    """What a run found. ``used``: CPU seconds, of ``worker`` and of the servers."""
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
