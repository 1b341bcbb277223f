"""What the topics hold, against what `segments replay` says of the same log: every transition counted.

A contact's transitions follow from its records in the order of the log and from their received times alone, so the log
as it stands on the broker at the end, partition by partition, says exactly what must have been published.
"""

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Protocol

from rules.catalog import Blueprint
from rules.loading import load
from streams.intake import home
from streams.replay import replay_lines
from streams.wire import encode, received_time

RECOVERY_MS = 60_000
"""How long after a fault what it set going may still arrive."""

Headers = Sequence[tuple[str, bytes | None]]


class Read(Protocol):
    """A record as a consumer gives it; aiokafka's ``ConsumerRecord`` is one."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Logged:
    """A record of the events topic."""

    place: bytes
    """Topic, partition and offset, as the headers of a dead letter name them."""
    value: bytes
    received_ms: int
    partition: int
    """That of its contact; of a record that has none, where it stands."""

    @property
    def line(self) -> bytes:
        """The same in a file, for replay."""
        said = _said(self.value)
        return self.value if said is None else json.dumps({**said, "receivedAt": self.received_ms}).encode()


def logged(record: Read, topic: str, partitions: int) -> Logged:
    """A record of the events topic, and whose it is."""
    value = record.value or b""
    contact = _contact(value)
    received_ms = received_time(record.headers, record.timestamp)
    assert received_ms is not None
    return Logged(
        b"%b/%d/%d" % (topic.encode(), record.partition, record.offset),
        value,
        received_ms,
        record.partition if contact is None else home(contact, partitions),
    )


def _said(value: bytes) -> dict[str, object] | None:
    try:
        said = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _contact(value: bytes) -> str | None:
    said = _said(value) or {}
    if said.get("userId"):
        return str(said["userId"])
    return f"anonymous:{said['anonymousId']}" if said.get("anonymousId") else None


@dataclass(frozen=True, slots=True)
class Published:
    """One transition."""

    id: str
    value: bytes
    headers: Headers


@dataclass
class Expected:
    """What must have happened."""

    transitions: dict[bytes, list[Published]] = field(default_factory=dict)
    """By key, in order."""
    members: dict[str, set[str]] = field(default_factory=dict)
    dead_letters: set[bytes] = field(default_factory=set)
    """Where their records stood."""

    @property
    def count(self) -> int:
        return sum(map(len, self.transitions.values()))


def expected(log: Iterable[Logged], segments: Path) -> Expected:
    """Replays the log, each partition by itself."""
    found = Expected()
    partitions: dict[int, list[Logged]] = {}
    for record in log:
        partitions.setdefault(record.partition, []).append(record)
    blueprint = Blueprint(load(segments))
    found.members = {segment.key: set() for segment in load(segments).segments}
    for of_partition in partitions.values():
        _replay(blueprint, _in_time(of_partition), found)
    return found


def _in_time(records: Sequence[Logged]) -> list[Logged]:
    """By received time; what came to one partition of the topic stays in its order."""
    sources: dict[bytes, list[Logged]] = {}
    for record in records:
        sources.setdefault(record.place.rpartition(b"/")[0], []).append(record)
    return list(heapq.merge(*sources.values(), key=attrgetter("received_ms")))


def _replay(blueprint: Blueprint, records: Sequence[Logged], found: Expected) -> None:
    transitions = replay_lines(
        blueprint.catalog(), [record.line for record in records], until_ms=None, max_future_skew_ms=300_000,
        reject=lambda number, _: found.dead_letters.add(records[number - 1].place),
    )  # fmt: skip
    for transition in transitions:
        key, value, headers = encode(transition)
        of_contact = found.transitions.setdefault(key, [])
        of_contact.append(Published(_id(headers), value, list(headers)))
        members = found.members[transition.segment]
        (members.add if transition.entered else members.discard)(transition.contact_id)


def _id(headers: Headers) -> str:
    return (dict(headers).get("ce_id") or b"").decode()


@dataclass(frozen=True, slots=True)
class Excuse:
    """What was published in this time may come again, with the same message id: so the guarantees say."""

    reason: str
    from_ms: int
    to_ms: int

    def covers(self, first: Read, again: Read) -> bool:
        """By the moments at which the broker took both."""
        return self.from_ms <= first.timestamp <= self.to_ms and again.timestamp <= self.to_ms + RECOVERY_MS


@dataclass
class Verdict:
    """How many transitions are not as they must be. Whatever is not 0 here breaks a guarantee, but for ``excused``."""

    transitions: int = 0
    """How many there had to be."""
    lost: int = 0
    repeated: int = 0
    out_of_order: int = 0
    wrong: int = 0
    """Published, but not what had to be; or to another partition."""
    dead_letters: int = 0
    dead_letters_lost: int = 0
    dead_letters_repeated: int = 0
    dead_letters_wrong: int = 0
    members_wrong: int = 0
    """Contacts that are in Redis a member of what they are none of, or the other way round."""
    left_over: int = 0
    """Outputs that wait to be published for ever, and records that are not part of the state."""
    excused: Counter[str] = field(default_factory=Counter)
    """Repetitions that the guarantees allow, by what brought them about."""
    examples: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not any(self.broken.values())

    @property
    def broken(self) -> dict[str, int]:
        """All that must be 0."""
        return {
            "lost": self.lost, "repeated": self.repeated, "out of order": self.out_of_order, "wrong": self.wrong,
            "dead letters lost": self.dead_letters_lost, "dead letters repeated": self.dead_letters_repeated,
            "dead letters wrong": self.dead_letters_wrong, "members wrong": self.members_wrong,
            "left over": self.left_over,
        }  # fmt: skip

    def note(self, text: str) -> None:
        if len(self.examples) < 12:
            self.examples.append(text)


def compare(
    expectation: Expected, published: Iterable[Read], excuses: Sequence[Excuse], partitions: int
) -> Verdict:
    """Compares the records of the transitions topic, each partition's in its order, with what had to be there."""
    verdict = Verdict(transitions=expectation.count)
    by_key: dict[bytes, list[Read]] = {}
    for record in published:
        assert record.key is not None
        by_key.setdefault(record.key, []).append(record)
        if record.partition != home(record.key.decode(), partitions):
            verdict.wrong += 1
            verdict.note(f"{record.key!r} in partition {record.partition}")
    for key in expectation.transitions.keys() | by_key.keys():
        _compare_contact(key, expectation.transitions.get(key, []), by_key.get(key, []), excuses, verdict)
    return verdict


def _compare_contact(
    key: bytes, wanted: Sequence[Published], got: Sequence[Read], excuses: Sequence[Excuse], verdict: Verdict
) -> None:
    places = {transition.id: place for place, transition in enumerate(wanted)}
    seen: dict[str, Read] = {}
    latest = -1
    for record in got:
        known = _id(record.headers)
        if known in seen:
            _judge_repetition(key, known, record, seen[known], excuses, verdict)
            continue
        seen[known] = record
        place = places.get(known)
        if place is None or (record.value, list(record.headers)) != (
            wanted[place].value,
            wanted[place].headers,
        ):
            verdict.wrong += 1
            verdict.note(
                f"wrong, of {key!r}: {record.value!r}; wanted {place is not None and wanted[place].value!r}"
            )
        if place is not None:
            verdict.out_of_order += place < latest
            latest = max(latest, place)
    for transition in wanted:
        if transition.id not in seen:
            verdict.lost += 1
            verdict.note(f"lost, of {key!r}: {transition.value!r}")


def _judge_repetition(
    key: bytes, known: str, record: Read, first: Read, excuses: Sequence[Excuse], verdict: Verdict
) -> None:
    if record.value != first.value:
        verdict.wrong += 1
        verdict.note(f"of {key!r} {known} came again with another content: {record.value!r}, {first.value!r}")
        return
    for excuse in excuses:
        if excuse.covers(first, record):
            verdict.excused[excuse.reason] += 1
            return
    verdict.repeated += 1
    verdict.note(f"repeated, of {key!r}: {record.value!r}")


def compare_dead_letters(
    expectation: Expected,
    log: Iterable[Logged],
    buried: Iterable[Read],
    excuses: Sequence[Excuse],
    verdict: Verdict,
) -> None:
    """Each defective record once in the dead-letter topic, unchanged."""
    values = {record.place: record.value for record in log}
    verdict.dead_letters = len(expectation.dead_letters)
    seen: dict[bytes, Read] = {}
    for record in buried:
        named = {name: value or b"" for name, value in record.headers}
        place = b"/".join(named[f"source_{part}"] for part in ("topic", "partition", "offset"))
        if place not in expectation.dead_letters or record.value != values[place]:
            verdict.dead_letters_wrong += 1
            verdict.note(f"no dead letter: {place!r}: {record.value!r}")
        elif place in seen:
            excuse = next((each for each in excuses if each.covers(seen[place], record)), None)
            if excuse is None:
                verdict.dead_letters_repeated += 1
                verdict.note(f"buried twice: {place!r}")
            else:
                verdict.excused[excuse.reason] += 1
        seen.setdefault(place, record)
    verdict.dead_letters_lost = len(expectation.dead_letters - seen.keys())


def compare_members(expectation: Expected, members: dict[str, set[str]], verdict: Verdict) -> None:
    """Memberships as Redis has them."""
    for segment, wanted in expectation.members.items():
        different = wanted ^ members.get(segment, set())
        verdict.members_wrong += len(different)
        if different:
            verdict.note(f"members of {segment}: {sorted(different)[:5]}")
