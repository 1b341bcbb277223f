"""`make bench`: the worker beside a stock Faust agent that takes one event at a time, on this machine.

python -m tests.benchmarks --events 300000 --runs 3 --json result.json
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.latency import worker_latency
from tests.benchmarks.measuring import machine
from tests.benchmarks.report import table
from tests.benchmarks.site import site
from tests.benchmarks.throughput import middle, one_by_one_throughput, worker_throughput
from tests.benchmarks.workload import Workload


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measures the worker on this machine.")
    add = parser.add_argument
    add("--workload", default="segbench", help="a folder of tests/benchmarks/workloads, or a path")
    add("--events", type=int, default=150_000, help="of a throughput run; 0: no such runs")
    add("--runs", type=int, default=3, help="throughput runs; the one of median CPU time is shown")
    add("--one-by-one", type=int, default=10_000, metavar="EVENTS", help="of the Faust agent's run; 0: none")
    add("--rate", type=int, default=1000, help="events per second while latency is measured; 0: no such run")
    add("--seconds", type=float, default=23, help="how long latency is measured; the first 3 do not count")
    add("--idle", type=float, default=8, help="for how many seconds the worker is watched at rest")
    add(
        "--delivery", default="at_least_once", choices=["at_least_once", "exactly_once"], help="of the worker"
    )
    add("--json", type=Path, metavar="FILE", help="where to write all figures")
    return parser.parse_args()


async def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    workload = Workload(arguments.workload)
    found: dict[str, Any] = {
        "workload": {"name": workload.name, **workload.file.model_dump()},
        "machine": machine(),
    }
    found["workload"]["segments"] = len(workload.segments.segments)
    found["workload"]["delivery"] = arguments.delivery
    with site(folder, arguments.delivery) as servers:
        found["versions"] = servers.versions()
        if arguments.events:
            found["runs"] = []
            for number in range(arguments.runs):
                print(
                    f"worker, {arguments.events} events, run {number + 1} of {arguments.runs} ...", flush=True
                )
                found["runs"].append(await worker_throughput(servers, workload, arguments.events))
            found["worker"] = middle(found["runs"])
        if arguments.one_by_one:
            print(f"Faust, one event at a time, {arguments.one_by_one} events ...", flush=True)
            found["one_by_one"] = await one_by_one_throughput(servers, workload, arguments.one_by_one)
        if arguments.rate:
            print(f"latency at {arguments.rate} events/s for {arguments.seconds:g} s ...", flush=True)
            found["latency"] = await worker_latency(
                servers, workload, arguments.rate, arguments.seconds, arguments.idle
            )
    return found


def main() -> None:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="livesegments-bench-") as folder:
        found = asyncio.run(_measure(arguments, Path(folder)))
    print(table(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
