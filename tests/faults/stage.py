"""Where faults happen: a Kafka and a Redis of their own, workers, and a link from each worker to each server."""

import asyncio
import contextlib
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams.local.ports import HOST, free_ports
from tests.faults.comparison import Excuse
from tests.faults.network import Link, Network
from tests.faults.servers import LinkedKafka, SafeRedis
from tests.integration.installation import Installation, WorkerProcess

SEGMENTS = Path(__file__).parent / "segments"
MOST_WORKERS = 5
"""4, and one that joins and leaves."""
SESSION_S = 10.0
"""How long a worker may be silent before its partitions go to others."""

END_S = 20
"""How long a worker may take to end. 10 s is what is promised; here two cores serve all the workers and servers."""


async def until(is_so: Callable[[], bool], within_s: float) -> bool:
    """Returns whether it became so in time."""
    deadline = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


@dataclass
class Seat:
    """A place for one worker: its links, and whoever works there now."""

    kafka: Link
    redis: Link
    worker: WorkerProcess | None = None

    @property
    def links(self) -> tuple[Link, Link]:
        return self.kafka, self.redis


@dataclass
class Servers:
    """Kafka, Redis and the network, which installations share one after the other."""

    folder: Path
    kafka: LinkedKafka
    redis: SafeRedis
    links: list[tuple[Link, Link]] = field(default_factory=list)
    """To Kafka and to Redis, for each seat."""


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Starts them, and leaves nothing of them running."""
    for name in ("kafka", "redis"):
        (folder / name).mkdir(parents=True)
    # All at once, as none of them is taken before the others are chosen.
    ports = free_ports(3 + 2 * MOST_WORKERS)
    kafka = LinkedKafka(folder / "kafka", tuple(ports[:2]))
    redis = SafeRedis(folder / "redis", (ports[2],))
    found = Servers(folder, kafka, redis)
    kafka.links = list(zip(ports[3 : 3 + MOST_WORKERS], ports[3 + MOST_WORKERS :], strict=True))
    network = Network()
    network.start()
    try:
        for number, (listener, proxy) in enumerate(kafka.links):
            to_kafka = network.link(f"worker {number} - Kafka", HOST, listener, proxy)
            to_redis = network.link(f"worker {number} - Redis", HOST, redis.ports[0])
            found.links.append((to_kafka, to_redis))
        redis.start()
        kafka.start()
        yield found
    finally:
        kafka.kill()
        redis.kill()
        network.stop()
        for server in (kafka, redis):
            shutil.rmtree(server.folder, ignore_errors=True)


@dataclass
class Stage:
    """One installation with its workers, and what has befallen it."""

    servers: Servers
    installation: Installation
    chance: random.Random
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings of all the workers, by the names of the environment."""
    first: Callable[[], None] | None = None
    """What each worker process does before it begins."""
    seats: list[Seat] = field(default_factory=list)
    excuses: list[Excuse] = field(default_factory=list)
    ended_by_themselves: int = 0
    """Workers that were started again because they had ended without being asked to."""
    longest_end_s: float = 0
    """The longest time from SIGTERM to the end of a worker."""

    def __post_init__(self) -> None:
        self.seats = [Seat(*links) for links in self.servers.links]

    @property
    def kafka(self) -> LinkedKafka:
        return self.servers.kafka

    @property
    def redis(self) -> SafeRedis:
        return self.servers.redis

    @property
    def is_fenced(self) -> bool:
        """Whether a worker that takes itself for the owner cannot publish any more."""
        return self.environment.get("SEGMENTS_DELIVERY") == "exactly_once"

    def seat(self) -> Seat:
        """One at which somebody works."""
        return self.chance.choice([seat for seat in self.seats if seat.worker is not None])

    def free_seat(self) -> Seat:
        return next(seat for seat in self.seats if seat.worker is None)

    def hire(self, seat: Seat, *, named: bool = True) -> WorkerProcess:
        """Starts a worker; ``named``: the group knows it again when it comes back to the same seat."""
        settings = {
            "kafka": f"{HOST}:{seat.kafka.port}",
            "redis": f"redis://{HOST}:{seat.redis.port}/0",
        }
        if named:
            settings["instance"] = f"seat-{self.seats.index(seat)}"
        worker = self.installation.worker(**settings)
        worker.environment = {**worker.environment, **self.environment}
        worker.first = self.first
        worker.start()
        seat.worker = worker
        return worker

    async def dismiss(self, seat: Seat) -> None:
        """SIGTERM; the worker must end in good order."""
        assert seat.worker is not None
        worker, seat.worker = seat.worker, None
        # Before it says anything, it knows nothing of signals.
        await until(lambda: bool(worker.said()) or not worker.is_running, 30)
        begun = time.monotonic()
        await asyncio.to_thread(worker.stop, END_S)
        self.longest_end_s = max(self.longest_end_s, time.monotonic() - begun)

    def look_after(self) -> None:
        """Starts again who has ended, as whoever runs workers does."""
        for seat in self.seats:
            if seat.worker is not None and not seat.worker.is_running:
                self.ended_by_themselves += 1
                self.hire(seat)

    def end(self) -> None:
        """Leaves no worker running, nor any link broken."""
        for seat in self.seats:
            for link in seat.links:
                link.heal()
        for worker in self.installation.workers:
            worker.end()
