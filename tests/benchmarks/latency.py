"""How long from an event to its transition, while events come at a steady rate; and what rest costs."""

import asyncio
import gc
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from streams.intake import home
from tests.benchmarks.measuring import Sampler, percentiles
from tests.benchmarks.site import Site, fill, worker
from tests.benchmarks.watching import Watch
from tests.benchmarks.workload import Sent, Workload
from tests.integration.installation import Installation

EVENTS_A_CONTACT = 6
"""As in a history of 300,000, so that contacts move as often as there, however many events come."""
PRIMING = 2000
LEAVE_OUT_S = 3.0
"""The first seconds do not count."""
TICK_S = 0.005
ONE_BY_ONE = 2000
"""Up to this rate each event is handed to the producer by itself, and events are watched too."""


async def worker_latency(
    site: Site, workload: Workload, rate: int, seconds: float, idle_s: float = 0
) -> dict[str, Any]:
    """From just before the producer is given an event to its transitions at a consumer; then a time without events.

    For comparison, at low rates, how long the events themselves take to a consumer: what Kafka and the machine alone
    need. Where the workload has bursts, they come besides the steady rate.
    """
    installation = site.installation(workload, "wall")
    most = _most(workload, rate, seconds)
    events = workload.live((PRIMING + most) // EVENTS_A_CONTACT)
    prepared = list(itertools.islice(events, most))
    # Else Python looks through all of them while the latency is measured, and what it measures has to wait.
    gc.collect()
    gc.freeze()
    with (
        worker(installation, site.delivery, workload.settings()) as started,
        Sampler({**site.pids, "worker": started.pid}) as sampler,
    ):
        await fill(installation, list(itertools.islice(events, PRIMING)))
        await installation.until_taken(PRIMING - 1)
        watching = Watch(installation, events=rate <= ONE_BY_ONE)
        async with watching:
            begin = time.time()
            sent = await _Feed(installation, workload, prepared, rate, seconds).run()
            end = time.time()
            await installation.until_taken(PRIMING + len(sent) - 1)
            await asyncio.sleep(1)
        rest = time.time()
        await asyncio.sleep(idle_s)
        idle = sampler.between(rest, rest + idle_s)
        used = sampler.between(begin + LEAVE_OUT_S, end)
    site.forget(installation)
    counted = sum(moment >= begin + LEAVE_OUT_S for moment in sent.values())
    latencies = _since(sent, watching.transitions, begin + LEAVE_OUT_S)
    found = {
        "rate": rate,
        "events_per_s": len(sent) / (end - begin),
        "transitions": len(latencies),
        "transitions_per_event": len(latencies) / counted,
        "ms": percentiles(latencies),
        "cores": used["worker"] / (end - begin - LEAVE_OUT_S),
        "cpu_us_per_event": {name: 1e6 * spent / counted for name, spent in used.items()},
    }
    if watching.events:
        found["kafka_alone_ms"] = percentiles(_since(sent, watching.events, begin + LEAVE_OUT_S))
    if idle_s:
        found["idle_cores"] = {name: spent / idle_s for name, spent in idle.items()}
    return found


def _most(workload: Workload, rate: int, seconds: float) -> int:
    """How many events a feed sends at most."""
    burst = workload.file.burst
    return (
        int(rate * seconds) + 1 + (0 if burst is None else burst.events * (int(seconds / burst.every_s) + 1))
    )


class _Feed:
    """Sends evenly what has been prepared, and bursts in between."""

    def __init__(
        self,
        installation: Installation,
        workload: Workload,
        events: Sequence[Sent],
        rate: int,
        seconds: float,
    ) -> None:
        self._topic, self._partitions = installation.topics.events, installation.partitions
        self._kafka, self._burst = installation.kafka, workload.file.burst
        self._events, self._rate, self._seconds = iter(events), rate, seconds
        self._sent: dict[str, float] = {}

    async def run(self) -> dict[str, float]:
        """When each event was handed to the producer, by message id (seconds since 1970)."""
        steady = bursts = 0
        async with AIOKafkaProducer(bootstrap_servers=self._kafka, max_batch_size=900_000) as producer:
            begin = time.monotonic()
            while (passed := time.monotonic() - begin) < self._seconds:
                due = max(int(passed * self._rate) - steady, 0)
                steady += due
                await self._send(producer, itertools.islice(self._events, due), due)
                if self._burst is not None and passed >= (bursts + 1) * self._burst.every_s:
                    bursts += 1
                    more = self._burst.events
                    await self._send(producer, itertools.islice(self._events, more), more)
                await asyncio.sleep(TICK_S)
        return self._sent

    async def _send(self, producer: AIOKafkaProducer, events: Iterator[Sent], count: int) -> None:
        if count > 1 and (self._rate > ONE_BY_ONE or count > ONE_BY_ONE):
            await self._send_batches(producer, events)
            return
        for event in events:
            self._sent[event.message_id] = time.time()
            partition = home(event.key.decode(), self._partitions)
            await producer.send(self._topic, event.value, key=event.key, partition=partition)

    async def _send_batches(self, producer: AIOKafkaProducer, events: Iterator[Sent]) -> None:
        """The same for many: one by one, a producer in Python would take a core to itself."""
        now = time.time()
        batches: dict[int, Any] = {}
        for event in events:
            self._sent[event.message_id] = now
            partition = home(event.key.decode(), self._partitions)
            batch = batches.get(partition)
            if batch is None:
                batch = batches[partition] = producer.create_batch()
            if batch.append(timestamp=None, key=event.key, value=event.value) is None:
                await self._hand_over(producer, batch, partition)
                batch = batches[partition] = producer.create_batch()
                batch.append(timestamp=None, key=event.key, value=event.value)
        for partition, batch in batches.items():
            await self._hand_over(producer, batch, partition)

    async def _hand_over(self, producer: AIOKafkaProducer, batch: Any, partition: int) -> None:
        batch.close()
        await producer.send_batch(batch, self._topic, partition=partition)


def _since(sent: Mapping[str, float], came: Iterable[tuple[str, float]], after: float) -> list[float]:
    """Milliseconds for each that came of an event that was sent after a moment."""
    return [1000 * (moment - sent[event]) for event, moment in came if sent.get(event, 0) >= after]
