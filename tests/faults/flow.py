"""The events that flow while things break: seeded, and with all that a real topic holds.

Most come under their contact's key. A few contacts' come under a wrong one: these are sent on and take who knows how
long, so such contacts do only what no window looks at, and always under the same wrong key. There are repetitions,
events that are late by seconds, events without a message id, anonymous contacts, and records that are none.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer

from rules.durations import format_moment
from streams.clock import wall_ms
from streams.intake import home
from streams.wire import received_at_header
from tests.integration.history import hash_of, one_of_each

STRAYS = 40
AFTERWARDS_MS = 60_000
"""Longer than every window of the definitions, and no further ahead than a received time may be."""


@dataclass(frozen=True, slots=True)
class Record:
    key: bytes | None
    value: bytes


def records(seed: int, contacts: int) -> Iterator[Record]:
    """Records without an end. Their event times are those of the wall clock, or some seconds before."""
    maker = _Maker(random.Random(seed), contacts)
    while True:
        yield maker.record()


class Flow:
    """Puts records on the events topic at a steady rate, for as long as it is wanted, whatever befalls the broker."""

    def __init__(
        self, bootstrap: str, topic: str, partitions: int, seed: int, rate: float, contacts: int
    ) -> None:
        self._bootstrap, self._topic, self._partitions = bootstrap, topic, partitions
        self._records = records(seed, contacts)
        self._rate = rate
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.sent = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def end(self) -> None:
        """Stops, waits until all is acknowledged, and moves every partition's clock beyond all that waits."""
        self._ended.set()
        if self._task is not None:
            await self._task
        async with self._producer() as producer:
            header = received_at_header(wall_ms() + AFTERWARDS_MS)
            for partition, contact_id in enumerate(one_of_each(self._partitions)):
                value = json.dumps({"type": "track", "userId": contact_id, "event": "Nothing"}).encode()
                await producer.send_and_wait(
                    self._topic, value, key=contact_id.encode(), headers=[header], partition=partition
                )

    async def give_up(self) -> None:
        """Ends at once, whatever is still on its way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        begun = time.monotonic()
        async with self._producer() as producer:
            waiting: set[asyncio.Future[Any]] = set()
            while not self._ended.is_set():
                due = int((time.monotonic() - begun) * self._rate) - self.sent
                # What could not be sent while the broker was away is not made up for all at once.
                for _ in range(min(due, int(self._rate))):
                    waiting.add(await self._send(producer, next(self._records)))
                waiting -= {sent for sent in waiting if sent.done() and sent.result()}
                await asyncio.sleep(0.05)
            await asyncio.gather(*waiting)

    async def _send(self, producer: AIOKafkaProducer, record: Record) -> "asyncio.Future[Any]":
        self.sent += 1
        place = 0 if record.key is None else home(record.key.decode(), self._partitions)
        sent: asyncio.Future[Any] = await producer.send(
            self._topic, record.value, key=record.key, partition=place
        )
        return sent

    def _producer(self) -> AIOKafkaProducer:
        # Idempotent: it tries again for as long as it takes, in order.
        return AIOKafkaProducer(bootstrap_servers=self._bootstrap, enable_idempotence=True, linger_ms=5)


class _Maker:
    def __init__(self, chance: random.Random, contacts: int) -> None:
        self._chance, self._contacts = chance, contacts
        self._number = 0
        self._recent: list[Record] = []

    def record(self) -> Record:
        self._number += 1
        kind = self._chance.random()
        if kind < 0.03 and self._recent:
            return self._chance.choice(self._recent)
        if kind < 0.05:
            return self._broken()
        if kind < 0.09:
            return self._stray()
        record = self._usual()
        if b'"messageId"' in record.value:
            self._recent = [*self._recent[-200:], record]
        return record

    def _broken(self) -> Record:
        number, chance = self._number, self._chance
        value = chance.choice(
            [
                b"no JSON %d" % number,
                b"\xff\xfe\x00 %d" % number,
                b'{"type": "track", "event": "Nobody did this %d"}' % number,
                b'{"type": "guess %d", "userId": "u1"}' % number,
                b'{"type": "track", "userId": "u1", "event": "E", "timestamp": "never %d"}' % number,
                b'{"type": "track", "userId": "u1", "event": "E", "timestamp": "9999-01-01", "n": %d}'
                % number,
                b"[" * 3000 + b"%d" % number,
            ]
        )
        return Record(chance.choice([None, b"u1", b"u2"]), value)

    def _stray(self) -> Record:
        number = self._chance.randrange(STRAYS)
        record = self._of(f"stray-{number}", {"type": "track", "event": "Ticket Opened"})
        return Record(b"session-%d" % (number * 7), record.value)

    def _usual(self) -> Record:
        chance = self._chance
        said: dict[str, Any]
        match chance.randrange(10):
            case 0 | 1:
                said = {"type": "track", "event": "Order Completed", "properties": self._basket()}
            case 2 | 3:
                said = {"type": "track", "event": "Email Clicked"}
            case 4:
                said = {"type": "page", "name": chance.choice(["Home", "Checkout"])}
            case 5:
                said = {"type": "identify", "traits": {"plan": chance.choice(["pro", "free", None])}}
            case 6 | 7:
                said = {"type": "track", "event": "Product Added", "properties": self._basket()}
            case _:
                said = {"type": "track", "event": "Checkout Started"}
        if chance.random() < 0.15:
            said["timestamp"] = format_moment(wall_ms() - chance.randrange(8_000))
        return self._of(f"c{chance.randrange(self._contacts)}", said)

    def _basket(self) -> dict[str, Any]:
        chance = self._chance
        return {"total": chance.randrange(1, 200), "cart_id": f"cart-{chance.randrange(3)}"}

    def _of(self, contact: str, said: dict[str, Any]) -> Record:
        if hash_of(contact) % 10 == 0:
            who, key = {"anonymousId": contact}, f"anonymous:{contact}"
        else:
            who, key = {"userId": contact}, contact
        record = {**said, **who}
        # Without a message id nothing but the place in the log says that an event has been taken.
        if self._chance.random() < 0.6:
            record["messageId"] = f"m{self._number}"
        return Record(key.encode(), json.dumps(record).encode())
