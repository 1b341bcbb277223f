"""`make bench`: the worker on this machine, and others beside it on the same events.

python -m tests.benchmarks --workloads all --peers all --json result.json --picture result.svg
"""

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import workload_file
from tests.benchmarks.peers import PEERS
from tests.benchmarks.picture import picture
from tests.benchmarks.report import table
from tests.benchmarks.run import Wanted, measure
from tests.benchmarks.site import site


def _named(known: Sequence[str], *, paths: bool = False) -> "argparse._ActionType":
    def names(text: str) -> tuple[str, ...]:
        if text in {"all", "none"}:
            return tuple(known) if text == "all" else ()
        chosen = tuple(text.split(","))
        for name in chosen:
            if name not in known and not (paths and Path(name, "workload.yaml").is_file()):
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return chosen

    return names


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",")) if text != "none" else ()


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    workloads = workload_file.names()
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measures the worker on this machine, and others beside it. Every result is compared with what the "
        "rules say before its time counts. Without arguments it takes about six minutes.",
    )
    add = parser.add_argument
    add(
        "--workloads", type=_named(workloads, paths=True), default="segbench", metavar="NAMES",
        help=f"joined by commas, or all: {', '.join(workloads)}; or a folder of your own",
    )  # fmt: skip
    add(
        "--peers", type=_named(list(PEERS)), default="faust", metavar="NAMES",
        help=f"joined by commas, all or none: {', '.join(PEERS)}",
    )  # fmt: skip
    add("--events", type=int, default=150_000, help="of a throughput run")
    add(
        "--slow-events",
        type=int,
        default=10_000,
        metavar="EVENTS",
        help="of a peer that takes them one by one",
    )
    add("--runs", type=int, default=3, help="of each; that of median CPU time is shown; 0: no throughput")
    add(
        "--together", type=int, default=2, metavar="WORKERS",
        help="that share the partitions in further runs (delivered at least once); 0: no such runs",
    )  # fmt: skip
    add("--rate", type=int, default=1000, help="events per second while latency is measured; 0: no latency")
    add("--seconds", type=float, default=23, help="how long it is; the first 3 do not count")
    add(
        "--loads", type=_numbers, default="10,50,90", metavar="PERCENT",
        help="of the measured maximum, at which latency is measured too, as long; or none",
    )  # fmt: skip
    add("--idle", type=float, default=8, help="for how many seconds the worker is watched at rest")
    add(
        "--stored",
        type=int,
        default=50_000,
        metavar="CONTACTS",
        help="stored when a worker starts; 0: no such run",
    )
    add(
        "--delivery", default="at_least_once", choices=["at_least_once", "exactly_once"], help="of the worker"
    )
    add("--json", type=Path, metavar="FILE", help="where to write all figures")
    add("--picture", type=Path, metavar="FILE", help="where to draw them (SVG)")
    return parser.parse_args(given)


def main(given: Sequence[str] | None = None) -> None:
    arguments = _arguments(given)
    wanted = Wanted(
        workloads=arguments.workloads,
        peers=arguments.peers,
        events=arguments.events,
        slow_events=arguments.slow_events,
        runs=arguments.runs,
        together=arguments.together,
        rate=arguments.rate,
        seconds=arguments.seconds,
        loads=arguments.loads,
        idle_s=arguments.idle,
        stored=arguments.stored,
    )
    with (
        tempfile.TemporaryDirectory(prefix="livesegments-bench-") as folder,
        site(Path(folder), arguments.delivery) as servers,
    ):
        found = asyncio.run(measure(servers, wanted))
    print(table(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    if arguments.picture:
        arguments.picture.write_text(picture(found))
    if found["failed"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
