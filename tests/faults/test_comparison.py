"""The comparison counts every way in which transitions can be other than they must be."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import pytest

from streams.intake import home
from tests.faults.comparison import (
    Excuse,
    Expected,
    Headers,
    Logged,
    Verdict,
    compare,
    compare_dead_letters,
    compare_members,
    expected,
)
from tests.faults.flow import records
from tests.faults.stage import SEGMENTS

PARTITIONS = 4
START_MS = 1_735_689_600_000


@dataclass
class Record:
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = field(default_factory=list)


@pytest.fixture(scope="module")
def log() -> list[Logged]:
    """Two seconds apart, so that time alone does much."""
    found = []
    for number, record in enumerate(islice(records(seed=1, contacts=20), 600)):
        said = record.value
        if said.startswith(b"{") and b'"timestamp"' in said and b"never" not in said and b"9999" not in said:
            said = json.dumps({k: v for k, v in json.loads(said).items() if k != "timestamp"}).encode()
        partition = 0 if record.key is None else home(record.key.decode(), PARTITIONS)
        found.append(Logged(b"events/%d/%d" % (partition, number), said, START_MS + 200 * number, partition))
    return found


@pytest.fixture(scope="module")
def wanted(log: list[Logged]) -> Expected:
    return expected(log, SEGMENTS)


@pytest.fixture
def published(wanted: Expected) -> list[Record]:
    """The topic as it must be."""
    return [
        Record(home(key.decode(), PARTITIONS), offset, START_MS + offset, key, each.value, list(each.headers))
        for key, transitions in wanted.transitions.items()
        for offset, each in enumerate(transitions)
    ]


def _other(record: Record) -> Record:
    return replace(record, value=(record.value or b"").replace(b"true", b"null"))


def test_what_is_as_it_must_be_is_found_so(wanted: Expected, published: list[Record]) -> None:
    found = compare(wanted, published, [], PARTITIONS)
    assert found.holds
    assert found.transitions == len(published) > 300


BROKEN: dict[str, tuple[Callable[[list[Record]], Sequence[Record]], dict[str, int]]] = {
    "one is missing": (lambda them: them[:5] + them[6:], {"lost": 1}),
    "one comes twice": (lambda them: [*them, them[3]], {"repeated": 1}),
    "one comes again and says something else": (lambda them: [*them, _other(them[0])], {"wrong": 1}),
    "one says something else": (lambda them: [_other(them[0]), *them[1:]], {"wrong": 1}),
    "two change places": (lambda them: [them[1], them[0], *them[2:]], {"out of order": 1}),
    "one is in another partition": (
        lambda them: [replace(them[0], partition=(them[0].partition + 1) % PARTITIONS), *them[1:]],
        {"wrong": 1},
    ),
    "one is nobody's": (
        lambda them: [*them, replace(them[0], headers=[("ce_id", b"unheard-of")])],
        {"wrong": 1},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_thing_that_is_not_so_is_counted(wanted: Expected, published: list[Record], name: str) -> None:
    breaks, counts = BROKEN[name]
    found = compare(wanted, breaks(published), [], PARTITIONS)
    assert {what: count for what, count in found.broken.items() if count} == counts
    assert not found.holds
    assert found.examples or name == "two change places"


def test_a_repetition_is_excused_only_if_it_was_first_published_in_the_time_of_the_excuse(
    wanted: Expected, published: list[Record]
) -> None:
    first = published[7]
    again = replace(first, timestamp=first.timestamp + 5000)
    excuse = Excuse("put back", first.timestamp - 1, first.timestamp + 1)
    found = compare(wanted, [*published, again], [excuse], PARTITIONS)
    assert found.holds
    assert found.excused == {"put back": 1}
    late = replace(excuse, from_ms=first.timestamp + 1, to_ms=first.timestamp + 2)
    assert compare(wanted, [*published, again], [late], PARTITIONS).repeated == 1


def _buried(log: list[Logged], wanted: Expected) -> list[Record]:
    found: list[Record] = []
    for record in log:
        if record.place in wanted.dead_letters:
            parts = zip(("topic", "partition", "offset"), record.place.split(b"/"), strict=True)
            headers: list[tuple[str, bytes | None]] = [(f"source_{part}", value) for part, value in parts]
            found.append(Record(record.partition, len(found), START_MS, None, record.value, headers))
    return found


def test_dead_letters_are_counted_too(log: list[Logged], wanted: Expected) -> None:
    buried = _buried(log, wanted)
    assert len(buried) > 5

    def broken(them: list[Record]) -> dict[str, int]:
        verdict = Verdict()
        compare_dead_letters(wanted, log, them, [], verdict)
        return {what: count for what, count in verdict.broken.items() if count}

    assert broken(buried) == {}
    assert broken(buried[1:]) == {"dead letters lost": 1}
    assert broken([*buried, buried[0]]) == {"dead letters repeated": 1}
    assert broken([replace(buried[0], value=b"?"), *buried[1:]]) == {"dead letters wrong": 1}


def test_members_are_counted_too(wanted: Expected) -> None:
    key = next(key for key, members in wanted.members.items() if members)
    verdict = Verdict()
    compare_members(wanted, wanted.members, verdict)
    assert verdict.members_wrong == 0
    compare_members(wanted, {**wanted.members, key: {"somebody else"}}, verdict)
    assert verdict.members_wrong == len(wanted.members[key]) + 1
