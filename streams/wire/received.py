"""When a record was received: the time that moves clocks."""

import re
from collections.abc import Iterable

RECEIVED_AT = "received_at"
"""The header that carries a received time along when a record is put on a topic a second time."""

_DECIMAL = re.compile(rb"(-?[0-9]{1,19})(?:\.[0-9]+)?")


def received_time(headers: Iterable[tuple[str, bytes | None]], record_timestamp_ms: int | None) -> int | None:
    """The received time of a Kafka record in milliseconds UTC since 1970; None if the record does not say it.

    The header goes first, and the last one of several counts. A header that cannot be read is no reason to believe
    the record's own timestamp instead: that would move the event in time without a word. None makes it a
    ``bad_timestamp``. Producers that give no timestamp leave -1 there.
    """
    found: bytes | None = None
    for name, value in headers:
        if name == RECEIVED_AT and value is not None:
            found = value
    if found is not None:
        if found.isdigit() and len(found) <= 19:  # as our own producers write it
            return int(found)
        number = _DECIMAL.fullmatch(found)
        return int(number[1]) if number else None
    if record_timestamp_ms is None or record_timestamp_ms < 0:
        return None
    return record_timestamp_ms


def received_at_header(received_ms: int) -> tuple[str, bytes]:
    """The header that makes ``received_time`` give ``received_ms`` again."""
    return RECEIVED_AT, b"%d" % received_ms
