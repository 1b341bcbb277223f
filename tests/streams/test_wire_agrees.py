"""``decode`` says the same as the plain second reading of the contract, whatever it is given."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.durations import format_moment
from rules.event import Event
from streams.wire import decode
from tests.streams.wire_reference import reason_of

RECEIVED_MS = 1_767_607_200_000

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.sampled_from(["", "\ud800", "anonymous:x", "x" * 256, "x" * 257, "é" * 257]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
objects = st.dictionaries(st.sampled_from(["name", "category", "a", ""]), anything, max_size=3)
timestamps = st.one_of(
    st.sampled_from(["2026-01-05", "2026-01-05T09:00:00.5Z", "2026-01-05T12:00:00+02:00", "x", "2026-02-30"]),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.integers(RECEIVED_MS - 400_000, RECEIVED_MS + 400_000),
    st.decimals(0, 10**13, allow_nan=False, places=8).map(float),
    scalars,
)


def mostly(likely: st.SearchStrategy[Any], unlikely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda pick: unlikely if pick == 0 else likely)


FIELDS = {
    "type": mostly(st.sampled_from(["track", "identify", "page", "screen", "group", "alias"]), anything),
    "userId": mostly(st.sampled_from(["u1", 5]), anything),
    "anonymousId": mostly(st.sampled_from(["a1", None]), anything),
    "event": mostly(st.sampled_from(["E", "page", "identify"]), anything),
    "messageId": mostly(st.sampled_from(["m1", "", None]), anything),
    "timestamp": timestamps,
    "properties": mostly(objects, anything),
    "traits": mostly(objects, anything),
    "context": mostly(objects, anything),
    "name": anything,
    "category": anything,
    "other": anything,
}
records = st.fixed_dictionaries({}, optional=FIELDS) | st.fixed_dictionaries(
    {"type": FIELDS["type"], "userId": FIELDS["userId"], "event": FIELDS["event"]},
    optional={
        name: FIELDS[name] for name in ("messageId", "timestamp", "properties", "traits", "context", "name")
    },
)


def same(value: bytes, now_ms: int | None, skew_ms: int = 300_000) -> None:
    found = decode(value, RECEIVED_MS, now_ms=now_ms, max_future_skew_ms=skew_ms)
    expected = reason_of(value, RECEIVED_MS, now_ms, skew_ms)
    if isinstance(found, Event):
        assert repr(msgspec.structs.asdict(found)) == repr(expected)
    else:
        assert found.reason == expected


@settings(max_examples=400, deadline=None)
@given(records, st.booleans(), st.sampled_from([None, RECEIVED_MS, 0]))
def test_random_records(record: dict[str, Any], ascii_only: bool, now_ms: int | None) -> None:
    same(json.dumps(record, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"), now_ms)


@settings(max_examples=200, deadline=None)
@given(records, st.data())
def test_random_records_with_damaged_bytes(record: dict[str, Any], data: st.DataObject) -> None:
    value = bytearray(json.dumps(record).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    same(bytes(value), None)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(FIELDS)),
    anything,
    st.sampled_from(["u1", "anonymous:a", "u anonymous:a", "", "é" * 256, "é" * 257]),
    st.integers(-12, 12),
    st.none() | st.integers(-12, 12),
    st.sampled_from([0, 10]),
)
def test_the_usual_record_with_one_field_of_another_kind_and_times_about_its_received_time(
    field: str, written: Any, user_id: str, ahead_ms: int, now_ahead_ms: int | None, skew_ms: int
) -> None:
    usual = {
        "messageId": "m1",
        "type": "track",
        "userId": user_id,
        "event": "E",
        "properties": {"a": 1},
        "context": {"b": {}},
        "timestamp": format_moment(RECEIVED_MS + ahead_ms),
    }
    now_ms = None if now_ahead_ms is None else RECEIVED_MS + now_ahead_ms
    for record in (usual, usual | {field: written}):
        same(json.dumps(record).encode("utf-8", "surrogatepass"), now_ms, skew_ms)


digits = st.text("0123456789", min_size=1, max_size=25)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["", "-"]),
    st.integers(0, 10**14).map(str),
    st.none() | digits,
    st.none() | st.tuples(st.sampled_from(["e", "E", "e+", "e-"]), st.integers(0, 30).map(str)),
)
def test_numbers_as_timestamps_of_any_spelling(
    sign: str, whole: str, fraction: str | None, exponent: tuple[str, str] | None
) -> None:
    number = sign + whole + ("" if fraction is None else f".{fraction}") + "".join(exponent or ())
    same(b'{"type":"page","userId":"u","timestamp":%b}' % number.encode(), None)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_at_all(value: bytes) -> None:
    same(value, None)
