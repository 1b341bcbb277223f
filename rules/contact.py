"""A contact's record: all that is kept of one contact."""

from typing import Any

import msgspec

from rules.policy import Standing


class Membership(msgspec.Struct, array_like=True, gc=False):
    """What is kept of one contact and one segment."""

    sequence: int = 0
    """Transitions so far: odd while the contact is a member."""
    since_ms: int = 0
    """When the latest transition was, in milliseconds UTC."""
    next_ms: int | None = None
    """The moment before which time alone cannot change the verdict; None: it never can."""

    @property
    def is_member(self) -> bool:
        return self.sequence % 2 == 1


class Contact(msgspec.Struct):
    """The state of one contact; times are milliseconds UTC since 1970."""

    id: str
    now_ms: int | None = None
    """The contact's own time (contract, section 3.1); None before its first event."""
    first_received_ms: int | None = None
    """The smallest received time of its events; None before the first."""
    wake_ms: int | None = None
    """No later than the first moment at which time alone can change a verdict; None: no such moment."""
    seen: bytearray = msgspec.field(default_factory=bytearray)
    """Digests of the last message ids taken, oldest first (see ``rules.repetitions``)."""
    features: dict[int, Any] = {}
    """State of each feature that the contact has, by the feature's number."""
    memberships: dict[int, Membership] = {}
    """By the segment's number; only of segments that were entered or that time alone can change."""
    standings: dict[int, Standing] = {}
    """By the segment's number; only of segments that have a policy or are in a group."""
    schedule: list[int] | None = None
    """Not stored; see ``rules.schedule``."""
