"""A lane driven by hand over one partition: what a worker does with it, step by step, with topics kept in memory."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rules.catalog import Catalog
from streams.deployment import Deployment
from streams.lane import Lane
from streams.observer import Unobserved
from streams.outbox import Output, Place, record_id
from streams.store import ContactStore
from streams.topics import TopicNames
from tests.reference import Expected
from tests.reference.moments import moment_ms
from tests.reference.records import read

TOPICS = TopicNames()
PARTITION = 0


@dataclass
class KeptTopics:
    """A publisher whose topics are lists."""

    records: dict[Place, list[Output]] = field(default_factory=dict)

    async def publish(self, outputs: Sequence[Output]) -> Mapping[Place, int]:
        for output in outputs:
            self.records.setdefault((output.topic, output.partition), []).append(output)
        return await self.ends([(output.topic, output.partition) for output in outputs])

    async def ends(self, places: Sequence[Place]) -> Mapping[Place, int]:
        return {place: len(self.records.get(place, ())) for place in places}

    async def published(self, place: Place, from_offset: int, ids: set[bytes]) -> set[bytes]:
        found = {record_id(output.headers) for output in self.records.get(place, [])[from_offset:]}
        return {known for known in found if known is not None} & ids

    def transitions(self) -> dict[str, list[Expected]]:
        """What was published, by contact, in order."""
        found: dict[str, list[Expected]] = {}
        for output in self.records.get((TOPICS.transitions, PARTITION), ()):
            transition = transition_of(output.value)
            found.setdefault(transition.contact, []).append(transition)
        return found

    def dead_letters(self) -> list[str]:
        """Their reasons, in order."""
        outputs = self.records.get((TOPICS.dead_letters, PARTITION), [])
        return [(dict(output.headers)["reason"] or b"").decode() for output in outputs]


def transition_of(value: bytes | None) -> Expected:
    """A record of the transitions topic."""
    said = json.loads(value or b"")
    of_segment, key = said["context"]["segment"], said["properties"]["audience_key"]
    at_ms = moment_ms(said["timestamp"])
    assert at_ms is not None
    assert said["properties"][key] is (said["event"] == "Audience Entered")
    return Expected(
        contact=said["userId"] if "userId" in said else f"anonymous:{said['anonymousId']}",
        segment=key,
        entered=said["properties"][key],
        at_ms=at_ms,
        sequence=of_segment["sequence"],
        reason=of_segment["reason"],
        cause=of_segment["cause"],
        member_for_ms=of_segment["member_for_ms"],
    )


@dataclass
class KafkaRecord:
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes | None]]


def kafka_records(records: Iterable[Any]) -> list[KafkaRecord]:
    """Records as a producer puts them on the events topic: keyed, and with their received time where it is told."""
    found = []
    for offset, record in enumerate(records):
        taken = read(record)
        value = json.dumps(record).encode()
        if isinstance(taken, str):
            received_ms = moment_ms(record.get("receivedAt")) if isinstance(record, dict) else None
            headers = [] if received_ms is None else [("received_at", b"%d" % received_ms)]
            found.append(KafkaRecord(offset, None, value, 0, headers))
        else:
            headers = [("received_at", b"%d" % taken.received_ms)]
            found.append(KafkaRecord(offset, taken.contact.encode(), value, 0, headers))
    return found


class DrivenLane:
    """A lane, its store and its topics, with received times alone as the clock."""

    def __init__(
        self,
        catalog: Catalog,
        store: ContactStore,
        *,
        topics: KeptTopics | None = None,
        cached_contacts: int = 1000,
        chunk: int = 500,
        most_transitions: int = 2000,
        at_once: int = 2,
    ) -> None:
        self.topics = topics or KeptTopics()
        self.deployment = Deployment(
            catalog=catalog,
            store=store,
            publisher=self.topics,
            topics=TOPICS,
            partitions=1,
            observer=Unobserved(),
            # Long after all that is sent: nothing is received in the future.
            wall_ms=lambda: 4_000_000_000_000,
            cached_contacts=cached_contacts,
            chunk=chunk,
            most_transitions=most_transitions,
            at_once=at_once,
        )
        self.lane = Lane(PARTITION, self.deployment)

    @property
    def store(self) -> ContactStore:
        return self.deployment.store

    def restart(self, catalog: Catalog | None = None) -> None:
        """Leaves all that is not stored behind, as a killed worker does; goes on by these definitions, if given."""
        if catalog is not None:
            self.deployment = replace(self.deployment, catalog=catalog)
        self.lane = Lane(PARTITION, self.deployment)

    def use(self, catalog: Catalog, store: ContactStore) -> None:
        """Goes on with another store: what the one before held is lost."""
        self.deployment = replace(self.deployment, catalog=catalog, store=store)
        self.restart()

    async def handle(self, records: Sequence[KafkaRecord]) -> None:
        await self.lane.handle({TOPICS.events: records})

    async def pass_wakes(self) -> None:
        """All that the clock has gone beyond."""
        while await self.lane.tick(None):
            pass

    async def finish(self, until_ms: int | None = None) -> None:
        """As at the end of a file: the wakes up to and including the clock, or a later moment."""
        await self.lane.start()
        more = await self.lane.tick((self.lane.clock_ms if until_ms is None else until_ms) + 1)
        while more:
            more = await self.lane.tick(None)
