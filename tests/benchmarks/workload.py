"""A workload from its file: the events, and what must come of them."""

import random
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml
from pydantic import BaseModel, ConfigDict

from rules.catalog import Blueprint, Catalog
from rules.contact import Contact
from rules.durations import format_moment, parse_moment
from rules.event import Event
from rules.loading import load
from rules.step import Step, Transition
from streams.intake import home
from streams.replay import Replay
from streams.wire import decode, encode

WORKLOADS = Path(__file__).parent / "workloads"

Published = dict[bytes, list[bytes]]
"""By contact, in order: the values of its transitions."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int
    partitions: int
    contacts: int
    hot_contacts: int
    hot_share: float
    repetitions: float
    step_ms: int
    start: str
    events: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """A record for the events topic. ``received_ms`` is its header; None: it has none, the broker's clock counts."""

    key: bytes
    value: bytes
    received_ms: int | None
    message_id: str


class Workload:
    """What `workload.yaml` and the definitions beside it say."""

    def __init__(self, name: str) -> None:
        """``name``: a folder of `workloads`, or a path. Raises OSError, ValueError or DefinitionError."""
        folder = WORKLOADS / name if (WORKLOADS / name).is_dir() else Path(name)
        self.name = folder.name
        self.definitions = folder / "segments"
        self.file = _File.model_validate(yaml.safe_load((folder / "workload.yaml").read_text()))
        self.segments = load(self.definitions)

    @property
    def partitions(self) -> int:
        return self.file.partitions

    def catalog(self) -> Catalog:
        return Blueprint(self.segments).catalog()

    def history(self, count: int) -> Iterator[Sent]:
        """Events with times of their own, which are their received times too."""
        file, chance = self.file, random.Random(self.file.seed)
        start_ms = parse_moment(file.start)
        sent: list[Sent] = []
        for number in range(count):
            if sent and chance.random() < file.repetitions:
                yield chance.choice(sent)
                continue
            at_ms = start_ms + number * file.step_ms
            event = self._event(chance, self._contact(chance), at_ms)
            if number % 50 == 0:
                sent.append(event)
            yield event

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
            "event": chance.choice(self.file.events),
            "properties": {
                "revenue": round(chance.random() * 200, 2),
                "category": chance.choice("abcdef"),
                "url": f"https://shop.example/p/{chance.randrange(1000)}",
            },
            "context": {"device": {"type": chance.choice(self.file.devices)}},
        }
        if at_ms is not None:
            said["timestamp"] = format_moment(at_ms)
        return Sent(contact.encode(), orjson.dumps(said), at_ms, message_id)

    def outcome(self, sent: Sequence[Sent]) -> Published:
        """What a worker must publish of a history with received times alone as the clock: the replay of each partition."""
        replays = [Replay(self.catalog()) for _ in range(self.partitions)]
        return _published(
            transition
            for event in self._events(sent)
            for transition in replays[home(event.contact_id, self.partitions)].take(event)
        )

    def outcome_without_wakes(self, sent: Sequence[Sent]) -> Published:
        """What is to be published where time moves a contact only when its next event comes."""
        step, contacts = Step(self.catalog()), dict[str, Contact]()
        out: list[Transition] = []
        for event in self._events(sent):
            contact = contacts.setdefault(event.contact_id, Contact(id=event.contact_id))
            step.take(contact, event, event.received_ms, out)
        return _published(iter(out))

    def _events(self, sent: Sequence[Sent]) -> Iterator[Event]:
        for record in sent:
            event = decode(record.value, record.received_ms)
            assert isinstance(event, Event)
            yield event


def _published(transitions: Iterator[Transition]) -> Published:
    found: Published = defaultdict(list)
    for transition in transitions:
        key, value, _ = encode(transition)
        found[key].append(value)
    return dict(found)
