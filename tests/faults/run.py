"""One run: workers at work, events that flow, faults, and at the end the comparison."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.comparison import Verdict, compare, compare_dead_letters, compare_members, expected, logged
from tests.faults.faults import Fault
from tests.faults.flow import Flow
from tests.faults.gaps import Gaps
from tests.faults.stage import SEGMENTS, Servers, Stage, until
from tests.integration.installation import Installation

HASTE = 0.25
"""How often the next fault comes while the last one is being recovered from."""
PATIENCE_S = 60.0
"""How long every partition may take to get on once a fault is over. The longest backoff is half of it."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a run is made of."""

    seed: int
    workers: int = 2
    """Not more than there are partitions."""
    rate: float = 150
    """Events a second."""
    contacts: int = 240
    clock: str = "wall"
    environment: Mapping[str, str] = field(default_factory=dict)
    first: Callable[[], None] | None = None
    partitions: int = 4


@contextlib.asynccontextmanager
async def performance(
    servers: Servers, name: str, plan: Plan, folder: Path
) -> AsyncIterator[tuple[Stage, Flow]]:
    """Workers at work and events that flow, until the block ends."""
    installation = Installation(
        servers.kafka.bootstrap, servers.redis.url, name, folder, plan.partitions, plan.clock, SEGMENTS
    )
    await asyncio.to_thread(installation.make_topics)
    stage = Stage(servers, installation, random.Random(plan.seed), plan.environment, plan.first)
    flow = Flow(
        servers.kafka.bootstrap,
        installation.topics.events,
        plan.partitions,
        plan.seed,
        plan.rate,
        plan.contacts,
    )
    try:
        for _ in range(plan.workers):
            stage.hire(stage.free_seat())
        flow.start()
        # A copy of Redis from before that would hold nothing of a partition, which is no older state but a lost one.
        await installation.until_all_began()
        # A fault of a worker that has nothing to do is none.
        await installation.until_shared(plan.workers)
        yield stage, flow
    finally:
        stage.end()
        await flow.give_up()


@dataclass
class Survived:
    """A kind of fault in a run."""

    times: int = 0
    seconds: float = 0
    longest_return_s: float = 0
    """The longest time from the end of one until every partition got on."""
    stuck: int = 0
    """How often this was given up: a worker that sits there without progress."""


@dataclass
class Outcome:
    """What came of a run."""

    plan: Plan
    verdict: Verdict
    survived: dict[str, Survived]
    gaps: Gaps
    events: int
    stage: Stage

    @property
    def holds(self) -> bool:
        """Whether nothing was lost or came twice, and nothing stood still."""
        return self.verdict.holds and not any(each.stuck for each in self.survived.values())


async def run(
    servers: Servers, name: str, plan: Plan, folder: Path, schedule: Iterable[Fault], say: Say = print
) -> Outcome:
    """Faults, one after the other with events in between, and at their end the comparison."""
    survived: dict[str, Survived] = {}
    async with performance(servers, name, plan, folder) as (stage, flow):
        gaps = Gaps(stage.installation)
        gaps.start()
        for fault in schedule:
            await _suffer(stage, fault, gaps, survived, say)
        await gaps.end()
        found = await verdict(stage, flow)
        return Outcome(plan, found, survived, gaps, flow.sent, stage)


async def _suffer(stage: Stage, fault: Fault, gaps: Gaps, survived: dict[str, Survived], say: Say) -> None:
    gaps.now_comes(fault.name)
    begun = time.monotonic()
    await fault.act(stage)
    ended = time.monotonic()
    stage.look_after()
    of_kind = survived.setdefault(fault.name, Survived())
    of_kind.times += 1
    of_kind.seconds += ended - begun
    told = f"{ended - begun:5.1f} s  {fault.name}"
    if stage.chance.random() < HASTE:
        say(f"{told}; and at once the next")
        return
    if not await until(lambda: gaps.has_moved_since(ended), PATIENCE_S):
        of_kind.stuck += 1
        say(f"{told}; NOTHING HAS HAPPENED FOR {PATIENCE_S:.0f} s")
        return
    gaps.now_comes("no fault")
    back_s = time.monotonic() - ended
    of_kind.longest_return_s = max(of_kind.longest_return_s, back_s)
    say(f"{told}; all partitions got on {back_s:.1f} s later")
    await asyncio.sleep(stage.chance.uniform(0.2, 1.5))


async def verdict(stage: Stage, flow: Flow, drained_within_s: float = 120) -> Verdict:
    """Lets the events end, waits until all is done, and compares."""
    installation = stage.installation
    await flow.end()
    left_over = await _drained(stage, drained_within_s)
    for seat in stage.seats:
        if seat.worker is not None:
            await stage.dismiss(seat)
    topics, partitions = installation.topics, installation.partitions
    log = [logged(record, topics.events, partitions) for record in await installation.read(topics.events)]
    expectation = await asyncio.to_thread(expected, log, SEGMENTS)
    found = compare(expectation, await installation.read(topics.transitions), stage.excuses, partitions)
    found.left_over += left_over + len(await installation.unpublished())
    buried = await installation.read(topics.dead_letters)
    compare_dead_letters(expectation, log, buried, stage.excuses, found)
    compare_members(expectation, installation.members(), found)
    return found


async def _drained(stage: Stage, within_s: float) -> int:
    """How many records and wakes are still not done when there is nothing more to wait for."""
    installation, until = stage.installation, time.monotonic() + within_s
    while True:
        stage.look_after()
        ends = [await installation.ends(topic) for topic in installation.topics.sources]
        states = await installation.states()
        waiting = sum(sum(end.values()) for end in ends) - installation.taken()
        waiting += sum(
            state.next_wake_ms is not None
            and state.clock_ms is not None
            and state.next_wake_ms < state.clock_ms
            for state in states
        )
        if waiting == 0 or time.monotonic() > until:
            return waiting
        await asyncio.sleep(0.3)
