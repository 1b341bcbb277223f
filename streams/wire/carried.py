"""How much of a record its dead letter carries: all of it, unless that would not fit into Redis on its way.

A record may be very much larger than what Kafka counts of it, as its producer may have packed it. Redis takes no value
over 512 MB, and its partition would stand still for ever.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple, Self

Headers = list[tuple[str, bytes | None]]

MOST_BYTES = 64 * 1024 * 1024
"""What a dead letter carries whole: key, value and headers together. 256 times what can be taken as an event; and what
becomes of it, in memory, in the outbox and as a command, takes several times that."""
KEPT_BYTES = 64 * 1024
"""What is left of each part that is longer, of a record that is more than that."""
CUT = "cut_value_bytes"
"""The header by which a dead letter is known that does not carry all of its record."""


class NotUnpacked(bytes):
    """The value of the record that stands for a batch of which nothing was unpacked, as that would have been too much.
    Without content: no event, whoever looks at it."""

    first_offset: int
    packed_bytes: int
    detail: str

    @classmethod
    def of(cls, first_offset: int, packed_bytes: int, limit_bytes: int) -> Self:
        """Of a batch from this offset on, up to that of the record, whose records had so many bytes as packed."""
        value = cls()
        value.first_offset, value.packed_bytes = first_offset, packed_bytes
        value.detail = f"its batch unpacks to more than {limit_bytes >> 20} MiB (SEGMENTS_UNPACKED_MIB)"
        return value


class Carried(NamedTuple):
    """What stands for a record in its dead letter."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    said: Headers
    """Headers of ours, about what is left out."""


def carried(
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    most_bytes: int = MOST_BYTES,
) -> Carried:
    """The record as it is; of a longer one the beginnings of its key and value, its headers if they are short, and how
    long all of it was. The digest (SHA-256) of the value lets it be found again. Of a batch that was not unpacked where
    it stands."""
    if isinstance(value, NotUnpacked):
        said: Headers = [
            ("cut_batch_begin", b"%d" % value.first_offset),
            ("cut_batch_bytes", b"%d" % value.packed_bytes),
        ]
        return Carried(None, None, [], [(CUT, b"unknown"), *said])
    key_bytes, value_bytes, header_bytes = len(key or b""), len(value or b""), _size(headers)
    if key_bytes + value_bytes + header_bytes <= most_bytes:
        return Carried(key, value, list(headers), [])
    said = [
        (CUT, b"%d" % value_bytes),
        ("cut_value_sha256", sha256(value or b"").hexdigest().encode()),
        ("cut_key_bytes", b"%d" % key_bytes),
        ("cut_headers_bytes", b"%d" % header_bytes),
    ]
    return Carried(key and key[:KEPT_BYTES], value and value[:KEPT_BYTES], unless_long(headers), said)


def unless_long(headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """The headers; none of them where they are longer than any topic needs to take beside a record."""
    return list(headers) if _size(headers) <= KEPT_BYTES else []


def _size(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(len(name) + len(value or b"") for name, value in headers)
