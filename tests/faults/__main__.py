"""`make faults`: a seeded schedule of faults on a real Kafka and a real Redis, and the comparison at its end."""

import argparse
import asyncio
import logging
import os
import random
import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.faults.faults import FAULTS
from tests.faults.report import report
from tests.faults.run import Plan, run
from tests.faults.schedule import for_minutes
from tests.faults.stage import MOST_WORKERS, servers


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    folder = Path(tempfile.mkdtemp(prefix="livesegments-faults-"))
    command = f'make faults ARGS="{shlex.join(_again(options))}"'
    print(f"seed {options.seed}; again: {command}\nlogs in {folder}", flush=True)
    # What our own clients say while the broker is away.
    logging.basicConfig(filename=folder / "clients.log")
    environment = {}
    if options.delivery == "exactly_once":
        environment["SEGMENTS_DELIVERY"] = options.delivery
    plan = Plan(options.seed, options.workers, options.rate, clock=options.clock, environment=environment)
    with servers(folder / "servers") as running:
        schedule = for_minutes(options.seed, options.minutes, options.fault or ())
        outcome = asyncio.run(run(running, "faults", plan, folder, schedule, say=_say))
    print(report(outcome, command), flush=True)
    if not outcome.holds:
        print(f"the workers' logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    # A nightly run is this with more minutes.
    minutes = float(os.environ.get("FAULTS_MINUTES", "8"))
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1, 1_000_000), help="by chance if not given"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=minutes,
        help="how long faults go on (%(default)s; also FAULTS_MINUTES)",
    )
    parser.add_argument(
        "--workers", type=int, choices=range(1, MOST_WORKERS), default=3, help="(%(default)s)"
    )
    parser.add_argument("--delivery", choices=["at_least_once", "exactly_once"], default="at_least_once")
    parser.add_argument("--clock", choices=["wall", "events"], default="wall", help="(%(default)s)")
    parser.add_argument("--rate", type=float, default=150, help="events a second (%(default)s)")
    parser.add_argument(
        "--fault", action="append", choices=list(FAULTS), help="only this one; several may be given"
    )
    return parser.parse_args(arguments)


def _again(options: argparse.Namespace) -> list[str]:
    words = []
    for name, value in vars(options).items():
        for each in value if isinstance(value, list) else [value]:
            words += [] if each is None else [f"--{name}", str(each)]
    return words


if __name__ == "__main__":
    sys.exit(main())
