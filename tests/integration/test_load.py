"""Load that a worker cannot take at once: its memory stays what it is, and events go on.

Quickly by default; LOAD_SCALE=10 for the figures of docs/decisions/0015-load.md, which ``-s`` prints.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

import cramjam
import pytest
import redis
import yaml
from aiokafka import AIOKafkaProducer
from aiokafka.record._crecords import default_records
from aiokafka.record.util import encode_varint

from rules.durations import parse_moment
from rules.loading import load
from streams.connections import KafkaConnection
from streams.deployment import Deployment
from streams.intake import home
from streams.lane import Lane
from streams.observer import Unobserved
from streams.outbox import Output
from streams.publisher import KafkaPublisher
from streams.registry import bring_into_force
from streams.store import Commit
from streams.store.keys import PartitionKeys
from streams.store.memory import MemoryStore
from streams.store.redis import RedisStore
from streams.topics import TopicNames
from tests.integration.conftest import Install
from tests.integration.installation import Installation
from tests.streams.in_memory import FedRecord, InMemoryTopics

SCALE = float(os.environ.get("LOAD_SCALE", "1"))
PARTITIONS = 4
MIB = 1024 * 1024


@dataclass
class Memory:
    """Resident memory of a process, looked at now and then."""

    pid: int

    def __post_init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def look(self, taken: int) -> None:
        """Notes how much it is when so many records are taken."""
        self.seen.append((taken, self._field("VmRSS")))

    @property
    def peak(self) -> int:
        return self._field("VmHWM")

    def _field(self, name: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        raise AssertionError(name)

    def between(self, first: float, last: float) -> int:
        """The most between two parts of all that was taken."""
        end = self.seen[-1][0]
        return max(size for taken, size in self.seen if first * end <= taken <= last * end)


def definitions(folder: Path, *segments: dict[str, object]) -> Path:
    path = folder / "definitions"
    path.mkdir()
    (path / "segments.yaml").write_text(yaml.safe_dump({"segments": list(segments)}))
    return path


def shows(number: int) -> dict[str, object]:
    """A segment whose transitions show the property in their evidence."""
    return {"key": f"s{number}", "when": {"latest": "E", "property": "v", "is_not": f"{number}"}}


def output(installation: Installation, contact: str, **event: object) -> Output:
    value = json.dumps({"type": "track", "userId": contact, **event}).encode()
    return Output(installation.topics.events, home(contact, PARTITIONS), contact.encode(), value, [])


async def fill(installation: Installation, outputs: Iterable[Output], at_once: int = 5000) -> None:
    publisher = KafkaPublisher(KafkaConnection((installation.kafka,)))
    left = iter(outputs)
    while some := list(islice(left, at_once)):
        await publisher.publish(some)
    await publisher.stop()


async def taken_all(installation: Installation, count: int, memory: Memory, timeout_s: float = 90) -> float:
    """Returns, when so many records are taken, how many seconds that took."""
    begun = time.monotonic()
    while (taken := installation.taken()) < count:
        assert time.monotonic() < begun + timeout_s * SCALE, installation.workers[-1].said()
        memory.look(taken)
        await asyncio.sleep(0.1)
    memory.look(taken)
    return time.monotonic() - begun


def pid(installation: Installation) -> int:
    process = installation.workers[-1].process
    assert process is not None
    assert process.pid is not None
    return process.pid


@pytest.mark.timeout(60 + int(150 * SCALE))
async def test_a_long_backlog_half_of_it_of_one_contact_takes_no_more_memory_than_a_short_one(
    install: Install, tmp_path: Path
) -> None:
    count = int(100_000 * SCALE)
    segments = definitions(
        tmp_path,
        {"key": "recent", "when": {"did": "E", "within": "30d", "at_least": 2}},
        {"key": "spent", "when": {"did": "E", "sum": "price", "within": "7d", "at_least": 100}},
        {"key": "last", "when": {"latest": "E", "property": "name", "contains": "7"}},
    )
    installation = install(segments=segments)

    def backlog() -> Iterator[Output]:
        for n in range(count):
            contact = "hot" if n % 2 else f"c{n}"
            yield output(installation, contact, event="E", properties={"price": n % 100, "name": f"n{n}"})

    await fill(installation, backlog())
    # All that may be kept in memory is there when two fifths are taken.
    installation.worker(cached_contacts=str(int(5_000 * SCALE))).start()
    memory = Memory(pid(installation))
    took_s = await taken_all(installation, count, memory)
    early, late = memory.between(0.4, 0.6), memory.between(0.8, 1)
    print(f"\n{count:,} waiting, half of one contact: {count / took_s:,.0f}/s, {early / MIB:.0f} MiB at half, "
          f"{late / MIB:.0f} MiB at the end, peak {memory.peak / MIB:.0f} MiB")  # fmt: skip
    assert late < 1.15 * early + 10 * MIB
    assert memory.peak < (150 + 80 * SCALE) * MIB


@pytest.mark.timeout(60 + int(60 * SCALE))
async def test_records_of_256_kib_that_follow_in_evidence_of_many_transitions_take_bounded_memory(
    install: Install, tmp_path: Path
) -> None:
    """Each event shows its large property in twenty transitions."""
    segments = definitions(
        tmp_path,
        *(shows(n) for n in range(20)),
    )
    installation, count = install(segments=segments), int(300 * SCALE)
    large = "x" * (255 * 1024)
    await fill(
        installation,
        (output(installation, f"c{n}", event="E", properties={"v": large}) for n in range(count)),
        20,
    )
    installation.worker().start()
    memory = Memory(pid(installation))
    took_s = await taken_all(installation, count, memory)
    print(f"\n{count:,} records of 256 KiB: {count / took_s:,.0f}/s, peak {memory.peak / MIB:.0f} MiB")
    assert memory.peak < 700 * MIB
    await installation.drained()
    assert len(await installation.read(installation.topics.transitions)) == 20 * count


@pytest.mark.timeout(120)
async def test_a_record_that_its_producer_packed_to_a_fraction_is_a_dead_letter_that_says_how_long_it_was(
    install: Install, tmp_path: Path
) -> None:
    installation = install(segments=definitions(tmp_path, shows(0)))
    value = b"x" * int(100 * MIB * SCALE)
    async with AIOKafkaProducer(
        bootstrap_servers=installation.kafka, compression_type="gzip", max_request_size=2 * len(value)
    ) as producer:
        for number in range(3):
            await producer.send_and_wait(installation.topics.events, value, b"%d" % number, partition=0)
    installation.worker(unpacked_mib=str(max(512, int(110 * SCALE)))).start()
    memory = Memory(pid(installation))
    await taken_all(installation, 3, memory)
    await installation.drained()
    print(f"\nthree records of {len(value) / MIB:.0f} MiB: peak {memory.peak / MIB:.0f} MiB")
    letters = await installation.read(installation.topics.dead_letters)
    digest = sha256(value).hexdigest().encode()
    assert [(each.key, len(each.value)) for each in letters] == [(b"%d" % n, 65_536) for n in range(3)]
    for each in letters:
        headers = dict(each.headers)
        assert (headers["reason"], headers["cut_value_bytes"]) == (b"too_large", b"%d" % len(value))
        assert headers["cut_value_sha256"] == digest
    assert await installation.unpublished() == []
    # It is unpacked, and copied out of what was unpacked: nothing more is made of it.
    assert memory.peak < 200 * MIB + 4 * len(value)


@pytest.mark.timeout(120)
async def test_batches_that_unpack_to_more_than_is_taken_are_a_dead_letter_each_and_take_no_memory(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of 1.5 GiB, in less than 100 KB each."""
    installation = install(segments=definitions(tmp_path, shows(0)))
    packed = _packed_record(1536)
    async with AIOKafkaProducer(bootstrap_servers=installation.kafka, compression_type="zstd") as producer:
        with monkeypatch.context() as patched:
            patched.setattr(default_records, "zstd_encode", lambda _: packed)
            for partition in range(PARTITIONS):
                await producer.send_and_wait(installation.topics.events, b"any", partition=partition)
    await fill(
        installation, [output(installation, f"c{n}", event="E", properties={"v": "1"}) for n in range(20)]
    )
    installation.worker().start()
    memory = Memory(pid(installation))
    took_s = await taken_all(installation, PARTITIONS + 20, memory)
    await installation.drained()
    print(
        f"\nfour batches of {len(packed):,} bytes that unpack to 1.5 GiB each: {took_s:.1f} s, peak {memory.peak / MIB:.0f} MiB"
    )
    letters = await installation.read(installation.topics.dead_letters)
    assert [dict(letter.headers)["reason"] for letter in letters] == [b"too_large"] * PARTITIONS
    assert len(await installation.read(installation.topics.transitions)) == 20
    assert memory.peak < 800 * MIB


def _packed_record(mib: int) -> bytes:
    """What a batch holds of one record with a value of so many MiB."""
    body, head = bytearray(b"\x00\x00\x00\x01"), bytearray()
    encode_varint(mib * MIB, body.append)
    encode_varint(len(body) + mib * MIB + 1, head.append)
    packer, some = cramjam.zstd.Compressor(), b"x" * MIB
    packer.compress(bytes(head + body))
    for _ in range(mib):
        packer.compress(some)
    packer.compress(b"\x00")
    return bytes(packer.finish())


@pytest.mark.timeout(120)
async def test_ten_thousand_transitions_follow_from_one_batch(install: Install, tmp_path: Path) -> None:
    """With evidence of 20 KB each they are 200 MB: more than any request or command may be."""
    segments = definitions(
        tmp_path,
        *(shows(n) for n in range(20)),
    )
    installation = install(segments=segments)
    contacts = [name for n in range(4000) if home(name := f"c{n}", PARTITIONS) == 1][:500]
    value = "y" * 20_000
    await fill(
        installation,
        (output(installation, contact, event="E", properties={"v": value}) for contact in contacts),
    )
    installation.worker().start()
    memory = Memory(pid(installation))
    took_s = await taken_all(installation, 500, memory)
    print(f"\n10,000 transitions of 20 KB from one batch: {took_s:.1f} s, peak {memory.peak / MIB:.0f} MiB")
    await installation.drained()
    found = await installation.read(installation.topics.transitions)
    assert len({dict(record.headers)["ce_id"] for record in found}) == len(found) == 10_000
    assert memory.peak < 500 * MIB


@pytest.mark.timeout(60 + int(60 * SCALE))
async def test_one_event_enters_very_many_segments_all_of_which_show_a_long_text_of_it(
    install: Install, tmp_path: Path
) -> None:
    count = int(2000 * SCALE)
    installation = install(segments=definitions(tmp_path, *(shows(n) for n in range(count))))
    await fill(installation, [output(installation, "c1", event="E", properties={"v": "y" * 60_000})])
    begun = time.monotonic()
    installation.worker().start()
    memory = Memory(pid(installation))
    await taken_all(installation, 1, memory)
    await installation.drained()
    took_s = time.monotonic() - begun
    print(
        f"\n{count:,} segments entered by one event: {took_s:.1f} s with the start, peak {memory.peak / MIB:.0f} MiB"
    )
    found = await installation.read(installation.topics.transitions)
    assert len({dict(record.headers)["ce_id"] for record in found}) == len(found) == count
    assert max(len(record.value) for record in found) < 2000
    # What the definitions take, and nothing of what they would show.
    assert memory.peak < 150 * MIB + count * 60_000


@pytest.mark.timeout(120 + int(60 * SCALE))
async def test_wakes_that_are_all_due_at_one_moment_do_not_hold_up_events(
    install: Install, tmp_path: Path
) -> None:
    count = int(30_000 * SCALE)
    segments = definitions(
        tmp_path,
        {"key": "lasting", "when": {"did": "E", "within": "1h"}},
        {"key": "asked", "when": {"did": "F"}},
    )
    installation = install(segments=segments, clock="wall")
    due_ms = int(time.time() * 1000) + 12_000 + int(30_000 * (SCALE - 1) / 9)
    await _store_members(installation, segments, count, due_ms)
    installation.worker().start()
    memory = Memory(pid(installation))
    await asyncio.sleep(max(due_ms / 1000 - time.time() - 1, 0))
    assert _wakes(installation) == count
    await _ask_steadily(installation, lambda: _wakes(installation) > 0)
    await installation.drained()
    waits_ms, exits = [], []
    for record in await installation.read(installation.topics.transitions):
        said = json.loads(record.value)
        if said["properties"]["audience_key"] == "asked":
            # It carries the event's received time: when the broker got it.
            at_ms = (
                int(dict(record.headers)["x"])
                if "x" in dict(record.headers)
                else parse_moment(said["timestamp"])
            )
            waits_ms.append(record.timestamp - at_ms)
        else:
            assert parse_moment(said["timestamp"]) == due_ms
            exits.append(record)
    waits_ms.sort()
    p99_ms = waits_ms[len(waits_ms) * 99 // 100]
    last_s = (max(record.timestamp for record in exits) - due_ms) / 1000
    print(f"\n{count:,} wakes at one moment: {count / last_s:,.0f}/s; {len(waits_ms):,} events meanwhile, "
          f"p50 {waits_ms[len(waits_ms) // 2]} ms, p99 {p99_ms} ms; peak {memory.peak / MIB:.0f} MiB")  # fmt: skip
    assert len(exits) == count
    assert len(waits_ms) > 100
    assert p99_ms < 2000


async def _store_members(installation: Installation, segments: Path, count: int, due_ms: int) -> None:
    """Puts contacts into the state that became members an hour before they are due, as a worker would have done it."""
    store, memory = RedisStore(installation.redis_url, installation.name), MemoryStore()
    await store.open(PARTITIONS)
    in_force = await bring_into_force(load(segments), store, due_ms - 3_600_000)
    await memory.open(PARTITIONS)
    deployment = Deployment(
        in_force.catalog, store, InMemoryTopics(), TopicNames(), PARTITIONS, Unobserved(), lambda: due_ms
    )
    # What is stored of one of them is what is stored of each.
    model = Lane(0, Deployment(
        in_force.catalog, memory, InMemoryTopics(), TopicNames(), PARTITIONS, Unobserved(), lambda: due_ms
    ))  # fmt: skip
    await model.start()
    contact = next(f"m{n}" for n in range(100) if home(f"m{n}", PARTITIONS) == 0)
    event = json.dumps({"type": "track", "userId": contact, "event": "E"}).encode()
    await model.handle({"events": [FedRecord(0, contact.encode(), event, due_ms - 3_600_000)]})
    [record] = memory.data.partitions[0].contacts.values()
    by_partition: dict[int, list[str]] = {number: [] for number in range(PARTITIONS)}
    for n in range(count):
        by_partition[home(f"m{n}", PARTITIONS)].append(f"m{n}")
    for number, contacts in by_partition.items():
        await Lane(number, deployment).start()  # which notes the definitions that the state follows
        fence = (await store.take(number)).fence
        left = iter(contacts)
        while some := list(islice(left, 10_000)):
            commit = Commit(number, fence, due_ms - 3_600_000)
            commit.contacts = dict.fromkeys(some, record)
            commit.wakes = dict.fromkeys(some, due_ms)
            commit.entered = {"lasting": some}
            await store.commit(commit)
    await store.close()


def _wakes(installation: Installation) -> int:
    with redis.Redis.from_url(installation.redis_url) as client:
        keys = [PartitionKeys.of(installation.name, number).wakes for number in range(PARTITIONS)]
        return sum(client.zcard(key) for key in keys)


async def _ask_steadily(installation: Installation, more: Callable[[], bool]) -> None:
    """An event of a new contact every few milliseconds, until no wake is left."""
    n, looked = 0, 0.0
    async with AIOKafkaProducer(bootstrap_servers=installation.kafka, linger_ms=0) as producer:
        while True:
            for _ in range(2):
                n += 1
                event = output(installation, f"q{n}", event="F")
                await producer.send(event.topic, event.value, event.key, partition=event.partition)
            await asyncio.sleep(0.01)
            if time.monotonic() > looked + 0.5:
                looked = time.monotonic()
                if n > 300 and not await asyncio.to_thread(more):
                    return
