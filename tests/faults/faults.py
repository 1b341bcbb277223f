"""Every fault: what is done to a worker, a link or a server, and how it ends.

Each takes as long as its fault lasts, and leaves everything in order behind it: the same number of workers, healthy
links, running servers. What the guarantees allow while it lasts, and a while afterwards, it notes as an excuse.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import redis

from streams.clock import wall_ms
from tests.faults.comparison import Excuse
from tests.faults.network import Link
from tests.faults.servers import FILES_CAN_BE_LIMITED, fill_disk, free_disk, freeze, is_alive, thaw
from tests.faults.stage import SESSION_S, Seat, Stage, until
from tests.servers import OwnServer

Act = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """``about_s``: how long it lasts at most, as a rule."""

    name: str
    about_s: float
    act: Act


FAULTS: dict[str, Fault] = {}


def _fault(name: str, about_s: float) -> Callable[[Act], Act]:
    def add(act: Act) -> Act:
        FAULTS[name] = Fault(name, about_s, act)
        return act

    return add


# ---------------------------------------------------------------------------------------------------------- workers


@_fault("worker killed, back under its name", 3)
async def _killed_and_back(stage: Stage) -> None:
    seat = stage.seat()
    await _kill(seat)
    stage.hire(seat)
    await asyncio.sleep(stage.chance.uniform(1, 3))


@_fault("worker killed, replaced by another", 14)
async def _killed_and_replaced(stage: Stage) -> None:
    seat = stage.seat()
    await _kill(seat)
    stage.hire(seat, named=False)
    await asyncio.sleep(SESSION_S + stage.chance.uniform(1, 4))


@_fault("worker killed twice within a second", 4)
async def _killed_twice(stage: Stage) -> None:
    seat = stage.seat()
    await _kill(seat)
    stage.hire(seat)
    await asyncio.sleep(stage.chance.uniform(0.3, 1.5))
    await _kill(seat)
    stage.hire(seat)
    await asyncio.sleep(2)


@_fault("all workers killed", 4)
async def _all_killed(stage: Stage) -> None:
    seats = [seat for seat in stage.seats if seat.worker is not None]
    for seat in seats:
        await _kill(seat)
    await asyncio.sleep(stage.chance.uniform(0, 2))
    for seat in seats:
        stage.hire(seat)
    await asyncio.sleep(2)


@_fault("worker paused past its session", SESSION_S + 6)
async def _paused_past_session(stage: Stage) -> None:
    seat = stage.seat()
    assert seat.worker is not None
    since_ms = wall_ms()
    seat.worker.pause()
    await asyncio.sleep(SESSION_S + stage.chance.uniform(2, 4))
    seat.worker.resume()
    await asyncio.sleep(2)
    _excuse_pause(stage, "worker paused past its session", since_ms)


@_fault("worker paused for a moment", 5)
async def _paused(stage: Stage) -> None:
    seat = stage.seat()
    assert seat.worker is not None
    seat.worker.pause()
    await asyncio.sleep(stage.chance.uniform(1, 5))
    seat.worker.resume()


@_fault("worker asked to end, and replaced", 4)
async def _ended_and_replaced(stage: Stage) -> None:
    seat = stage.seat()
    await stage.dismiss(seat)
    stage.hire(seat, named=stage.chance.random() < 0.5)
    await asyncio.sleep(stage.chance.uniform(1, 3))


@_fault("workers join and leave", 12)
async def _joins_and_leaves(stage: Stage) -> None:
    for _ in range(2):
        seat = stage.free_seat()
        stage.hire(seat, named=False)
        await asyncio.sleep(stage.chance.uniform(2, 4))
        await stage.dismiss(seat)
        await asyncio.sleep(stage.chance.uniform(0, 1))


@_fault("worker paused past its session in a batch, then all killed", SESSION_S + 13)
async def _paused_in_a_batch(stage: Stage) -> None:
    """What it still holds, others have done meanwhile; and nobody's memory hides what it then does to the state."""
    seat, since_ms, topic = stage.seat(), wall_ms(), stage.installation.topics.events.encode()
    assert seat.worker is not None
    # So that a batch is many events.
    seat.redis.delay(0.3)
    await asyncio.sleep(3)
    await _swallow_at(seat.redis, lambda request: _is_batch(request, topic))
    seat.worker.pause()
    before = await asyncio.to_thread(stage.installation.stored_offsets)
    await until(lambda: _all_got_on(stage, before), SESSION_S + 10)
    seat.redis.heal()
    seat.worker.resume()
    await asyncio.sleep(0.7)
    _excuse_pause(stage, "worker paused past its session", since_ms)
    await _all_killed(stage)


@_fault("worker killed when it has committed and cannot publish", 3)
async def _killed_before_publishing(stage: Stage) -> None:
    seat, topic = stage.seat(), stage.installation.topics.transitions.encode()
    await _swallow_at(seat.kafka, lambda request: _is_produce(request, topic))
    await _kill(seat)
    seat.kafka.cut()
    seat.kafka.heal()
    stage.hire(seat)
    await asyncio.sleep(2)


# ------------------------------------------------------------------------------------------------------------ links


@_fault("link to Kafka slow", 8)
async def _kafka_slow(stage: Stage) -> None:
    await _slow(stage, stage.seat().kafka)


@_fault("link to Redis slow", 8)
async def _redis_slow(stage: Stage) -> None:
    await _slow(stage, stage.seat().redis)


@_fault("link to Kafka cut", 4)
async def _kafka_cut(stage: Stage) -> None:
    await _cut(stage, stage.seat().kafka)


@_fault("link to Redis cut", 4)
async def _redis_cut(stage: Stage) -> None:
    await _cut(stage, stage.seat().redis)


@_fault("link to Kafka half open", 12)
async def _kafka_half_open(stage: Stage) -> None:
    await _half_open(stage, stage.seat().kafka)


@_fault("link to Redis half open", 12)
async def _redis_half_open(stage: Stage) -> None:
    await _half_open(stage, stage.seat().redis)


@_fault("link to Kafka swallows all", 16)
async def _kafka_swallows(stage: Stage) -> None:
    await _swallow(stage, stage.seat(), lambda seat: seat.kafka)


@_fault("link to Redis swallows all", 16)
async def _redis_swallows(stage: Stage) -> None:
    await _swallow(stage, stage.seat(), lambda seat: seat.redis)


@_fault("answers of Kafka lost", 6)
async def _kafka_mute(stage: Stage) -> None:
    await _mute(stage, stage.seat().kafka)


@_fault("answers of Redis lost", 6)
async def _redis_mute(stage: Stage) -> None:
    await _mute(stage, stage.seat().redis)


# ---------------------------------------------------------------------------------------------------------- servers


@_fault("broker killed and started again", 8)
async def _broker_killed(stage: Stage) -> None:
    stage.kafka.kill()
    await _start(stage.kafka)


@_fault("broker away", 25)
async def _broker_away(stage: Stage) -> None:
    stage.kafka.kill()
    await asyncio.sleep(stage.chance.uniform(8, 15))
    await _start(stage.kafka)


@_fault("broker frozen", 8)
async def _broker_frozen(stage: Stage) -> None:
    await _frozen(stage, stage.kafka)


@_fault("Redis frozen", 8)
async def _redis_frozen(stage: Stage) -> None:
    await _frozen(stage, stage.redis)


@_fault("Redis killed and started again", 4)
async def _redis_killed(stage: Stage) -> None:
    stage.redis.kill()
    await asyncio.sleep(stage.chance.uniform(0, 3))
    await _start(stage.redis)


@_fault("Redis put back to an older copy", 10)
async def _redis_restored(stage: Stage) -> None:
    copy = Path(stage.redis.folder) / "copy"
    copied_ms = wall_ms()
    await asyncio.to_thread(stage.redis.copy, copy)
    await asyncio.sleep(stage.chance.uniform(3, 7))
    stage.redis.kill()
    stage.redis.restore(copy)
    stage.excuses.append(Excuse("Redis put back to an older copy", copied_ms, wall_ms()))
    await _start(stage.redis)


async def _redis_disk_full(stage: Stage) -> None:
    await _disk_full(stage, stage.redis, room=stage.chance.randrange(20_000))


async def _kafka_disk_full(stage: Stage) -> None:
    await _disk_full(stage, stage.kafka, room=stage.chance.randrange(20_000))


if FILES_CAN_BE_LIMITED:
    _fault("disk of Redis full", 8)(_redis_disk_full)
    _fault("disk of Kafka full", 12)(_kafka_disk_full)


@_fault("memory of Redis full", 6)
async def _redis_out_of_memory(stage: Stage) -> None:
    with redis.Redis.from_url(stage.redis.url) as client:
        client.config_set("maxmemory", "1")
        await asyncio.sleep(stage.chance.uniform(2, 6))
        client.config_set("maxmemory", "0")


# ------------------------------------------------------------------------------------------------------------ parts


async def _kill(seat: Seat) -> None:
    assert seat.worker is not None
    if seat.worker.is_running:
        await asyncio.to_thread(seat.worker.kill)


async def _slow(stage: Stage, link: Link) -> None:
    link.delay(stage.chance.choice([0.05, 0.3, 1.0]))
    await asyncio.sleep(stage.chance.uniform(3, 7))
    link.heal()


async def _cut(stage: Stage, link: Link) -> None:
    for _ in range(stage.chance.randrange(1, 5)):
        link.cut()
        await asyncio.sleep(stage.chance.uniform(0, 1))


async def _half_open(stage: Stage, link: Link) -> None:
    link.half_open()
    await asyncio.sleep(stage.chance.uniform(3, 12))
    link.heal()


def _all_got_on(stage: Stage, before: dict[str, dict[int, int]]) -> bool:
    """Whether records of every partition have been taken since."""
    topic = stage.installation.topics.events
    taken = stage.installation.stored_offsets()[topic]
    return all(taken[number] > offset for number, offset in before[topic].items())


async def _swallow_at(link: Link, request: Callable[[bytes], bool]) -> None:
    """Returns when such a request is on its way and gets nowhere; of a worker that makes none, when anything does."""
    link.swallow_at(request)
    if not await until(lambda: link.is_swallowing, 10):
        link.swallow()
        await asyncio.sleep(1)


def _is_batch(request: bytes, topic: bytes) -> bool:
    """Whether it is to commit many events. What wakes bring about moves no offset, so no topic is an argument of it."""
    return len(request) > 4000 and b"\r\n$%d\r\n%b\r\n" % (len(topic), topic) in request


def _is_produce(request: bytes, topic: bytes) -> bool:
    """Whether it is to put records on the topic. A size of four bytes comes first, and then what is asked for: 0."""
    return request[4:6] == b"\0\0" and topic in request


async def _swallow(stage: Stage, seat: Seat, which: Callable[[Seat], Link]) -> None:
    link, long, since_ms = which(seat), stage.chance.random() < 0.5, wall_ms()
    link.swallow()
    await asyncio.sleep(
        stage.chance.uniform(SESSION_S + 1, SESSION_S + 5) if long else stage.chance.uniform(1, 6)
    )
    link.heal()
    if long:
        # To the group it is the same as a pause: others have its partitions, and it does not know.
        await asyncio.sleep(2)
        _excuse_pause(stage, "worker cut off past its session", since_ms)


async def _mute(stage: Stage, link: Link) -> None:
    link.mute()
    await asyncio.sleep(stage.chance.uniform(1, 6))
    link.heal()


async def _frozen(stage: Stage, server: OwnServer) -> None:
    freeze(server)
    await asyncio.sleep(stage.chance.uniform(2, 7))
    thaw(server)


async def _disk_full(stage: Stage, server: OwnServer, room: int) -> None:
    fill_disk(server, room)
    for _ in range(20):
        await asyncio.sleep(0.25)
        if not is_alive(server):
            break
    free_disk(server)
    server.kill()
    await _start(server)


async def _start(server: OwnServer) -> None:
    await asyncio.to_thread(server.start)


def _excuse_pause(stage: Stage, reason: str, since_ms: int) -> None:
    """What was published since then may come again from a worker that took itself for the owner, unless it is fenced."""
    if not stage.is_fenced:
        stage.excuses.append(Excuse(reason, since_ms, wall_ms()))
