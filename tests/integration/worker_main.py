"""A worker process forked from one that has everything imported: it starts in no time, however often it is killed."""

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["streams.service", "streams.cli.program", __name__])


def worker_process(
    environment: Mapping[str, str], log: Path, arguments: Sequence[str] = ("worker",)
) -> ForkServerProcess:
    """A process, not yet started, that does what `segments worker`, or another command, does and ends with its exit
    code."""
    return _processes.Process(target=_work, args=(dict(environment), log, list(arguments)), daemon=True)


def _work(environment: dict[str, str], log: Path, arguments: list[str]) -> None:
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # What the machine has set for other workers must not count here.
    for name in [name for name in os.environ if name.startswith("SEGMENTS_")]:
        del os.environ[name]
    os.environ.update(environment)
    from streams.cli.program import run

    sys.exit(run(arguments))
