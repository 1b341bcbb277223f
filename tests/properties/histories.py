"""Random records of one partition: out of order, at equal times, late, repeated, incomplete, defective."""

from typing import Any

from hypothesis import strategies as st

from tests.properties.definitions import numbers, texts
from tests.properties.times import ORIGIN_MS, SPAN_MS, iso, moment_numbers, moment_seconds, moment_texts

Record = dict[str, Any]

CONTACTS = (
    {"userId": "u1"},
    {"userId": "u1"},
    {"userId": "u1"},
    {"userId": "u1"},
    {"userId": 2},
    {"anonymousId": "u1"},
    {"userId": "u3", "anonymousId": "x"},
)

scalars = st.one_of(numbers, texts, st.booleans(), moment_texts, moment_numbers, moment_seconds)
values = st.one_of(
    scalars,
    scalars,
    st.none(),
    st.lists(st.one_of(scalars, st.none(), st.just({"x": 1}), st.just(["a", 1])), max_size=3),
    st.just({}),
)
inner_objects = st.fixed_dictionaries({}, optional={"x": values, "k": values})
objects = st.one_of(inner_objects, st.lists(inner_objects, max_size=3), values)
properties = st.fixed_dictionaries(
    {},
    optional={"p": values, "q": values, "o": objects, "o.x": values, "items": objects, "name": values},
)
contexts = st.fixed_dictionaries(
    {}, optional={"d": st.one_of(st.fixed_dictionaries({}, optional={"t": values}), values), "c": values}
)
traits = st.fixed_dictionaries(
    {}, optional={"t": values, "u": values, "o": objects, "o.x": values, "tags": values}
)

received_steps = st.one_of(st.integers(0, 3), st.just(0), st.integers(-8, 0), st.integers(4, 15))
lags = st.one_of(st.just(0), st.just(0), st.integers(0, 3), st.integers(0, SPAN_MS), st.just(-2))
defects: st.SearchStrategy[Record] = st.sampled_from(
    (
        {"type": "delete"},
        {"userId": None, "anonymousId": ""},
        {"userId": "anonymous:1"},
        {"event": "", "type": "track"},
        {"properties": []},
        {"messageId": 7},
        {"timestamp": "yesterday"},
        {"timestamp": iso(ORIGIN_MS + 3_600_000)},
    )
)


@st.composite
def _contents(draw: st.DrawFn) -> Record:
    kind = draw(st.sampled_from(("track",) * 9 + ("identify",) * 3 + ("page", "screen", "group", "alias")))
    record: Record = {"type": kind, **draw(st.sampled_from(CONTACTS))}
    if kind == "track":
        record["event"] = draw(st.sampled_from(("A", "A", "A", "B", "B", "C", "page", "Z")))
    if kind in {"page", "screen"}:
        record |= draw(st.fixed_dictionaries({}, optional={"name": texts, "category": texts}))
    record["traits" if kind == "identify" else "properties"] = draw(
        traits if kind == "identify" else properties
    )
    if draw(st.booleans()):
        record["context"] = draw(contexts)
    return record


def _spellings(received_ms: int, time_ms: int) -> list[Record]:
    return [
        {"receivedAt": iso(received_ms), "timestamp": iso(time_ms)},
        {"receivedAt": iso(received_ms), "timestamp": iso(time_ms, 3)},
        {"receivedAt": received_ms, "timestamp": time_ms / 1000},
        {"receivedAt": iso(received_ms)},
        {"timestamp": iso(received_ms)},
    ]


@st.composite
def records(draw: st.DrawFn, max_size: int = 14) -> list[Record]:
    """A file of records, as objects."""
    found: list[Record] = []
    received_ms = ORIGIN_MS
    # Mostly long ones: short ones have little to go wrong in.
    for place in range(draw(st.one_of(st.integers(max_size // 2, max_size), st.integers(1, max_size)))):
        received_ms += draw(received_steps)
        record = draw(_contents())
        record |= draw(st.sampled_from(_spellings(received_ms, received_ms - draw(lags))))
        earlier = [{"messageId": other["messageId"]} for other in found if other.get("messageId")]
        fresh = {"messageId": f"m{place}"}
        ids: list[Record] = [fresh, fresh, {}, *earlier[-3:]]
        record |= draw(st.sampled_from(ids))
        if draw(st.integers(0, 19)) == 19:
            record |= draw(defects)
        found.append(record)
    return found


untils_ms = st.one_of(
    st.none(),
    st.sampled_from((SPAN_MS, 100, 200, 1_200)).map(lambda offset: ORIGIN_MS + offset),
    st.integers(0, SPAN_MS + 20).map(lambda offset: ORIGIN_MS + offset),
)
