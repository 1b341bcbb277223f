"""Where the nodes of a Redis Cluster are, and which of them has which slots."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

SLOTS = REDIS_CLUSTER_HASH_SLOTS
_SCRIPTS = ("EVALSHA", "EVAL")
_UNTOLD = "?"
"""What a node says in place of a name that it does not know (cluster-preferred-endpoint-type hostname)."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @classmethod
    def of(cls, url: str) -> "Address":
        """Where a URL leads. A socket of this machine has the port 0, which no node has."""
        parts = urlsplit(url)
        return cls(parts.hostname or "127.0.0.1", 0 if parts.scheme == "unix" else parts.port or 6379)

    def put_into(self, url: str) -> str:
        """The same URL, with user, password and options, leading here."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        netloc = f"{login}{at}{self}"
        if parts.scheme == "unix":
            return urlunsplit(("redis", netloc, "", parts.query, ""))
        return urlunsplit(parts._replace(netloc=netloc))


def slot_of(command: tuple[str | bytes | int, ...]) -> int:
    """The slot of the first key of a command that has keys; its others must have the same."""
    key = command[3] if command[0] in _SCRIPTS else command[1]
    return key_slot(key.encode() if isinstance(key, str) else key)  # type: ignore[arg-type]


def owners(told: Any, asked: Address) -> dict[int, Address]:
    """Slot -> primary, from what the node at ``asked`` told to CLUSTER SLOTS. Slots that nobody has are missing.

    Raises ValueError where the answer is none.
    """
    try:
        return {
            slot: primary for first, last, primary in _ranges(told, asked) for slot in range(first, last + 1)
        }
    except (AttributeError, LookupError, TypeError) as error:
        raise ValueError(f"CLUSTER SLOTS gave {told!r}") from error


def _ranges(told: Any, asked: Address) -> Iterator[tuple[int, int, Address]]:
    for first, last, primary, *_ in told:
        host = primary[0].decode() if primary[0] else asked.host  # none: the one by which it was asked
        if host != _UNTOLD:
            yield int(first), int(last), Address(host, int(primary[1]))
