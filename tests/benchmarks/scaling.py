"""`make bench-scaling`: the same load worked by one worker and by two, and what follows for more of them.

python -m tests.benchmarks.scaling --events 150000 --runs 3 --json result.json

Each load comes in two ways: all of it waits, or it comes at a steady rate. Every worker has its share of the partitions
before it begins. Where the machine has a core for each worker and two more, each worker is pinned to its own, and Kafka
and Redis to the others: then events a second say how it grows. Where it has not, workers only take each other's time:
then what an event costs each process says it, by a model: a worker does what fits into a core, and so does Redis, which
runs commands in one thread.
"""

import argparse
import asyncio
import json
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.intake import home
from tests.benchmarks.checking import WrongResult, check
from tests.benchmarks.history import History, Published
from tests.benchmarks.measuring import Sampler, machine
from tests.benchmarks.pinning import pin, unpin
from tests.benchmarks.site import Site, fill, site, worker
from tests.benchmarks.workload import Sent, Workload
from tests.integration.installation import Installation

PATIENCE_S = 240.0
SETTLED_S = 1.0
"""How long an assignment has to stay as it is before it counts."""
PAUSED_S = 8.0
"""Workers that are silent for ten seconds lose their partitions."""
LOOK_S = 0.05
TICK_S = 0.01
_ASSIGNED = re.compile(r"partitions ([\d, ]+|none) are assigned")


@dataclass(frozen=True)
class Load:
    """What is to be worked off, and what must come of it."""

    workload: Workload
    sent: Sequence[Sent]
    expected: Published
    rate: int | None = None
    """So many come a second; None: all of them wait."""

    @classmethod
    def of(cls, workload: Workload, count: int, rate: int | None = None) -> "Load":
        history = History(workload, count)
        return cls(workload, history.sent, history.expected, rate)


async def scaled(servers: Site, load: Load, workers: int, *, may_pin: bool = True) -> dict[str, Any]:
    """One load, worked by so many workers, each on a core of its own where there are enough and ``may_pin``: events a
    second, and CPU microseconds an event of all workers together and of each server.

    Raises WrongResult where what comes out is not what replay says, ValueError where the partitions cannot be shared
    evenly, TimeoutError where all of it cannot be sent while the workers are paused.
    """
    partitions = load.workload.partitions
    if partitions % workers:
        raise ValueError(f"{partitions} partitions cannot be shared evenly by {workers} workers")
    installation = servers.installation(load.workload, "events")
    with ExitStack() as stack:
        started = [
            stack.enter_context(worker(installation, servers.delivery, load.workload.settings()))
            for _ in range(workers)
        ]
        await _until_shared(installation, partitions // workers)
        own = {f"worker {number}": process.pid for number, process in enumerate(started)}
        pinned = may_pin and pin(own.values(), servers.pids.values())
        stack.callback(unpin, servers.pids.values())
        sampler = stack.enter_context(Sampler({**servers.pids, **own}))
        if load.rate is None:
            await _fill_unseen(installation, load.sent, started)
        begin = time.time()
        if load.rate is not None:
            await _feed(installation, load.sent, load.rate)
        await _until_done(installation, load, started)
        end = time.time()
        used = sampler.between(begin, end)
    await check(installation, load.expected)
    servers.forget(installation)
    return _result(load, end - begin, used, own, pinned=pinned)


def _result(
    load: Load, seconds: float, used: Mapping[str, float], workers: Mapping[str, int], *, pinned: bool
) -> dict[str, Any]:
    events = len(load.sent)
    transitions = sum(map(len, load.expected.values()))
    cpu_us = {name: 1e6 * spent / events for name, spent in used.items() if name not in workers}
    each = [1e6 * used[name] / events for name in workers]
    return {
        "events": events,
        "transitions_per_event": transitions / events,
        "events_per_s": events / seconds,
        "seconds": seconds,
        "pinned": pinned,
        "cpu_us_per_event": {"workers": sum(each), **cpu_us},
        "of_each_worker": each,
    }


def as_throughput(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run of ``scaled`` as those of ``tests.benchmarks.throughput`` are told: all workers are one process there."""
    used = dict(run["cpu_us_per_event"])
    workers_us = used.pop("workers")
    cores = workers_us / 1e6 * run["events_per_s"]
    kept = ("events", "transitions_per_event", "events_per_s", "seconds", "of_each_worker")
    return {name: run[name] for name in kept} | {
        "cores": cores,
        "cpu_us_per_event": {"worker": workers_us, **used},
    }


async def _until_shared(installation: Installation, each: int) -> None:
    """Returns when every worker has so many partitions, for a while."""
    until, since = time.monotonic() + PATIENCE_S, time.monotonic()
    while time.monotonic() < since + SETTLED_S:
        await asyncio.sleep(LOOK_S)
        if any(_assigned(one.log) != each for one in installation.workers):
            since = time.monotonic()
        if since > until:
            raise TimeoutError(f"the partitions were not shared: {installation.workers[-1].said()}")


def _assigned(log: Path) -> int:
    """How many partitions a worker says that it has."""
    said = _ASSIGNED.findall(log.read_text(errors="replace")) if log.exists() else []
    return len(re.findall(r"\d+", said[-1])) if said else 0


async def _fill_unseen(
    installation: Installation, sent: Sequence[Sent], started: Sequence[subprocess.Popen[bytes]]
) -> None:
    """Puts all records on the topic while the workers are paused: they find it full."""
    for process in started:
        process.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(PAUSED_S):
            await fill(installation, sent)
    finally:
        for process in started:
            process.send_signal(signal.SIGCONT)


async def _feed(installation: Installation, sent: Sequence[Sent], rate: int) -> None:
    """Sends records evenly."""
    async with AIOKafkaProducer(bootstrap_servers=installation.kafka, compression_type="lz4") as producer:
        left, count, begin = iter(sent), 0, time.monotonic()
        while count < len(sent):
            due = min(int((time.monotonic() - begin) * rate), len(sent)) - count
            for record in islice(left, due):
                assert record.received_ms is not None
                await producer.send(
                    installation.topics.events, record.value, key=record.key,
                    partition=home(record.key.decode(), installation.partitions),
                    timestamp_ms=record.received_ms,
                )  # fmt: skip
            count += due
            await asyncio.sleep(TICK_S)


async def _until_done(
    installation: Installation, load: Load, started: Sequence[subprocess.Popen[bytes]]
) -> None:
    """Returns when all is taken, and all that follows from it is published."""
    until, transitions = time.monotonic() + PATIENCE_S, sum(map(len, load.expected.values()))
    while installation.taken() < len(load.sent) or transitions > sum(
        (await installation.ends(installation.topics.transitions)).values()
    ):
        if any(process.poll() is not None for process in started):
            raise RuntimeError(f"a worker ended: {installation.workers[-1].said()}")
        if time.monotonic() > until:
            raise WrongResult(f"not all was taken and published: {installation.workers[-1].said()}")
        await asyncio.sleep(LOOK_S)


def grown(costs: Mapping[int, Mapping[str, float]]) -> dict[int, dict[str, float]]:
    """By number of workers, what each on a core of its own would do, from what an event costs (CPU microseconds of all
    ``workers`` together and of ``redis``, by number of workers): events a second, limited by Redis where that is less,
    and how many times what one worker does."""
    found: dict[int, dict[str, float]] = {}
    for workers, cost in sorted(costs.items()):
        by_workers = workers * 1e6 / cost["workers"]
        # Of few events it takes less time than the system tells.
        by_redis = 1e6 / cost["redis"] if cost["redis"] else inf
        rate = min(by_workers, by_redis)
        first = next(iter(found.values()), {"events_per_s": rate})
        found[workers] = {
            "by_workers": by_workers,
            "by_redis": by_redis,
            "events_per_s": rate,
            "times": rate / first["events_per_s"],
        }
    return found


def cheapest(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The run that took the workers the least CPU time: what else the machine does only adds to it, the more processes
    there are the more."""
    return min(runs, key=lambda run: run["cpu_us_per_event"]["workers"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench-scaling", description="Measures one worker beside several, on the same load."
    )
    add = parser.add_argument
    add("--workload", default="segbench", help="a folder of tests/benchmarks/workloads, or a path")
    add("--events", type=int, default=100_000, help="of a run")
    add("--rate", type=int, default=8_000, help="events per second of the steady load; 0: no such runs")
    add(
        "--workers",
        type=int,
        nargs="+",
        default=[1, 2],
        help="how many; the first is what the others are compared with",
    )
    add("--runs", type=int, default=3, help="of each kind; the one of least CPU time is shown")
    add("--json", type=Path, metavar="FILE", help="where to write all figures")
    return parser.parse_args()


async def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    waiting = Load.of(Workload(arguments.workload), arguments.events)
    found: dict[str, Any] = {"machine": machine(), "workload": waiting.workload.name}
    with site(folder) as servers:
        found["versions"] = servers.versions()
        found["all_waits"] = await _compared(servers, waiting, arguments)
        costs = {workers: run["cpu_us_per_event"] for workers, run in found["all_waits"]["shown"].items()}
        found["model"] = grown(costs)
        if arguments.rate:
            found["steady"] = await _compared(servers, replace(waiting, rate=arguments.rate), arguments)
    return found


async def _compared(servers: Site, load: Load, arguments: argparse.Namespace) -> dict[str, Any]:
    """In turns, so that what else the machine does meets all alike."""
    runs: dict[int, list[dict[str, Any]]] = {workers: [] for workers in arguments.workers}
    what = "all waits" if load.rate is None else f"{load.rate:,} events/s"
    for number in range(arguments.runs):
        for workers, done in runs.items():
            print(f"{what}, workers: {workers}, run {number + 1} of {arguments.runs} ...", flush=True)
            done.append(await scaled(servers, load, workers))
    return {
        "rate": load.rate,
        "runs": runs,
        "shown": {workers: cheapest(done) for workers, done in runs.items()},
    }


def table(found: Mapping[str, Any]) -> str:
    """What a person wants to see of it."""
    lines = []
    for title, name in (("all of it waits", "all_waits"), ("it comes steadily", "steady")):
        if name in found:
            shown = found[name]["shown"]
            first = next(iter(shown.values()))
            lines += [f"{title}:", *(_row(workers, run, first) for workers, run in shown.items())]
    lines.append("on a core each, by what an event costs:")
    for workers, model in found["model"].items():
        lines.append(
            f"  workers: {workers}  {model['events_per_s']:>9,.0f} events/s, {model['times']:.2f} times the first; "
            f"one Redis does {model['by_redis']:,.0f}"
        )
    return "\n".join(lines)


def _row(workers: int, run: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    times = run["events_per_s"] / first["events_per_s"]
    used = ", ".join(f"{what} {us:.1f}" for what, us in run["cpu_us_per_event"].items())
    where = f" (a core each: {times:.2f} times the first)" if run["pinned"] else ""
    return f"  workers: {workers}  {run['events_per_s']:>9,.0f} events/s{where}; CPU us/event: {used}"


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="livesegments-bench-") as folder:
        found = asyncio.run(_measure(arguments, Path(folder)))
    print(table(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
