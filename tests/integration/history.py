"""A made-up week of a shop: what a worker is given while it is killed, moved and cut off.

All of it is exact: received times never go back, so that what follows does not depend on how far the worker is when.
Contacts that come under wrong keys are the exception, since those records take a detour, and who knows how long it is:
they do only what no window looks at.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rules.durations import format_moment
from streams.intake import home

START_MS = 1_735_689_600_000
"""2025-01-01, in milliseconds UTC."""
AFTERWARDS_MS = 40 * 86_400_000
"""Longer than every window: the last record of each partition makes all that waits happen."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as a producer puts it on the events topic."""

    key: bytes | None
    value: bytes
    received_ms: int

    @property
    def line(self) -> bytes:
        """The same in a file, for replay."""
        try:
            record = json.loads(self.value)
        except ValueError:
            return self.value
        return json.dumps({**record, "receivedAt": self.received_ms}).encode()


def history(seed: int, count: int, partitions: int, contacts: int = 800) -> list[Sent]:
    """``count`` records of a week, then one for each partition that moves its clock on."""
    maker = _Maker(random.Random(seed), contacts)
    sent = [maker.record() for _ in range(count)]
    end_ms = sent[-1].received_ms + AFTERWARDS_MS
    return sent + [_track(contact_id, "Nothing", end_ms) for contact_id in one_of_each(partitions)]


def one_of_each(partitions: int) -> Iterator[str]:
    """A contact of each partition."""
    for partition in range(partitions):
        yield next(name for n in range(1000) if home(name := f"last-{n}", partitions) == partition)


def _track(contact_id: str, name: str, received_ms: int) -> Sent:
    value = {"type": "track", "userId": contact_id, "event": name}
    return Sent(contact_id.encode(), json.dumps(value).encode(), received_ms)


class _Maker:
    def __init__(self, chance: random.Random, contacts: int) -> None:
        self._chance, self._contacts = chance, contacts
        self._now_ms, self._number = START_MS, 0
        self._recent: list[Sent] = []

    def record(self) -> Sent:
        self._now_ms += self._chance.randrange(60_000)
        self._number += 1
        kind = self._chance.random()
        if kind < 0.02 and self._recent:
            again = self._chance.choice(self._recent)
            return Sent(again.key, again.value, self._now_ms)
        if kind < 0.04:
            return self._broken()
        if kind < 0.08:
            return self._under_a_wrong_key()
        sent = self._usual()
        self._recent = [*self._recent[-200:], sent]
        return sent

    def _broken(self) -> Sent:
        number = self._number
        value = self._chance.choice(
            [
                b"no JSON %d" % number,
                b'{"type": "track", "event": "Nobody did this %d"}' % number,
                b'{"type": "guess %d", "userId": "u1"}' % number,
                b'{"type": "track", "userId": "u1", "event": "E", "timestamp": "never %d"}' % number,
            ]
        )
        return Sent(self._chance.choice([None, b"u1"]), value, self._now_ms)

    def _under_a_wrong_key(self) -> Sent:
        number = self._chance.randrange(60)
        sent = self._of(f"moved-{number}", {"type": "track", "event": "Ticket Opened"})
        # Always the same wrong key, so that they stay in order.
        return Sent(b"session-%d" % (number * 7), sent.value, self._now_ms)

    def _usual(self) -> Sent:
        chance = self._chance
        said: dict[str, Any]
        match chance.randrange(10):
            case 0 | 1 | 2:
                said = {"type": "track", "event": "Order Completed", "properties": self._basket()}
            case 3 | 4 | 5:
                said = {"type": "track", "event": "Email Clicked"}
            case 6 | 7:
                said = {"type": "page", "name": chance.choice(["Home", "Checkout"])}
            case 8:
                said = {"type": "identify", "traits": {"plan": chance.choice(["pro", "free", None])}}
            case _:
                said = {"type": "track", "event": "Ticket Opened"}
        if chance.random() < 0.1:
            said["timestamp"] = format_moment(self._now_ms - chance.randrange(7_200_000))
        return self._of(f"c{chance.randrange(self._contacts)}", said)

    def _basket(self) -> dict[str, Any]:
        chance = self._chance
        return {"total": chance.randrange(1, 200), "category": chance.choice(["skincare", "hair", "home"])}

    def _of(self, contact: str, said: dict[str, Any]) -> Sent:
        if hash_of(contact) % 10 == 0:
            who, key = {"anonymousId": contact}, f"anonymous:{contact}"
        else:
            who, key = {"userId": contact}, contact
        record = {**said, **who, "messageId": f"m{self._number}"}
        return Sent(key.encode(), json.dumps(record).encode(), self._now_ms)


def hash_of(text: str) -> int:
    """The same in every process."""
    return sum(text.encode())
