"""Every row and every edge of section 2 of the contract, as data."""

import json
from typing import Any

import msgspec
import pytest

from rules.event import Event
from streams.wire import Rejected, decode, decode_line, received_time

RECEIVED_MS = 1_767_607_200_000  # 2026-01-05T10:00:00Z
SKEW_MS = 300_000


def record(**fields: Any) -> bytes:
    return json.dumps({"type": "track", "userId": "u1", "event": "E"} | fields).encode()


def raw(fields: str) -> bytes:
    """A track with fields given as text, for what Python's own JSON would not write."""
    return b'{"type":"track","userId":"u1","event":"E",%b}' % fields.encode()


def without(*names: str, **fields: Any) -> bytes:
    whole = {"type": "track", "userId": "u1", "event": "E"} | fields
    return json.dumps({name: field for name, field in whole.items() if name not in names}).encode()


def taken(value: bytes | None, received_ms: int = RECEIVED_MS, now_ms: int | None = None) -> Event:
    event = decode(value, received_ms, now_ms=now_ms)
    assert isinstance(event, Event), event
    return event


def refused(
    value: bytes | None, received_ms: int | None = RECEIVED_MS, now_ms: int | None = None
) -> Rejected:
    rejected = decode(value, received_ms, now_ms=now_ms)
    assert isinstance(rejected, Rejected), rejected
    assert rejected.detail
    return rejected


def nested(depth: int) -> bytes:
    return raw('"properties":{"deep":' + "[" * depth + "]" * depth + "}")


NOT_JSON = {
    "no value": None,
    "nothing": b"",
    "white space": b" \n",
    "a word": b"track",
    "a Python literal": b"{'type':'track'}",
    "something after the object": record() + b" x",
    "a second object": record() + record(),
    "a zero byte after the object": record() + b"\x00",
    "a byte order mark": b"\xef\xbb\xbf" + record(),
    "UTF-16": record().decode().encode("utf-16"),
    "UTF-16 without a mark": record().decode().encode("utf-16-le"),
    "a comment": raw('"a":/* */1'),
    "a trailing comma": raw('"a":1,'),
    "NaN": raw('"properties":{"a":NaN}'),
    "NaN in an unknown field": raw('"a":NaN'),
    "Infinity": raw('"properties":{"a":Infinity}'),
    "minus Infinity": raw('"a":-Infinity'),
    "1e400": raw('"properties":{"a":1e400}'),
    "1e400 in an unknown field": raw('"a":[1e400]'),
    "1e400 as the timestamp": raw('"timestamp":1e400'),
    "-1e400": raw('"a":-1e400'),
    "an integer of 310 digits": raw('"a":' + "1" * 310),
    "a number that begins with 0": raw('"a":01'),
    "a number that ends with a point": raw('"a":1.'),
    "a number with a plus sign": raw('"a":+1'),
    "a hexadecimal number": raw('"a":0x10'),
    "half a surrogate": raw(r'"properties":{"a":"\ud800"}'),
    "half a surrogate in an unknown field": raw(r'"a":"\ud800"'),
    "half a surrogate in a key": raw(r'"properties":{"\udc00":1}'),
    "half a surrogate in the id": raw(r'"userId":"\ud83d"'),
    "surrogates in the wrong order": raw(r'"a":"\ude00\ud83d"'),
    "a surrogate in UTF-8": record()[:-1] + b',"a":"\xed\xa0\x80"}',
    "a byte that is no UTF-8": record()[:-1] + b',"a":"\xff"}',
    "such a byte in a key": record()[:-1] + b',"\xff":1}',
    "overlong UTF-8": record()[:-1] + b',"a":"\xc0\x80"}',
    "a character beyond Unicode": record()[:-1] + b',"a":"\xf4\x90\x80\x80"}',
    "a line break in a text": raw('"a":"x\ny"'),
    "an unknown escape": raw(r'"a":"\x41"'),
    "nesting without end": nested(100_000),
    "objects without end": b'{"a":' * 40_000,
    "only brackets": b"[" * 200_000,
}


@pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_refuses_what_is_not_json(value: bytes | None) -> None:
    assert refused(value).reason == "not_json"


@pytest.mark.parametrize("value", [b"[]", b"1", b'"track"', b"null", b"true", b'[{"type":"track"}]'])
def test_refuses_json_that_is_no_object(value: bytes) -> None:
    assert refused(value).reason == "not_an_object"


def test_takes_256_kib_and_not_a_byte_more() -> None:
    room = 256 * 1024 - len(raw('"a":""'))
    taken(raw('"a":"' + "x" * room + '"'))
    assert refused(raw('"a":"' + "x" * (room + 1) + '"')).reason == "too_large"
    assert refused(b"\xff" * 300_000).reason == "too_large"


@pytest.mark.parametrize(
    "kind", [None, "", "Track", "alia", "delete", 1, True, ["track"], {"track": 1}, "track "]
)
def test_refuses_types_that_it_does_not_know(kind: Any) -> None:
    assert refused(record(type=kind)).reason == "unknown_type"
    assert refused(without("type")).reason == "unknown_type"


KINDS = [
    ("track", "E"),
    ("identify", ""),
    ("page", "page"),
    ("screen", "screen"),
    ("group", ""),
    ("alias", ""),
]


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_knows_six_types_and_how_did_calls_them(kind: str, name: str) -> None:
    event = taken(record(type=kind))
    assert (event.kind, event.name) == (kind, name)


A256, A257 = "é" * 256, "é" * 257
CONTACTS: list[tuple[dict[str, Any], str]] = [
    ({"userId": "u1"}, "u1"),
    ({"userId": " "}, " "),
    ({"userId": "u1", "anonymousId": "a1"}, "u1"),
    ({"userId": "u1", "anonymousId": A257}, "u1"),
    ({"userId": "u1", "anonymousId": {}}, "u1"),
    ({"userId": 42}, "42"),
    ({"userId": 0}, "0"),
    ({"userId": -7}, "-7"),
    ({"userId": 2**64 - 1}, "18446744073709551615"),
    ({"userId": -(2**63)}, "-9223372036854775808"),
    ({"userId": 2**64, "anonymousId": "a1"}, "anonymous:a1"),
    ({"userId": -(2**63) - 1, "anonymousId": "a1"}, "anonymous:a1"),
    ({"userId": 1.0, "anonymousId": "a1"}, "anonymous:a1"),
    ({"userId": True, "anonymousId": "a1"}, "anonymous:a1"),
    ({"userId": "", "anonymousId": "a1"}, "anonymous:a1"),
    ({"userId": None, "anonymousId": "a1"}, "anonymous:a1"),
    ({"userId": ["u1"], "anonymousId": "a1"}, "anonymous:a1"),
    ({"userId": {}, "anonymousId": 5}, "anonymous:5"),
    ({"anonymousId": "anonymous:a1"}, "anonymous:anonymous:a1"),
    ({"userId": "u-anonymous:", "anonymousId": "a1"}, "u-anonymous:"),
    ({"userId": " anonymous:a1"}, " anonymous:a1"),
    ({"userId": "anonymous"}, "anonymous"),
    ({"userId": A256}, A256),
    ({"userId": "😀" * 256}, "😀" * 256),
    ({"anonymousId": A256}, "anonymous:" + A256),
    ({"userId": "anonymous"}, "anonymous"),
    ({"userId": "Anonymous:a"}, "Anonymous:a"),
    ({"userId": "a\x00b\n"}, "a\x00b\n"),
    ({"userId": A257}, "bad_id"),
    ({"userId": "😀" * 257}, "bad_id"),
    ({"userId": A257, "anonymousId": "a1"}, "bad_id"),
    ({"userId": "anonymous:a1"}, "bad_id"),
    ({"userId": "anonymous:", "anonymousId": "a1"}, "bad_id"),
    ({"anonymousId": A257}, "bad_id"),
    ({}, "missing_contact"),
    ({"userId": None, "anonymousId": None}, "missing_contact"),
    ({"userId": "", "anonymousId": ""}, "missing_contact"),
    ({"userId": 2**64}, "missing_contact"),
    ({"userId": 1e0}, "missing_contact"),
    ({"userId": False, "anonymousId": True}, "missing_contact"),
]


@pytest.mark.parametrize(("ids", "expected"), CONTACTS)
def test_finds_the_contact(ids: dict[str, Any], expected: str) -> None:
    found = decode(
        without("userId")
        if not ids
        else without("userId", type="page")[:-1] + b"," + json.dumps(ids).encode()[1:],
        RECEIVED_MS,
    )
    assert (found.contact_id if isinstance(found, Event) else found.reason) == expected


@pytest.mark.parametrize(
    ("written", "expected"), [("-0", "0"), ("1e2", None), ("1.0", None), ("9" * 30, None)]
)
def test_an_integer_id_is_its_decimal_text_and_a_double_is_none(written: str, expected: str | None) -> None:
    found = decode(b'{"type":"page","userId":%b}' % written.encode(), RECEIVED_MS)
    assert (found.contact_id if isinstance(found, Event) else None) == expected


@pytest.mark.parametrize("event", [None, "", 5, True, [], {}, 1.5])
def test_a_track_needs_its_event(event: Any) -> None:
    assert refused(record(event=event)).reason == "missing_event"
    assert refused(without("event")).reason == "missing_event"
    assert taken(record(type="identify", event=event)).name == ""


def test_a_track_may_be_named_page() -> None:
    event = taken(record(event="page", name="Home"))
    assert (event.kind, event.name, event.properties) == ("track", "page", {})


MESSAGE_IDS: list[tuple[Any, str | None]] = [
    ("m1", "m1"),
    ("", None),
    (None, None),
    ("m" * 256, "m" * 256),
    ("m" * 257, "bad_id"),
    (5, "bad_field"),
    (1.5, "bad_field"),
    (False, "bad_field"),
    ([], "bad_field"),
    ({}, "bad_field"),
]


@pytest.mark.parametrize(("message", "expected"), MESSAGE_IDS)
def test_reads_the_message_id(message: Any, expected: str | None) -> None:
    found = decode(record(messageId=message), RECEIVED_MS)
    assert (found.message_id if isinstance(found, Event) else found.reason) == expected
    assert taken(record()).message_id is None


@pytest.mark.parametrize("field", ["properties", "traits", "context"])
@pytest.mark.parametrize("wrong", [[], "", "{}", 0, 1.5, True, [{}]])
@pytest.mark.parametrize("kind", ["track", "identify", "page", "group"])
def test_properties_traits_and_context_are_objects(field: str, wrong: Any, kind: str) -> None:
    assert refused(record(type=kind, **{field: wrong})).reason == "bad_field"
    assert getattr(taken(record(type=kind, **{field: None})), field) == {}
    assert getattr(taken(record(type=kind, **{field: {}})), field) == {}


def test_keeps_properties_context_and_traits_as_they_are() -> None:
    fields: dict[str, Any] = {"a": None, "b": [1, 1.5, "x", True, None, {"c": {}}], "": 0}
    event = taken(record(type="identify", properties=fields, traits=fields, context=fields, unknown=fields))
    assert (event.properties, event.context, event.traits) == (fields, fields, fields)


def test_traits_count_in_identify_alone() -> None:
    for kind in ("track", "page", "group", "alias"):
        assert taken(record(type=kind, traits={"a": 1})).traits == {}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775808", -9223372036854775808),
        ("-9223372036854775809", -9223372036854775809.0),
        ("123456789012345678901234567890", 123456789012345678901234567890.0),
        ("1.0", 1.0),
        ("1e5", 100000.0),
        ("1e-400", 0.0),
        ("1.7976931348623157e308", 1.7976931348623157e308),
    ],
)
def test_integers_over_64_bits_are_doubles(written: str, expected: float) -> None:
    found = taken(raw(f'"properties":{{"a":[{written}]}}')).properties["a"][0]
    assert (type(found), found) == (type(expected), expected)


def test_of_equal_keys_the_last_counts() -> None:
    event = taken(
        raw(
            '"timestamp":"bad","properties":{"a":1,"a":2},"timestamp":1767225600,"messageId":1,"messageId":"m"'
        )
    )
    assert (event.properties, event.time_ms, event.message_id) == ({"a": 2}, 1_767_225_600_000, "m")
    assert taken(raw('"timestamp":1767225600.5,"timestamp":1767225600.75')).time_ms == 1_767_225_600_750


def test_a_key_may_be_written_with_escapes() -> None:
    assert taken(raw(r'"\u0074imestamp":1767225600.25')).time_ms == 1_767_225_600_250


def test_takes_any_nesting_that_people_write() -> None:
    taken(nested(500))


PAGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "Home", "category": "Docs"}, {"name": "Home", "category": "Docs"}),
    ({"name": "Home", "properties": None}, {"name": "Home"}),
    ({"name": "Home", "properties": {"name": "Own", "a": 1}}, {"name": "Own", "a": 1}),
    ({"name": "Home", "properties": {"name": None}}, {"name": "Home"}),
    ({"name": "Home", "properties": {"name": ""}}, {"name": ""}),
    ({"name": "Home", "properties": {"name": False}}, {"name": False}),
    ({"name": None, "properties": {"a": 1}}, {"a": 1}),
    ({"name": None, "properties": {"name": None}}, {"name": None}),
    ({"name": 5, "category": ["x"]}, {"name": 5, "category": ["x"]}),
    ({}, {}),
]


@pytest.mark.parametrize("kind", ["page", "screen"])
@pytest.mark.parametrize(("fields", "properties"), PAGES)
def test_name_and_category_of_a_page_are_readable_as_properties(
    kind: str, fields: dict[str, Any], properties: dict[str, Any]
) -> None:
    assert taken(record(type=kind, **fields)).properties == properties
    assert taken(record(type="track", **fields)).properties == (fields.get("properties") or {})


TIMESTAMPS: list[tuple[str, int | None]] = [
    ('"2026-01-05"', 1_767_571_200_000),
    ('"2026-01-05T10:00"', 1_767_607_200_000),
    ('"2026-01-05 10:00"', 1_767_607_200_000),
    ('"2026-01-05T09:59:59"', 1_767_607_199_000),
    ('"2026-01-05T09:59:59Z"', 1_767_607_199_000),
    ('"2026-01-05T09:59:59.1Z"', 1_767_607_199_100),
    ('"2026-01-05T09:59:59.123Z"', 1_767_607_199_123),
    ('"2026-01-05T09:59:59.123999999999Z"', 1_767_607_199_123),
    ('"2026-01-05T11:59:59.123+02:00"', 1_767_607_199_123),
    ('"2026-01-05T11:59:59+0200"', 1_767_607_199_000),
    ('"2026-01-05T11:59:59+02"', 1_767_607_199_000),
    ('"2026-01-05T04:29:59-05:30"', 1_767_607_199_000),
    ('"1969-12-31T23:59:59.999Z"', -1),
    ('"0001-01-01"', -62_135_596_800_000),
    ("1767225600", 1_767_225_600_000),
    ("1767225600000", 1_767_225_600_000),
    ("1767225600.1239", 1_767_225_600_123),
    ("1767225600.12999999999999999999999999999999999999", 1_767_225_600_129),
    ("1767225600000.99999999999999999999", 1_767_225_600_000),
    ("1767225600.000000000000000000000000", 1_767_225_600_000),
    ("1.7672256e9", 1_767_225_600_000),
    ("1.7672256E+09", 1_767_225_600_000),
    ("17672256000e-1", 1_767_225_600_000),
    ("100000000000", 100_000_000_000),
    ("99999999.9999", 99_999_999_999),
    ("0", 0),
    ("-0", 0),
    ("-0.0", 0),
    ("1e-300", 0),
    ("1e-99999999999", 0),
    ("-1", -1000),
    ("-1.5", -1500),
    ("null", RECEIVED_MS),
    ('""', None),
    ('" 2026-01-05"', None),
    ('"2026-01-05\\n"', None),
    ('"1767225600"', None),
    ('"20260105"', None),
    ('"2026-1-5"', None),
    ('"2026-02-29"', None),
    ('"2026-01-05Z"', None),
    ('"2026-01-05T10"', None),
    ('"2026-01-05t10:00"', None),
    ('"2026-01-05T10:00z"', None),
    ('"2026-01-05T10:00:00,5Z"', None),
    ('"2026-01-05T10:00:00.Z"', None),
    ('"2026-W01-1"', None),
    ('"0000-01-01"', None),
    ('"0001-01-01T00:00+01:00"', None),
    ('"٢٠٢٦-01-05"', None),
    ("true", None),
    ("false", None),
    ("[]", None),
    ("{}", None),
    ("1e300", None),
    ("253402300800000", None),
    ("-62135596800001", None),
    ("123456789012345678901234567890", None),
]


@pytest.mark.parametrize(("written", "expected"), TIMESTAMPS)
def test_reads_the_timestamp(written: str, expected: int | None) -> None:
    found = decode(raw(f'"timestamp":{written}'), RECEIVED_MS)
    if expected is None:
        assert isinstance(found, Rejected)
        assert found.reason == "bad_timestamp"
    else:
        assert isinstance(found, Event)
        assert (found.time_ms, found.received_ms) == (expected, RECEIVED_MS)


def test_without_a_timestamp_the_received_time_is_the_event_time() -> None:
    event = taken(record())
    assert (event.time_ms, event.received_ms) == (RECEIVED_MS, RECEIVED_MS)


def test_a_little_ahead_of_the_received_time_counts_as_it_and_more_is_refused() -> None:
    assert taken(record(timestamp=RECEIVED_MS + 1)).time_ms == RECEIVED_MS
    assert taken(record(timestamp=RECEIVED_MS + SKEW_MS)).time_ms == RECEIVED_MS
    assert refused(record(timestamp=RECEIVED_MS + SKEW_MS + 1)).reason == "future_timestamp"
    assert taken(record(timestamp="2026-01-05T10:05:00.000999Z")).time_ms == RECEIVED_MS


def test_the_allowance_is_a_setting() -> None:
    ahead = record(timestamp=RECEIVED_MS + 10)
    assert isinstance(decode(ahead, RECEIVED_MS, max_future_skew_ms=10), Event)
    assert isinstance(decode(ahead, RECEIVED_MS, max_future_skew_ms=9), Rejected)


def test_a_received_time_ahead_of_the_wall_clock_is_refused_in_live_processing_alone() -> None:
    taken(record(), now_ms=RECEIVED_MS - SKEW_MS)
    assert refused(record(), now_ms=RECEIVED_MS - SKEW_MS - 1).reason == "future_received"
    taken(record(), now_ms=None)
    assert refused(record(), received_ms=10**15, now_ms=RECEIVED_MS).reason == "future_received"


def test_a_received_time_that_cannot_be_written_or_read_is_a_bad_timestamp() -> None:
    assert refused(record(), received_ms=None).reason == "bad_timestamp"
    assert refused(record(), received_ms=10**15).reason == "bad_timestamp"
    assert refused(record(), received_ms=-(10**15), now_ms=RECEIVED_MS).reason == "bad_timestamp"


IN_ORDER: list[tuple[str, bytes, dict[str, Any]]] = [
    ("too_large", b"{" * 300_000, {}),
    ("not_json", b"[1e400]", {}),
    ("not_an_object", b"[]", {}),
    ("unknown_type", b'{"messageId":5}', {"received_ms": None}),
    ("missing_contact", b'{"type":"track","messageId":5}', {"received_ms": None}),
    ("bad_id", without("event", messageId="m" * 257, properties=5), {"received_ms": None}),
    ("missing_event", without("event", messageId=5, timestamp="x"), {"received_ms": None}),
    ("bad_field", record(messageId=5, timestamp="x"), {"received_ms": None}),
    ("bad_field", record(context=5, timestamp="x"), {"received_ms": None}),
    ("bad_timestamp", record(timestamp=RECEIVED_MS * 2), {"received_ms": None}),
    ("bad_timestamp", record(timestamp="x"), {"now_ms": 0}),
    ("future_timestamp", record(timestamp=RECEIVED_MS * 2), {"now_ms": 0}),
    ("future_received", record(), {"now_ms": 0}),
]


@pytest.mark.parametrize(("reason", "value", "times"), IN_ORDER)
def test_the_first_reason_that_applies_is_the_one(reason: str, value: bytes, times: dict[str, Any]) -> None:
    assert refused(value, **times).reason == reason


def test_details_quote_nothing_of_the_record() -> None:
    secret = "jane@example.com"
    values = [
        record(type=secret),
        record(userId="anonymous:" + secret),
        record(messageId=secret * 20),
        record(properties=secret),
        record(timestamp=secret),
        record(type="page", event=secret, context=[secret]),
        record() + secret.encode(),
        b'{"' + secret.encode() + b'":}',
        b'"' + secret.encode() + b'"',
    ]
    for value in values:
        assert secret not in refused(value).detail
        assert len(refused(value).detail) < 200


HEADERS: list[tuple[list[tuple[str, bytes | None]], int | None, int | None]] = [
    ([], 5, 5),
    ([], 0, 0),
    ([], -1, None),
    ([], None, None),
    ([("other", b"7")], 5, 5),
    ([("received_at", b"1767607200000")], 5, 1_767_607_200_000),
    ([("received_at", b"1767607200000.9")], 5, 1_767_607_200_000),
    ([("received_at", b"0")], 5, 0),
    ([("received_at", b"-1")], 5, -1),
    ([("received_at", b"1"), ("received_at", b"2")], 5, 2),
    ([("received_at", None)], 5, 5),
    ([("received_at", b"")], 5, None),
    ([("received_at", b" 1")], 5, None),
    ([("received_at", b"1\n")], 5, None),
    ([("received_at", b"+1")], 5, None),
    ([("received_at", b"1_0")], 5, None),
    ([("received_at", b"1e3")], 5, None),
    ([("received_at", b"2026-01-05")], 5, None),
    ([("received_at", b"9" * 5000)], 5, None),
    ([("received_at", "٣".encode())], 5, None),
    ([("received_at", b"\xff")], 5, None),
]


@pytest.mark.parametrize(("headers", "timestamp", "expected"), HEADERS)
def test_the_received_time_is_the_header_or_else_the_timestamp_of_the_record(
    headers: list[tuple[str, bytes | None]], timestamp: int | None, expected: int | None
) -> None:
    assert received_time(headers, timestamp) == expected


def test_a_received_at_in_the_value_counts_in_files_alone() -> None:
    assert taken(record(receivedAt="2020-01-01")).received_ms == RECEIVED_MS


LINES: list[tuple[str, tuple[int, int] | str]] = [
    ('"receivedAt":1767607200,"timestamp":1767607100', (1_767_607_100_000, 1_767_607_200_000)),
    ('"receivedAt":"2026-01-05T10:00Z"', (1_767_607_200_000, 1_767_607_200_000)),
    ('"receivedAt":1767607200.1239', (1_767_607_200_123, 1_767_607_200_123)),
    ('"receivedAt":1767607200.25,"timestamp":1767607200.1', (1_767_607_200_100, 1_767_607_200_250)),
    ('"timestamp":1767607200.1239', (1_767_607_200_123, 1_767_607_200_123)),
    ('"receivedAt":null,"timestamp":1767607200', (1_767_607_200_000, 1_767_607_200_000)),
    ('"receivedAt":1767607200,"timestamp":null', (1_767_607_200_000, 1_767_607_200_000)),
    ('"receivedAt":1767607200,"timestamp":1767607500', (1_767_607_200_000, 1_767_607_200_000)),
    ('"receivedAt":1767607200,"timestamp":1767607501', "future_timestamp"),
    ('"receivedAt":1767607200,"timestamp":"x"', "bad_timestamp"),
    ('"receivedAt":"x","timestamp":1767607200', "bad_timestamp"),
    ('"receivedAt":"","timestamp":1767607200', "bad_timestamp"),
    ('"receivedAt":true,"timestamp":1767607200', "bad_timestamp"),
    ('"receivedAt":"x","timestamp":4102444800', "bad_timestamp"),
    ('"timestamp":"x"', "bad_timestamp"),
    ('"receivedAt":null,"timestamp":null', "bad_timestamp"),
    ('"a":1', "bad_timestamp"),
    ('"receivedAt":"x","context":5', "bad_field"),
    ('"timestamp":"9999-12-31T23:59:59.999Z"', (253_402_300_799_999, 253_402_300_799_999)),
]


@pytest.mark.parametrize(("fields", "expected"), LINES)
@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_line_of_a_file_says_itself_when_it_was_received(
    fields: str, expected: tuple[int, int] | str, ending: bytes
) -> None:
    found = decode_line(raw(fields) + ending)
    assert ((found.time_ms, found.received_ms) if isinstance(found, Event) else found.reason) == expected


def test_a_line_of_a_file_is_refused_for_the_same_reasons() -> None:
    for value in NOT_JSON.values():
        if value is not None:
            found = decode_line(value)
            assert isinstance(found, Rejected)
            assert found.reason == "not_json"
    assert decode_line(raw('"a":"' + "x" * 300_000 + '"') + b"\n") == decode(
        raw('"a":"' + "x" * 300_000 + '"'), RECEIVED_MS
    )


def test_details_say_what_is_wrong_and_not_something_like_it() -> None:
    for line, detail in [
        (raw('"name":"Müller"').decode().encode("latin-1"), "the bytes are no UTF-8"),
        (raw('"name":"x"'), "needs receivedAt or timestamp"),
        (raw('"receivedAt":null,"timestamp":""'), "timestamp must be ISO 8601"),
    ]:
        found = decode_line(line)
        assert isinstance(found, Rejected)
        assert detail in found.detail


def test_an_event_holds_nothing_of_the_record_but_what_the_contract_names() -> None:
    event = taken(record(sentAt="2026-01-05", integrations={"All": True}, writeKey="k", timestamp=1767607200))
    assert msgspec.structs.asdict(event) == {
        "contact_id": "u1",
        "kind": "track",
        "name": "E",
        "time_ms": RECEIVED_MS,
        "received_ms": RECEIVED_MS,
        "message_id": None,
        "properties": {},
        "context": {},
        "traits": {},
    }
