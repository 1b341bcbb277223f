"""Section 2 of the contract read a second time, plainly and slowly, for comparison with ``streams.wire``."""

import json
from decimal import Decimal
from typing import Any, Self

from rules.durations import parse_moment

DAY_MS = 86_400_000
YEARS_MS = range(-62_135_596_800_000, 253_402_300_799_999 + 1)


class Written(float):
    """A number with the text that it was written as."""

    text: str

    def __new__(cls, text: str) -> Self:
        number = super().__new__(cls, text)
        if number in (float("inf"), float("-inf")):
            raise ValueError("too large for a double")
        number.text = text
        return number


def _integer(text: str) -> Any:
    number = int(text)
    return number if -(2**63) <= number < 2**64 else Written(text)


def _constant(text: str) -> Any:
    raise ValueError(text)


def load(value: bytes) -> Any:
    text = value.decode("utf-8")
    if text.startswith("\ufeff"):
        raise ValueError("byte order mark")
    loaded = json.loads(text, parse_int=_integer, parse_float=Written, parse_constant=_constant)
    json.dumps(loaded, ensure_ascii=False).encode("utf-8")  # refuses half surrogates
    return loaded


def _present_id(written: Any) -> str | None:
    if isinstance(written, bool):
        return None
    if isinstance(written, int):
        return str(written)
    return written if isinstance(written, str) and written != "" else None


def moment(written: Any) -> int:
    if isinstance(written, bool):
        raise ValueError("a boolean")  # noqa: TRY004
    if isinstance(written, str):
        return parse_moment(written)
    if not isinstance(written, int | float):
        raise ValueError("no moment")  # noqa: TRY004
    number = Decimal(written.text) if isinstance(written, Written) else Decimal(int(written))
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if abs(number) < Decimal("1e11"):
        exponent += 3
    text = "".join(map(str, digits))
    whole = text + "0" * exponent if exponent >= 0 else text[:exponent] if -exponent < len(text) else "0"
    found = int(whole) * (-1 if sign else 1)
    if found not in YEARS_MS:
        raise ValueError("no year of four digits")
    return found


def reason_of(  # noqa: C901, PLR0912 - the contract from top to bottom
    value: bytes, received_ms: int, now_ms: int | None, skew_ms: int = 300_000
) -> str | dict[str, Any]:
    """The reason for which the record is refused, or the fields of its event."""
    if len(value) > 262_144:
        return "too_large"
    try:
        record = load(value)
    except (ValueError, RecursionError):
        return "not_json"
    if not isinstance(record, dict):
        return "not_an_object"
    record = {name: field for name, field in record.items() if field is not None}
    kind = record.get("type")
    if kind not in ["track", "identify", "page", "screen", "group", "alias"]:
        return "unknown_type"
    user, anonymous = _present_id(record.get("userId")), _present_id(record.get("anonymousId"))
    if user is None and anonymous is None:
        return "missing_contact"
    if len(user or anonymous or "") > 256 or (user is not None and user.startswith("anonymous:")):
        return "bad_id"
    message = record.get("messageId")
    if isinstance(message, str) and len(message) > 256:
        return "bad_id"
    event = record.get("event")
    if kind == "track" and not (isinstance(event, str) and event != ""):
        return "missing_event"
    if message is not None and not isinstance(message, str):
        return "bad_field"
    for name in ("properties", "traits", "context"):
        if not isinstance(record.get(name, {}), dict):
            return "bad_field"
    try:
        time_ms = moment(record["timestamp"]) if "timestamp" in record else received_ms
    except (ValueError, ArithmeticError):
        return "bad_timestamp"
    if time_ms - received_ms > skew_ms:
        return "future_timestamp"
    if now_ms is not None and received_ms - now_ms > skew_ms:
        return "future_received"
    properties = dict(record.get("properties", {}))
    if kind in ("page", "screen"):
        for name in ("name", "category"):
            if properties.get(name) is None and name in record:
                properties[name] = record[name]
    return {
        "contact_id": user if user is not None else f"anonymous:{anonymous}",
        "kind": kind,
        "name": event if kind == "track" else kind if kind in ("page", "screen") else "",
        "time_ms": min(time_ms, received_ms),
        "received_ms": received_ms,
        "message_id": message or None,
        "properties": properties,
        "context": record.get("context", {}),
        "traits": record.get("traits", {}) if kind == "identify" else {},
    }
