"""A record as the contract reads it (section 2): something that was taken, or the reason why not."""

from dataclasses import dataclass, field
from typing import Any

from tests.reference.moments import moment_ms

MAX_FUTURE_SKEW_MS = 5 * 60_000
KINDS = ("track", "identify", "page", "screen", "group", "alias")


@dataclass(frozen=True)
class Taken:
    contact: str
    kind: str
    name: str
    message_id: str | None
    time_ms: int
    received_ms: int
    properties: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] = field(default_factory=dict)

    @property
    def is_behaviour(self) -> bool:
        return self.kind in {"track", "page", "screen"}

    @property
    def is_of_contact(self) -> bool:
        return self.kind not in {"group", "alias"}


def read(record: Any) -> Taken | str:
    """What is taken of one line of a file, or the first reason that applies."""
    if not isinstance(record, dict):
        return "not_an_object"
    kind = record.get("type")
    if kind not in KINDS:
        return "unknown_type"
    user, anonymous = _identity(record.get("userId")), _identity(record.get("anonymousId"))
    if user is None and anonymous is None:
        return "missing_contact"
    message_id = record.get("messageId")
    reason = _why_bad_id(user, anonymous) or _why_bad_message_id(message_id) or _why_bad_shape(record, kind)
    if reason is not None:
        return reason
    times = _times(record)
    if isinstance(times, str):
        return times
    return Taken(
        contact=user if user is not None else f"anonymous:{anonymous}",
        kind=kind,
        name=record["event"] if kind == "track" else kind,
        message_id=message_id or None,
        time_ms=times[0],
        received_ms=times[1],
        properties=_properties(record, kind),
        context=record.get("context") or {},
        traits=(record.get("traits") or {}) if kind == "identify" else {},
    )


def _identity(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**64 else None
    return value if isinstance(value, str) and value else None


def _why_bad_id(user: str | None, anonymous: str | None) -> str | None:
    used = user if user is not None else anonymous
    too_long = used is not None and len(used) > 256
    return "bad_id" if too_long or (user is not None and user.startswith("anonymous:")) else None


def _why_bad_message_id(message_id: Any) -> str | None:
    return "bad_id" if isinstance(message_id, str) and len(message_id) > 256 else None


def _why_bad_shape(record: dict[str, Any], kind: str) -> str | None:
    event = record.get("event")
    if kind == "track" and (not isinstance(event, str) or not event):
        return "missing_event"
    if not isinstance(record.get("messageId"), str | None):
        return "bad_field"
    if any(not isinstance(record.get(name), dict | None) for name in ("properties", "traits", "context")):
        return "bad_field"
    return None


def _times(record: dict[str, Any]) -> tuple[int, int] | str:
    """Event time and received time."""
    stamp, received_at = record.get("timestamp"), record.get("receivedAt")
    of_record = moment_ms(stamp)
    if stamp is not None and of_record is None:
        return "bad_timestamp"
    received = moment_ms(received_at) if received_at is not None else of_record
    if received is None:
        return "bad_timestamp"
    if of_record is None:
        return received, received
    if of_record > received + MAX_FUTURE_SKEW_MS:
        return "future_timestamp"
    return min(of_record, received), received


def _properties(record: dict[str, Any], kind: str) -> dict[str, Any]:
    properties = dict(record.get("properties") or {})
    if kind in {"page", "screen"}:
        for name in ("name", "category"):
            if properties.get(name) is None and record.get(name) is not None:
                properties[name] = record[name]
    return properties
