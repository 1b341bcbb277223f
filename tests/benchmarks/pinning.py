"""Gives each process a core of its own, where the machine has enough of them."""

import contextlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path

SERVERS_CORES = 2
"""The least that Kafka, Redis and the benchmark have for themselves."""


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def shares(workers: int, available: Collection[int]) -> tuple[list[set[int]], set[int]] | None:
    """A core for each worker, and those left over for all else; None where that would be fewer than two."""
    ordered = sorted(available)
    if len(ordered) < workers + SERVERS_CORES:
        return None
    return [{core} for core in ordered[:workers]], set(ordered[workers:])


def pin(workers: Iterable[int], servers: Iterable[int]) -> bool:
    """Pins processes, by their ids, with all their threads; returns whether there are enough cores for it."""
    workers = list(workers)
    found = shares(len(workers), cores())
    if found is None:
        return False
    own, others = found
    for pid, core in [*zip(workers, own, strict=True), *((pid, others) for pid in servers)]:
        _pin(pid, core)
    return True


def unpin(pids: Iterable[int]) -> None:
    """Lets processes run everywhere again."""
    for pid in pids:
        _pin(pid, set(cores()))


def _pin(pid: int, cores: Collection[int]) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.sched_setaffinity(int(thread.name), cores)
