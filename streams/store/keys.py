"""Names of everything in Redis. What belongs to partition 3 is named `<prefix>:{3}:...`: the hash tag keeps it on
one node of a cluster, where one script can change it all at once. Contact ids never become part of a name."""

import re
from dataclasses import dataclass
from typing import Self

_PREFIX = re.compile(r"[A-Za-z0-9._:-]+")


def checked_prefix(prefix: str) -> str:
    """Raises ValueError on a prefix that would make names ambiguous, such as one with a hash tag of its own."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"{prefix!r} cannot begin names in Redis: use letters, digits and . _ : - only")
    return prefix


def partition_count(prefix: str) -> str:
    """A string: the number of partitions that the state was made for."""
    return f"{prefix}:partitions"


def rights(prefix: str, tag: str | None = None) -> str:
    """Never there for longer than a script runs that tries what the user may do; with a hash tag, on its node."""
    return f"{prefix}:rights" if tag is None else f"{prefix}:{{{tag}}}:rights"


def definitions(prefix: str) -> str:
    """A hash: `version:<segment>` of every segment ever registered, `fingerprint:<segment>` of those in force."""
    return f"{prefix}:definitions"


def numbers(prefix: str, kind: str) -> str:
    """A hash: `name:<name>` -> "<number> <since, ms>", and `next`, the number given last."""
    return f"{prefix}:numbers:{kind}"


@dataclass(frozen=True, slots=True)
class PartitionKeys:
    """What is stored of one partition."""

    state: str
    """Hash: `fence`, `done` (number of the last commit under it), `clock` (ms), `outbox` (newest sequence)."""
    offsets: str
    """Hash: topic -> next offset."""
    meta: str
    """Hash: the caller's own."""
    counts: str
    """Hash: counter -> integer."""
    contacts: str
    """Hash: contact id -> record. One hash takes less memory than a key per contact, and reads 500 in one call."""
    wakes: str
    """Sorted set: contact id by wake (ms)."""
    outbox: str
    """List, oldest first; the newest has the sequence in `state`, so trimming needs no bookkeeping."""
    members_of: str

    @classmethod
    def of(cls, prefix: str, partition: int) -> Self:
        root = f"{prefix}:{{{partition}}}"
        return cls(
            state=f"{root}:state",
            offsets=f"{root}:offsets",
            meta=f"{root}:meta",
            counts=f"{root}:counts",
            contacts=f"{root}:contacts",
            wakes=f"{root}:wakes",
            outbox=f"{root}:outbox",
            members_of=f"{root}:members:",
        )

    def members(self, segment: str) -> str:
        """Set: ids of the contacts that are members."""
        return self.members_of + segment
