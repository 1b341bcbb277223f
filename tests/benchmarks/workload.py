"""A workload's events, from its file."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from rules.catalog import Blueprint, Catalog
from rules.durations import format_moment, parse_moment
from tests.benchmarks.workload_file import SegmentSet, folder_of, read

WORDS = ("calm", "linen", "green", "round", "quiet", "winter", "paper", "silver", "long", "harbour")


@dataclass(frozen=True, slots=True)
class Sent:
    """A record for the events topic. ``received_ms`` is its timestamp; None: it has none, the broker's clock counts."""

    key: bytes
    value: bytes
    received_ms: int | None
    message_id: str


class Workload:
    """What `workload.yaml` and the definitions beside it say."""

    def __init__(self, name: str) -> None:
        """``name``: a folder of `workloads`, or a path. Raises OSError, ValueError or DefinitionError."""
        folder = folder_of(name)
        self.name = folder.name
        self.file, written = read(folder)
        self.segments = SegmentSet(self.file, written)
        self._blueprint = Blueprint(self.segments.definitions())

    @property
    def partitions(self) -> int:
        return self.file.partitions

    @property
    def warm(self) -> int:
        """How many events come before those that are timed."""
        return self.file.contacts if self.file.every_contact_first else 0

    def settings(self) -> dict[str, str]:
        """Of the worker, besides those that every run has."""
        cached = self.file.cached_contacts
        return {} if cached is None else {"cached_contacts": str(cached)}

    def definitions(self, into: Path) -> Path:
        """The folder of the definitions; where they are made, they are made in ``into``."""
        return self.segments.folder(into)

    def catalog(self) -> Catalog:
        return self._blueprint.catalog()

    def history(self, count: int) -> Iterator[Sent]:
        """So many events after the warm ones, with times of their own, which are their received times too."""
        file, chance = self.file, random.Random(self.file.seed)
        start_ms = parse_moment(file.start)
        sent: list[Sent] = []
        for number in range(self.warm):
            yield self._event(chance, f"u{number}", start_ms + number)
        start_ms += self.warm
        for number in range(count):
            if sent and chance.random() < file.repetitions:
                yield chance.choice(sent)
                continue
            at_ms = start_ms + number * file.step_ms
            event = self._event(chance, self._contact(chance), at_ms)
            if number % 50 == 0:
                sent.append(event)
            yield event

    def once_each(self, contacts: int) -> Iterator[Sent]:
        """One event of each of so many contacts, without times."""
        chance = random.Random(self.file.seed + 2)
        return (self._event(chance, f"u{number}", None) for number in range(contacts))

    def live(self, contacts: int) -> Iterator[Sent]:
        """Events without an end and without times: each is received when it is."""
        chance = random.Random(self.file.seed + 1)
        while True:
            yield self._event(chance, f"u{chance.randrange(contacts)}", None)

    def _contact(self, chance: random.Random) -> str:
        if chance.random() < self.file.hot_share:
            return f"hot{chance.randrange(self.file.hot_contacts)}"
        return f"u{chance.randrange(self.file.contacts)}"

    def _event(self, chance: random.Random, contact: str, at_ms: int | None) -> Sent:
        message_id = str(uuid.UUID(int=chance.getrandbits(128)))
        said: dict[str, Any] = {
            "messageId": message_id,
            "type": "track",
            "userId": contact,
            "event": self.segments.event_name(chance.choice(self.file.events), _number(contact)),
            "properties": {
                "revenue": round(chance.random() * 200, 2),
                "category": chance.choice("abcdef"),
                "url": f"https://shop.example/p/{chance.randrange(1000)}",
            },
            "context": {"device": {"type": chance.choice(self.file.devices)}},
        }
        if at_ms is not None:
            said["timestamp"] = format_moment(at_ms)
        if self.file.event_bytes:
            said["properties"]["products"] = _products(
                chance, self.file.event_bytes - len(orjson.dumps(said))
            )
        return Sent(contact.encode(), orjson.dumps(said), at_ms, message_id)


def _number(contact: str) -> int:
    return int(contact.lstrip("hotu"))


def _products(chance: random.Random, size: int) -> list[dict[str, Any]]:
    """What a shop says of a basket, until its JSON has about so many bytes."""
    found: list[dict[str, Any]] = []
    while size > 0:
        found.append(
            {
                "product_id": f"sku-{chance.randrange(100_000):05}",
                "name": " ".join(chance.choices(WORDS, k=4)),
                "price": round(chance.random() * 100, 2),
                "quantity": chance.randrange(1, 5),
            }
        )
        size -= len(orjson.dumps(found[-1])) + 1
    return found
