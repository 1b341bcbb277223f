"""Three workers are restarted one after the other while events flow, as an upgrade does."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from tests.integration.conftest import Install
from tests.integration.history import history
from tests.integration.installation import Installation, WorkerProcess, assert_came_true, outcome
from tests.streams.recording import until

EVENTS = 12_000
WORKERS = 3
LONGEST_GAP_S = 15
AWAY_S = 1.0
"""How long the machine takes between the end of a worker and its next start."""


@dataclass
class Gaps:
    """The longest time in which nothing more of a partition became part of the state, though records waited."""

    installation: Installation
    longest_s: dict[int, float] = field(default_factory=dict)

    async def watch(self) -> None:
        topic, since = self.installation.topics.events, {}
        before: dict[int, int] = {}
        while True:
            ends, now = await self.installation.ends(topic), time.monotonic()
            stored = self.installation.stored_offsets()[topic]
            for number, end in ends.items():
                at = stored.get(number, 0)
                if at != before.get(number) or at == end:
                    since[number] = now
                before[number] = at
                gap_s = now - since.setdefault(number, now)
                self.longest_s[number] = max(self.longest_s.get(number, 0), gap_s)
            await asyncio.sleep(0.1)


async def _started(worker: WorkerProcess) -> None:
    said = worker.log.stat().st_size if worker.log.exists() else 0
    worker.start()
    await until(lambda: worker.log.exists() and b"are assigned" in worker.log.read_bytes()[said:], 30)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("named", "delivery"), [(True, "exactly_once"), (False, "at_least_once")], ids=["named", "nameless"]
)
async def test_a_rolling_restart_leaves_no_gap_loses_nothing_and_repeats_nothing(
    install: Install, named: bool, delivery: str
) -> None:
    installation = install(partitions=6)
    sent = history(11, EVENTS, installation.partitions)
    workers = [
        installation.worker(delivery=delivery, **({"instance": f"worker-{number}"} if named else {}))
        for number in range(WORKERS)
    ]
    await asyncio.gather(*(_started(worker) for worker in workers))
    hurry = asyncio.Event()
    producing = asyncio.create_task(installation.produce(sent, pause_s=0.1, at_once=30, hurry=hurry))
    await installation.until_taken(300)
    gaps = Gaps(installation)
    watching = asyncio.create_task(gaps.watch())
    for worker in workers:
        await asyncio.to_thread(worker.stop)
        await asyncio.sleep(AWAY_S)
        await _started(worker)
        await asyncio.sleep(1)
    assert not producing.done(), "the events ended before the restarts"
    hurry.set()
    await producing
    await installation.drained()
    watching.cancel()
    for worker in workers:
        await asyncio.to_thread(worker.stop)
    print("longest gap by partition: " + ", ".join(f"{gap:.1f} s" for gap in gaps.longest_s.values()))
    assert max(gaps.longest_s.values()) < LONGEST_GAP_S
    await assert_came_true(installation, outcome(sent))
