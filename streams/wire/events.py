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

_loads = orjson.loads
"""Reads JSON as the contract does: strictly, and integers over 64 bits as doubles."""


class _NumbersAsWritten(msgspec.Struct, gc=False):
    """The two fields of which digits count that a double does not keep."""

    timestamp: msgspec.Raw = msgspec.Raw()
    received_at: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="receivedAt")


_numbers_as_written = msgspec.json.Decoder(_NumbersAsWritten).decode


def decode(
    value: bytes | None,
    received_ms: int | None,
    max_future_skew_ms: int = MAX_FUTURE_SKEW_MS,
    now_ms: int | None = None,
) -> Event | Rejected:
    """The event in a Kafka record's value (contract, section 2). Never raises, whatever the bytes.

    ``received_ms`` is what ``received_time`` says. ``now_ms`` is the wall clock in live processing, and None where the
    past is read again. All times are milliseconds UTC since 1970; ``max_future_skew_ms`` is not negative.
    """
    if value is None or len(value) > MAX_RECORD_BYTES:
        return _unread(value)
    try:
        record = _loads(value)
    except orjson.JSONDecodeError as error:
        return _unread(value, error)
    if type(record) is not dict:
        return _unread(value)
    return _event(record, value, received_ms, _HEADER, max_future_skew_ms, now_ms)


def decode_line(line: bytes, *, max_future_skew_ms: int = MAX_FUTURE_SKEW_MS) -> Event | Rejected:
    """The event in a line of a file, which says itself when it was received: ``receivedAt``, else ``timestamp``."""
    line = line.rstrip(b"\r\n")
    if len(line) > MAX_RECORD_BYTES:
        return _unread(line)
    try:
        record = _loads(line)
    except orjson.JSONDecodeError as error:
        return _unread(line, error)
    if type(record) is not dict:
        return _unread(line)
    field = "timestamp" if record.get("receivedAt") is None else "receivedAt"
    written = record.get(field)
    received_ms = moment_in(written, field, line)
    no_time = _NO_TIME if written is None else f"{field} {_MOMENT}"
    return _event(record, line, received_ms, no_time, max_future_skew_ms, None)


def _unread(value: bytes | None, error: orjson.JSONDecodeError | None = None) -> Rejected:
    """Why there is no record in these bytes. ``error``: what kept them from being read, if they were of a size to be."""
    if value is None:
        return Rejected(Reason.NOT_JSON, "the record has no value")
    if len(value) > MAX_RECORD_BYTES:
        return Rejected(Reason.TOO_LARGE, f"{len(value)} bytes: at most {MAX_RECORD_BYTES} are taken")
    if error is None:
        return Rejected(Reason.NOT_AN_OBJECT, "the value must be one JSON object")
    # orjson says of all such bytes what is true of half surrogates alone.
    what = "the bytes are no UTF-8" if error.msg.startswith(_NO_UTF8) else error.msg
    return Rejected(Reason.NOT_JSON, f"{what} (character {error.pos})")


def _event(
    record: dict[str, Any],
    value: bytes,
    received_ms: int | None,
    no_received_time: str,
    max_future_skew_ms: int,
    now_ms: int | None,
) -> Event | Rejected:
    """The checks in the contract's order, then the event. ``no_received_time`` says what to fix if it is None.

    Every record comes by here, so the usual one takes no further call but for its moment.
    """
    get = record.get
    kind, name = get("type"), get("event")
    if kind != "track":
        if type(kind) is not str or kind not in _NAMES:
            return Rejected(Reason.UNKNOWN_TYPE, f"type must be one of {', '.join(_NAMES)}")
        name = _NAMES[kind]
    user_id = get("userId")
    contact_id = (
        user_id
        if type(user_id) is str and 0 < len(user_id) <= MAX_ID_CHARACTERS and ANONYMOUS not in user_id
        else contact_id_of(user_id, get("anonymousId"))
    )
    if not isinstance(contact_id, str):
        return contact_id
    message_id = get("messageId")
    if type(message_id) is str and len(message_id) > MAX_ID_CHARACTERS:
        return Rejected(Reason.BAD_ID, f"messageId may have at most {MAX_ID_CHARACTERS} characters")
    if type(name) is not str or (not name and kind == "track"):
        return Rejected(Reason.MISSING_EVENT, "a track needs its event: a text that is not empty")
    properties, traits, context = get("properties"), get("traits"), get("context")
    if (
        (message_id is not None and type(message_id) is not str)
        or (properties is not None and type(properties) is not dict)
        or (traits is not None and type(traits) is not dict)
        or (context is not None and type(context) is not dict)
    ):
        return _bad_field(message_id, properties, traits)
    if received_ms is None or received_ms < FIRST_MS or (now_ms is None and received_ms > LAST_MS):
        return Rejected(Reason.BAD_TIMESTAMP, no_received_time)
    written = get("timestamp")
    try:
        time_ms = (
            parse_moment(written)
            if type(written) is str
            else moment_in(written, "timestamp", value, received_ms)
        )
    except ValueError:
        time_ms = None
    if time_ms is None:
        return Rejected(Reason.BAD_TIMESTAMP, f"timestamp {_MOMENT}")
    if time_ms > received_ms or (now_ms is not None and received_ms > now_ms):
        too_far = _too_far_ahead(time_ms, received_ms, max_future_skew_ms, now_ms)
        if too_far is not None:
            return too_far
        time_ms = min(time_ms, received_ms)
    # By position: by name it takes as long again.
    return Event(
        contact_id,
        kind,
        name,
        time_ms,
        received_ms,
        message_id or None,
        _with_name_and_category(record, properties or {}) if kind in _NAMED_BY_TYPE else properties or {},
        context or {},
        traits or {} if kind == "identify" else {},
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


def _too_far_ahead(
    time_ms: int, received_ms: int, max_future_skew_ms: int, now_ms: int | None
) -> Rejected | None:
    """Of a record that is ahead of its received time or of this machine's clock: the reason, if by too much."""
    if time_ms > received_ms + max_future_skew_ms:
        reason, what, of_what = Reason.FUTURE_TIMESTAMP, "timestamp", "the received time"
        ahead_ms = time_ms - received_ms
    elif now_ms is not None and received_ms > now_ms + max_future_skew_ms:
        reason, what, of_what = Reason.FUTURE_RECEIVED, "the received time", "this machine's clock"
        ahead_ms = received_ms - now_ms
    else:
        return None
    allowed = f"at most {max_future_skew_ms} ms are taken"
    return Rejected(reason, f"{what} is {ahead_ms} ms ahead of {of_what}: {allowed}")


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
