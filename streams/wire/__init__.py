"""Bytes to events, transitions to bytes. The only place that knows what a record looks like."""

from streams.wire.carried import CUT, NotUnpacked, carried, unless_long
from streams.wire.dead_letters import dead_letter_headers, shortened
from streams.wire.events import decode, decode_line
from streams.wire.reasons import Reason, Rejected
from streams.wire.received import RECEIVED_AT, received_at_header, received_time
from streams.wire.transitions import encode, message_id

__all__ = [
    "CUT",
    "RECEIVED_AT",
    "NotUnpacked",
    "Reason",
    "Rejected",
    "carried",
    "dead_letter_headers",
    "decode",
    "decode_line",
    "encode",
    "message_id",
    "received_at_header",
    "received_time",
    "shortened",
    "unless_long",
]
