"""How long from an event to its transition, while events come at a steady rate; and what rest costs."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams.intake import home
from tests.benchmarks.measuring import Sampler, percentiles
from tests.benchmarks.site import Site, fill, worker
from tests.benchmarks.workload import Sent, Workload
from tests.integration.installation import Installation

CONTACTS = 5000
PRIMING = 2000
LEAVE_OUT_S = 3.0
"""The first seconds do not count."""
TICK_S = 0.005


async def worker_latency(
    site: Site, workload: Workload, rate: int, seconds: float, idle_s: float
) -> dict[str, Any]:
    """From just before the producer is given an event to its transitions at a consumer; then a time without events.

    For comparison, how long the events themselves take to a consumer: what Kafka and the machine alone need.
    """
    installation = site.installation(workload, "wall")
    events = workload.live(CONTACTS)
    with (
        worker(installation, site.delivery) as started,
        Sampler({**site.pids, "worker": started.pid}) as sampler,
    ):
        await fill(installation, list(itertools.islice(events, PRIMING)))
        await installation.until_taken(PRIMING - 1)
        watching = _Watch(installation)
        async with watching:
            begin = time.time()
            sent = await _feed(installation, events, rate, seconds)
            end = time.time()
            await installation.until_taken(PRIMING + len(sent) - 1)
            await asyncio.sleep(1)
        rest = time.time()
        await asyncio.sleep(idle_s)
        idle = sampler.between(rest, rest + idle_s)
        used = sampler.between(begin + LEAVE_OUT_S, end)
    latencies = _since(sent, watching.transitions, begin + LEAVE_OUT_S)
    counted = rate * (end - begin - LEAVE_OUT_S)
    return {
        "events_per_s": len(sent) / (end - begin),
        "transitions": len(latencies),
        "ms": percentiles(latencies),
        "kafka_alone_ms": percentiles(_since(sent, watching.events, begin + LEAVE_OUT_S)),
        "cores": used["worker"] / (end - begin - LEAVE_OUT_S),
        "cpu_us_per_event": {name: 1e6 * spent / counted for name, spent in used.items()},
        "idle_cores": {name: spent / idle_s for name, spent in idle.items()},
    }


async def _feed(
    installation: Installation, events: Iterator[Sent], rate: int, seconds: float
) -> dict[str, float]:
    """Sends evenly; when each event was handed to the producer, by message id (seconds since 1970)."""
    sent: dict[str, float] = {}
    async with AIOKafkaProducer(bootstrap_servers=installation.kafka) as producer:
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < seconds:
            for event in itertools.islice(events, max(int(passed * rate) - len(sent), 0)):
                sent[event.message_id] = time.time()
                partition = home(event.key.decode(), installation.partitions)
                await producer.send(
                    installation.topics.events, event.value, key=event.key, partition=partition
                )
            await asyncio.sleep(TICK_S)
    return sent


def _since(sent: Mapping[str, float], came: Iterable[tuple[str, float]], after: float) -> list[float]:
    """Milliseconds for each that came of an event that was sent after a moment."""
    return [1000 * (moment - sent[event]) for event, moment in came if sent.get(event, 0) >= after]


class _Watch:
    """Notes when events and transitions come, by the message id of the event."""

    def __init__(self, installation: Installation) -> None:
        self.events: list[tuple[str, float]] = []
        self.transitions: list[tuple[str, float]] = []
        topics = installation.topics
        self._events_topic = topics.events
        self._consumer = AIOKafkaConsumer(
            topics.events,
            topics.transitions,
            bootstrap_servers=installation.kafka,
            auto_offset_reset="latest",
            isolation_level="read_committed",
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        await self._consumer.start()
        # So that "latest" is decided before anything comes.
        await self._consumer.seek_to_end()
        for place in self._consumer.assignment():
            await self._consumer.position(place)
        self._task = asyncio.create_task(self._watch())

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._consumer.stop()

    async def _watch(self) -> None:
        while True:
            for place, records in (await self._consumer.getmany(timeout_ms=200)).items():
                now = time.time()
                said = [orjson.loads(record.value) for record in records]
                if place.topic == self._events_topic:
                    self.events += [(event["messageId"], now) for event in said]
                else:
                    causes = [transition["context"]["segment"]["cause"] for transition in said]
                    self.transitions += [(cause, now) for cause in causes if cause is not None]
