"""Any bytes at all, and values as nasty as JSON allows: nothing raises, every record is an event or one dead letter."""

import asyncio
import json
from typing import Any

import click
import orjson
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from rules.definitions import Definitions
from rules.segment import Segment
from streams.cli.transition_lines import transition_line
from streams.deployment import Deployment
from streams.intake import Intake, Taken, home
from streams.lane import Lane
from streams.observer import Unobserved
from streams.outbox import Output
from streams.records import decode_record, encode_record
from streams.registry import bring_into_force
from streams.returning import headers_back
from streams.store.memory import MemoryStore
from streams.topics import TopicNames
from streams.wire import Reason, Rejected, decode
from tests.streams.in_memory import FedRecord, InMemoryTopics

NOW_MS = 1_770_000_000_000
NAMES = TopicNames()
REASONS = {reason.encode() for reason in Reason}

# ------------------------------------------------------------------------------------------------------------ values
TEXTS = [
    "", " ", "\x00", "a\x00b", "\n", "\r\n", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x7f", "\x9b31m", "\u2028", "\u202e",
    "\ufeff", "\ufffe", "é", "e\u0301", "\U0001f600", "{0}:x", "}", "{", "*", "%s%n", "{{x}}", "'; --", "../..", "NaN",
    "anonymous:", "anonymous:x", "a" * 256, "a" * 257, "\U0001f600" * 256, "2026-01-01", "9999-12-31T23:59:59.999Z",
    "0001-01-01", "1e999", "٣", "true", "null", "products", "x" * 70_000,
]  # fmt: skip
NUMBERS = [
    0, -0.0, 1, -1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, 10**300, 1e308, -1e308, 5e-324, 0.1, 1.0, 1e22, 1e11, 1e18,
    NOW_MS, NOW_MS / 1000, 253402300799, 253402300800, -62135596800,
]  # fmt: skip
leaves = st.one_of(
    st.sampled_from(TEXTS), st.text(max_size=20), st.sampled_from(NUMBERS), st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70), st.booleans(), st.none(),
)  # fmt: skip
keys = st.one_of(
    st.sampled_from(["v", "a.b", "a", "b", "id", "", "a..b", ".", *TEXTS[:20]]), st.text(max_size=5)
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)


def nested(depth: int, inner: Any, *, lists: bool) -> Any:
    for _ in range(depth):
        inner = [inner] if lists else {"a": inner}
    return inner


deep = st.builds(nested, st.sampled_from([50, 200, 900]), leaves, lists=st.booleans())
bags = st.dictionaries(keys, st.one_of(values, deep), max_size=4).flatmap(
    lambda bag: st.builds(lambda v: {**bag, "v": v}, st.one_of(values, deep))
)
times = st.one_of(
    st.sampled_from([NOW_MS, NOW_MS - 1, 0, 1e10, "2026-01-01", "2026-01-01T00:00:00Z"]), leaves
)
well_formed = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "track", "identify", "page", "screen", "group", "alias"])},
    optional={
        "userId": st.one_of(st.sampled_from(["u1", "u2"]), leaves), "anonymousId": leaves, "event": st.sampled_from(["E", "F"]),
        "messageId": st.sampled_from(TEXTS), "timestamp": times, "properties": bags, "traits": bags, "context": bags,
        "name": values, "category": values,
    },
)  # fmt: skip
ill_formed = st.dictionaries(
    st.sampled_from(
        [
            "type",
            "userId",
            "anonymousId",
            "event",
            "messageId",
            "timestamp",
            "properties",
            "traits",
            "context",
        ]
    ),
    values,
)

# ------------------------------------------------------------------------------------------------------------- bytes
FRAGMENTS = [
    b"", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"\\udc00\\ud800", b"\x00", b"\xff", b"\xc0\x80",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"NaN", b"-Infinity", b"1e400", b"-", b"1" * 400, b"0." + b"1" * 400, b"null", b"true",
    b'{"type":"track","userId":"u","event":"E"}', b'"type":"track"', b'"userId":"u"', b'"userId":"w"', b'"event":"E"',
    b'"properties":{"v":1,"v":[]}', b"[" * 3000, b'{"a":' * 3000, b"\n", b" " * 300_000, b'"' + b"x" * 300_000 + b'"',
]  # fmt: skip
raw = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(b"".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=8).map(lambda parts: b"{" + b",".join(parts) + b"}"),
    st.none(),
)


def as_bytes(value: Any) -> bytes:
    """As the laxest of producers would write it."""
    return json.dumps(value).encode()


record_values = st.one_of(
    raw, well_formed.map(as_bytes), well_formed.map(as_bytes), ill_formed.map(as_bytes), values.map(as_bytes)
)
received = st.one_of(
    st.just(b"%d" % NOW_MS), st.sampled_from([b"", b"x", b"-1", b"9" * 30, b"9" * 18, b"\xff", b"1.5", None]), st.binary(max_size=5)
)  # fmt: skip
headers = st.lists(
    st.tuples(
        st.sampled_from(
            ["received_at", "reason", "source_offset", "source_partition", "redriven", "\x1b", ""]
        ),
        received,
    ),
    max_size=3,
)


ids = st.sampled_from(
    [
        "u1",
        "u1",
        "u1",
        *(text for text in TEXTS if 0 < len(text) <= 256 and not text.startswith("anonymous:")),
    ]
)
events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["track", "track", "identify", "page"]),
        "userId": ids,
        "event": st.sampled_from(["E", "F"]),
    },
    optional={"messageId": st.text(max_size=3), "properties": bags, "traits": bags, "context": bags},
)


@st.composite
def records_of_contacts(draw: st.DrawFn) -> list[FedRecord]:
    """Under the right key, and mostly events."""
    return [
        FedRecord(
            offset,
            str(value["userId"]).encode(),
            as_bytes(value),
            NOW_MS + draw(st.sampled_from([0, 5, -90_000_000])),
        )
        for offset, value in enumerate(draw(st.lists(events, min_size=1, max_size=8)))
    ]


@st.composite
def records(draw: st.DrawFn) -> list[FedRecord]:
    return [
        FedRecord(
            offset,
            draw(st.one_of(st.sampled_from([b"u1", b"u2", None, b"\xff\x00"]), st.binary(max_size=4))),
            value,
            draw(st.sampled_from([NOW_MS, NOW_MS - 5, -1, 0, 2**62])),
            draw(headers),
        )
        for offset, value in enumerate(draw(st.lists(record_values, min_size=1, max_size=12)))
    ]


# ---------------------------------------------------------------------------------------------------------- segments
ANY_TEST: list[dict[str, Any]] = [
    {"is": "x"}, {"is_not": 1}, {"in": [1, "a", True]}, {"not_in": ["\x00"]}, {"at_least": 0}, {"less_than": "2026-01-01"},
    {"contains": "a"}, {"starts_with": "\x1b"}, {"matches": "(a+)+$"}, {"exists": True}, {"exists": False},
]  # fmt: skip
MOMENT_TESTS: list[dict[str, Any]] = [{"within_last": "1d"}, {"within_next": "1d"}, {"older_than": "1d"}]
MEASURES: list[dict[str, Any]] = [
    {"sum": "v", "at_least": 0}, {"average": "v", "less_than": 5}, {"minimum": "v", "at_most": 0},
    {"maximum": "v", "more_than": 1}, {"distinct": "v", "at_least": 1}, {"days": True, "at_least": 1},
]  # fmt: skip


def _conditions() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in ("v", "a.b", "context.v"):
        found += [{"did": "*", "where": {path: test}} for test in ANY_TEST]
    for test in (*ANY_TEST, *MOMENT_TESTS):
        found += [
            {"trait": "v", **test},
            {"latest": "*", "property": "v", **test},
            {"first": "E", "property": "a.a", **test},
        ]
    for measure in MEASURES:
        found += [{"did": "*", **measure}, {"did": ["E", "page"], "within": "7d", **measure}]
    found.append(
        {
            "sequence": {
                "steps": [{"did": "E"}, {"did": "E"}],
                "by": "v",
                "then_not": {"did": "F", "within": "1h"},
            }
        }
    )
    found.append(
        {
            "score": {
                "at_least": 1,
                "of": [{"points": 0.1, "each": {"did": "E"}, "max": 3}, {"points": -1, "when": {"did": "F"}}],
            }
        }
    )
    found.append({"all": [{"known_for": "1ms"}, {"sample": 99.99}]})
    return found


SEGMENTS = Definitions(
    tuple(Segment.model_validate({"key": f"s{n}", "when": when}) for n, when in enumerate(_conditions())), ()
)


def _new_lane() -> tuple[Lane, MemoryStore, InMemoryTopics]:
    store, topics = MemoryStore(), InMemoryTopics()

    async def make() -> Lane:
        await store.open(1)
        in_force = await bring_into_force(SEGMENTS, store, NOW_MS)
        return Lane(0, Deployment(in_force.catalog, store, topics, NAMES, 1, Unobserved(), lambda: NOW_MS))

    return asyncio.run(make()), store, topics


def _strictly(value: bytes | None) -> Any:
    """As a parser that knows no NaN and no half surrogates reads it."""
    assert value is not None
    return orjson.loads(value)


# --------------------------------------------------------------------------------------------------------- properties
@given(record_values, st.one_of(st.none(), st.integers(-(2**62), 2**62), st.just(NOW_MS)))
def test_every_value_is_an_event_or_has_one_reason(value: bytes | None, received_ms: int | None) -> None:
    found = decode(value, received_ms, now_ms=NOW_MS)
    if isinstance(found, Rejected):
        assert found.reason in Reason
        assert found.detail.isprintable()
    else:
        assert 0 < len(found.contact_id.encode()) <= 4 * 256 + 10


@given(records())
def test_every_record_becomes_an_event_or_one_dead_letter_that_can_be_put_back(fed: list[FedRecord]) -> None:
    intake = Intake(0, NAMES, 4, 300_000)
    for record in fed:
        taken = intake.take(NAMES.events, [record], NOW_MS)
        assert len(taken.events) + len(taken.forwards) + len(taken.dead_letters) == 1
        for forward in taken.forwards:
            assert forward.key is not None
            assert forward.partition == home(forward.key.decode(), 4)
        for dead in taken.dead_letters:
            _check_dead_letter(record, dead, intake)


def _check_dead_letter(record: FedRecord, dead: Output, intake: Intake) -> None:
    assert (dead.key, dead.value) == (record.key, record.value)
    named = dict(dead.headers)
    assert named["reason"] in REASONS
    assert named["source_offset"] == b"%d" % record.offset
    stored = ConsumerRecord("d", 0, 7, NOW_MS, 1, dead.key, dead.value, None, 0, 0, tuple(dead.headers))
    back = FedRecord(8, dead.key, dead.value, NOW_MS if record.timestamp >= 0 else -1, headers_back(stored))
    again: Taken = intake.take(NAMES.events, [back], NOW_MS)
    assert [dict(each.headers)["reason"] for each in again.dead_letters] == [named["reason"]]


@given(st.one_of(records(), records_of_contacts()))
def test_a_lane_goes_through_whatever_comes(fed: list[FedRecord]) -> None:
    lane, store, topics = _new_lane()

    async def work() -> None:
        await lane.handle({NAMES.events: fed})
        # What came under another key comes again under the right one.
        sent_on = topics.records[(NAMES.by_contact, 0)]
        back = [FedRecord(n, each.key, each.value, NOW_MS, each.headers) for n, each in enumerate(sent_on)]
        if back:
            await lane.handle({NAMES.by_contact: back})
        while await lane.tick(NOW_MS + 10 * 86_400_000):
            pass

    asyncio.run(work())
    for output in topics.records[(NAMES.transitions, 0)]:
        said = _strictly(output.value)
        line = click.unstyle(transition_line(said, said["timestamp"]))
        assert line.isprintable()
        assert (output.key or b"").decode() in (said.get("userId"), f"anonymous:{said.get('anonymousId')}")
        assert len(output.value or b"") < 500_000
    for contact_id, record in store.data.partitions[0].contacts.items():
        contact, epoch = decode_record(contact_id, record)
        assert encode_record(contact, epoch) == record
