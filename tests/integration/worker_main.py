"""A worker process forked from one that has everything imported: it starts in no time, however often it is killed."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["streams.service", "streams.cli.program", __name__])


def worker_process(
    environment: Mapping[str, str],
    log: Path,
    first: Callable[[], None] | None = None,
    arguments: Sequence[str] = ("worker",),
) -> ForkServerProcess:
    """A process, not yet started, that does what `segments worker`, or another command, does and ends with its exit
    code.

    ``first``: a module's function, called in that process before anything else.
    """
    return _processes.Process(
        target=_work, args=(dict(environment), log, first, list(arguments)), daemon=True
    )


def _work(
    environment: dict[str, str], log: Path, first: Callable[[], None] | None, arguments: list[str]
) -> None:
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # What the machine has set for other workers must not count here.
    for name in [name for name in os.environ if name.startswith("SEGMENTS_")]:
        del os.environ[name]
    os.environ.update(environment)
    if first is not None:
        first()
    from streams.cli.program import run

    sys.exit(run(arguments))
