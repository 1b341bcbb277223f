"""One record to one event, or to the first reason why it cannot be taken."""

from typing import Any

import msgspec
import orjson

from rules.durations import FIRST_MS, LAST_MS, moment_of_number, parse_moment
from rules.event import Event
from streams.wire.reasons import Reason, Rejected

MAX_RECORD_BYTES = 256 * 1024
MAX_ID_CHARACTERS = 256
MAX_FUTURE_SKEW_MS = 300_000
ANONYMOUS = "anonymous:"

_NAMES = {"track": "", "identify": "", "page": "page", "screen": "screen", "group": "", "alias": ""}
"""The types that are taken, with what ``did`` calls their events; a track says it itself."""
_NAMED_BY_TYPE = frozenset({"page", "screen"})
_MOMENT = (
    "must be ISO 8601, such as 2026-01-05T10:00:00.000Z, or a number of seconds or milliseconds since 1970"
)
_NO_TIME = f"a line needs receivedAt or timestamp: it {_MOMENT}"
_NO_UTF8 = "str is not valid UTF-8"
_HEADER = "header received_at must be milliseconds since 1970 as decimal text"


class _NumbersAsWritten(msgspec.Struct, gc=False):
    """The two fields of which digits count that a double does not keep."""

    timestamp: msgspec.Raw = msgspec.Raw()
    received_at: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="receivedAt")


_numbers_as_written = msgspec.json.Decoder(_NumbersAsWritten).decode


def decode(
    value: bytes | None,
    received_ms: int | None,
    *,
    max_future_skew_ms: int = MAX_FUTURE_SKEW_MS,
    now_ms: int | None = None,
) -> Event | Rejected:
    """The event in a Kafka record's value (contract, section 2). Never raises, whatever the bytes.

    ``received_ms`` is what ``received_time`` says. ``now_ms`` is the wall clock in live processing, and None where the
    past is read again. All times are milliseconds UTC since 1970.
    """
    record = _load(value)
    if isinstance(record, Rejected):
        return record
    return _event(record, value or b"", received_ms, _HEADER, max_future_skew_ms, now_ms)


def decode_line(line: bytes, *, max_future_skew_ms: int = MAX_FUTURE_SKEW_MS) -> Event | Rejected:
    """The event in a line of a file, which says itself when it was received: ``receivedAt``, else ``timestamp``."""
    line = line.rstrip(b"\r\n")
    record = _load(line)
    if isinstance(record, Rejected):
        return record
    field = "timestamp" if record.get("receivedAt") is None else "receivedAt"
    written = record.get(field)
    received_ms = moment_in(written, field, line)
    no_time = _NO_TIME if written is None else f"{field} {_MOMENT}"
    return _event(record, line, received_ms, no_time, max_future_skew_ms, None)


def _load(value: bytes | None) -> dict[str, Any] | Rejected:
    """The JSON object. orjson reads JSON as the contract does: strictly, and integers over 64 bits as doubles."""
    if value is None:
        return Rejected(Reason.NOT_JSON, "the record has no value")
    if len(value) > MAX_RECORD_BYTES:
        return Rejected(Reason.TOO_LARGE, f"{len(value)} bytes: at most {MAX_RECORD_BYTES} are taken")
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        # orjson says of all such bytes what is true of half surrogates alone.
        what = "the bytes are no UTF-8" if error.msg.startswith(_NO_UTF8) else error.msg
        return Rejected(Reason.NOT_JSON, f"{what} (character {error.pos})")
    if not isinstance(record, dict):
        return Rejected(Reason.NOT_AN_OBJECT, "the value must be one JSON object")
    return record


def _event(
    record: dict[str, Any],
    value: bytes,
    received_ms: int | None,
    no_received_time: str,
    max_future_skew_ms: int,
    now_ms: int | None,
) -> Event | Rejected:
    """The checks in the contract's order, then the event. ``no_received_time`` says what to fix if it is None."""
    get = record.get
    kind = get("type")
    if type(kind) is not str or kind not in _NAMES:
        return Rejected(Reason.UNKNOWN_TYPE, f"type must be one of {', '.join(_NAMES)}")
    contact_id = contact_id_of(get("userId"), get("anonymousId"))
    if isinstance(contact_id, Rejected):
        return contact_id
    message_id = get("messageId")
    if type(message_id) is str and len(message_id) > MAX_ID_CHARACTERS:
        return Rejected(Reason.BAD_ID, f"messageId may have at most {MAX_ID_CHARACTERS} characters")
    name = get("event") if kind == "track" else _NAMES[kind]
    if type(name) is not str or (kind == "track" and not name):
        return Rejected(Reason.MISSING_EVENT, "a track needs its event: a text that is not empty")
    properties, traits, context = get("properties"), get("traits"), get("context")
    if (
        (type(message_id) is not str and message_id is not None)
        or (type(properties) is not dict and properties is not None)
        or (type(traits) is not dict and traits is not None)
        or (type(context) is not dict and context is not None)
    ):
        return _bad_field(message_id, properties, traits)
    if received_ms is None or received_ms < FIRST_MS or (received_ms > LAST_MS and now_ms is None):
        return Rejected(Reason.BAD_TIMESTAMP, no_received_time)
    time_ms = _event_time(get("timestamp"), value, received_ms, max_future_skew_ms, now_ms)
    if isinstance(time_ms, Rejected):
        return time_ms
    if kind in _NAMED_BY_TYPE:
        properties = _with_name_and_category(record, properties or {})
    if kind != "identify":
        traits = None
    # By position: by name it takes as long again.
    return Event(
        contact_id,
        kind,
        name,
        time_ms,
        received_ms,
        message_id or None,
        properties or {},
        context or {},
        traits or {},
    )


def contact_id_of(user_id: Any, anonymous_id: Any) -> str | Rejected:
    """``userId`` goes first; what is neither a text with something in it nor an integer counts as absent."""
    known = user_id if type(user_id) is str else _id_text(user_id)
    if known:
        if len(known) > MAX_ID_CHARACTERS:
            return Rejected(Reason.BAD_ID, f"userId may have at most {MAX_ID_CHARACTERS} characters")
        if known.startswith(ANONYMOUS):
            return Rejected(Reason.BAD_ID, f"userId may not begin with {ANONYMOUS} (send it as anonymousId)")
        return known
    anonymous = _id_text(anonymous_id)
    if not anonymous:
        return Rejected(
            Reason.MISSING_CONTACT,
            "userId or anonymousId must be a text that is not empty, or a 64-bit integer",
        )
    if len(anonymous) > MAX_ID_CHARACTERS:
        return Rejected(Reason.BAD_ID, f"anonymousId may have at most {MAX_ID_CHARACTERS} characters")
    return ANONYMOUS + anonymous


def _id_text(written: Any) -> str:
    if type(written) is str:
        return written
    return str(written) if type(written) is int else ""


def _bad_field(message_id: Any, properties: Any, traits: Any) -> Rejected:
    if message_id is not None and type(message_id) is not str:
        return Rejected(Reason.BAD_FIELD, "messageId must be a text")
    field = (
        "properties"
        if properties is not None and type(properties) is not dict
        else "traits"
        if traits is not None and type(traits) is not dict
        else "context"
    )
    return Rejected(Reason.BAD_FIELD, f"{field} must be an object")


def _event_time(
    written: Any, value: bytes, received_ms: int, max_future_skew_ms: int, now_ms: int | None
) -> int | Rejected:
    """The event time in milliseconds, never later than the received time."""
    if type(written) is str:
        # As moment_in does; the usual case without one more call.
        try:
            time_ms: int | None = parse_moment(written)
        except ValueError:
            time_ms = None
    else:
        time_ms = moment_in(written, "timestamp", value, received_ms)
    if time_ms is None:
        return Rejected(Reason.BAD_TIMESTAMP, f"timestamp {_MOMENT}")
    if time_ms > received_ms + max_future_skew_ms:
        return _too_far_ahead(Reason.FUTURE_TIMESTAMP, time_ms - received_ms, max_future_skew_ms)
    if now_ms is not None and received_ms > now_ms + max_future_skew_ms:
        return _too_far_ahead(Reason.FUTURE_RECEIVED, received_ms - now_ms, max_future_skew_ms)
    return time_ms if time_ms < received_ms else received_ms  # noqa: FURB136 - min() takes three times as long


def _too_far_ahead(reason: Reason, ahead_ms: int, allowed_ms: int) -> Rejected:
    what = "timestamp" if reason is Reason.FUTURE_TIMESTAMP else "the received time"
    of_what = "the received time" if reason is Reason.FUTURE_TIMESTAMP else "this machine's clock"
    return Rejected(reason, f"{what} is {ahead_ms} ms ahead of {of_what}: at most {allowed_ms} ms are taken")


def moment_in(written: Any, field: str, value: bytes, absent: int | None = None) -> int | None:
    """The moment that a field names, in milliseconds; None if it names none, and ``absent`` if there is no field."""
    try:
        if type(written) is str:
            return parse_moment(written)
        if written is None:
            return absent
        if type(written) is int:
            return moment_of_number(written)
        if type(written) is float:
            return moment_of_number(_digits(field, value) or written)
    except ValueError:
        return None
    return None


def _digits(field: str, value: bytes) -> str:
    """A number as the record has it: a double may lack its last digits. Empty if nesting is too deep to look."""
    try:
        numbers = _numbers_as_written(value)
    except RecursionError:
        return ""
    return bytes(numbers.timestamp if field == "timestamp" else numbers.received_at).decode()


def _with_name_and_category(record: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """``name`` and ``category`` of a page or screen as properties, where it lacks them."""
    for field in ("name", "category"):
        given = record.get(field)
        if given is not None and properties.get(field) is None:
            properties[field] = given
    return properties
