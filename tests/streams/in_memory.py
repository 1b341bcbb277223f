"""Topics in this process: a publisher for lanes under test, and the records that they are fed."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.outbox import Output, Place, PublishFailed, record_id


@dataclass
class FedRecord:
    """A Kafka record as a lane sees it."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes | None]] = ()


@dataclass
class InMemoryTopics:
    """A ``Publisher`` whose topics are lists. ``fail`` makes the next publishing fail after so many records."""

    records: dict[Place, list[Output]] = field(default_factory=lambda: defaultdict(list))
    fail: list[int] = field(default_factory=list)

    async def publish(self, outputs: Sequence[Output]) -> Mapping[Place, int]:
        keep = self.fail.pop(0) if self.fail else len(outputs)
        for output in outputs[:keep]:
            self.records[(output.topic, output.partition)].append(output)
        if keep < len(outputs):
            raise PublishFailed("told to fail")
        return {place: len(self.records[place]) for place in {(out.topic, out.partition) for out in outputs}}

    async def ends(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return {place: len(self.records[place]) for place in places}

    async def published(self, place: Place, from_offset: int, ids: set[bytes]) -> set[bytes]:
        found = {record_id(output.headers) for output in self.records[place][from_offset:]}
        return {each for each in ids if each in found}

    def transitions(self, topic: str = "segment-transitions") -> list[dict[str, Any]]:
        """The values of all transitions, partition by partition, in order."""
        places = sorted(place for place in self.records if place[0] == topic)
        return [json.loads(output.value or b"") for place in places for output in self.records[place]]

    def story(self) -> list[tuple[str, str, bool, str, str]]:
        """(contact, segment, entered, moment, reason) of every transition."""
        return [
            (
                value.get("userId") or "anonymous:" + value["anonymousId"],
                (key := value["properties"]["audience_key"]),
                value["properties"][key],
                value["timestamp"],
                value["context"]["segment"]["reason"],
            )
            for value in self.transitions()
        ]
