"""What a producer puts around an event's JSON: the record's key, and its received time."""

from typing import NamedTuple

import orjson

from streams.wire.events import contact_id_of, moment_in
from streams.wire.reasons import Rejected
from streams.wire.received import RECEIVED_AT, received_at_header

UNREADABLE = b"unreadable"
"""The header of an event whose ``receivedAt`` is no moment: it must become a dead letter, as it does when its file is
read, and not an event of another time."""


class Envelope(NamedTuple):
    """The key, None where the record has no contact; and the headers."""

    key: bytes | None
    headers: list[tuple[str, bytes | None]]


def envelope(line: bytes, *, event_time: bool = False) -> Envelope:
    """The key and headers of one event as a line of JSON. Never raises: what is defective goes as it is.

    The received time is ``receivedAt``; with ``event_time`` it is ``timestamp`` where there is no ``receivedAt``.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Envelope(None, [])
    if not isinstance(record, dict):
        return Envelope(None, [])
    contact_id = contact_id_of(record.get("userId"), record.get("anonymousId"))
    key = None if isinstance(contact_id, Rejected) else contact_id.encode()
    for field in ("receivedAt", "timestamp") if event_time else ("receivedAt",):
        if record.get(field) is not None:
            received_ms = moment_in(record[field], field, line)
            header = (RECEIVED_AT, UNREADABLE) if received_ms is None else received_at_header(received_ms)
            return Envelope(key, [header])
    return Envelope(key, [])
