"""What the rules take in: one thing that a contact did, or one fact about it."""

from typing import Any

import msgspec


class Event(msgspec.Struct, gc=False):
    """One accepted record. Times are milliseconds UTC since 1970.

    ``time_ms`` never exceeds ``received_ms``: whoever makes an event caps it (contract, section 2).
    """

    contact_id: str
    kind: str
    """``track``, ``page``, ``screen``, ``identify``, or ``group`` and ``alias``, which are no events of the contact."""
    name: str
    """What ``did`` matches: a track's event, ``page``, ``screen``; empty for all other kinds."""
    time_ms: int
    received_ms: int
    message_id: str | None
    properties: dict[str, Any]
    context: dict[str, Any]
    traits: dict[str, Any]
