"""What many stored contacts cost: memory, and time until a worker that starts anew takes events."""

import asyncio
import itertools
import time
from typing import Any

from streams.intake import home
from tests.benchmarks.measuring import cpu_s, resident_bytes
from tests.benchmarks.site import Site, fill, worker
from tests.benchmarks.throughput import until_taken
from tests.benchmarks.workload import Sent, Workload
from tests.integration.installation import Installation

AT_ONCE = 100_000
"""Events that are put on the topic at once, so that few are in memory here."""


async def start_with(site: Site, workload: Workload, contacts: int) -> dict[str, Any]:
    """Has a worker store one event of each contact, ends it, starts another one and waits until that has taken an event
    of each partition. None of the contacts: what a start takes anyway."""
    installation = site.installation(workload, "wall")
    before = site.memory(installation)
    if contacts:
        await _store(site, workload, installation, contacts)
    stored = site.memory(installation)
    again = _one_a_partition(workload)
    await fill(installation, again)
    began = time.monotonic()
    with worker(installation, site.delivery, workload.settings()) as started:
        await until_taken(installation, contacts + len(again), started)
        seconds, used = time.monotonic() - began, cpu_s(started.pid)
        await asyncio.sleep(1)
        resident = resident_bytes(started.pid)
    site.forget(installation)
    return {
        "contacts": contacts,
        "redis_bytes_per_contact": (stored["all"] - before["all"]) / max(contacts, 1),
        "start_s": seconds,
        "start_cpu_s": used,
        "start_resident_mib": resident / 2**20,
    }


async def _store(site: Site, workload: Workload, installation: Installation, contacts: int) -> None:
    events = workload.once_each(contacts)
    with worker(installation, site.delivery, workload.settings()) as filling:
        while some := list(itertools.islice(events, AT_ONCE)):
            await fill(installation, some)
        await until_taken(installation, contacts, filling)


def _one_a_partition(workload: Workload) -> list[Sent]:
    found: dict[int, Sent] = {}
    for event in workload.live(workload.file.contacts):
        found.setdefault(home(event.key.decode(), workload.partitions), event)
        if len(found) == workload.partitions:
            break
    return list(found.values())
