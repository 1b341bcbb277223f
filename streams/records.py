"""A contact's record as bytes: one compact, versioned msgpack array."""

from collections.abc import Mapping
from typing import Any

import msgspec

from rules.contact import Contact, Membership
from rules.policy import Standing

VERSION = 2
"""The newest format. Records without standings are still written in the first, which older versions read too."""

STATE_VERSION = 1
"""The newest format of what is stored of a partition beside its contacts: metadata and outbox."""
FORMAT_FIELD = "format"
"""Of a partition's metadata: the format of all that is beside it, as text; absent: 1. Who writes another one says so here,
in the same commit."""


class NewerRecord(Exception):
    """A record that a newer version of livesegments wrote: this one must not touch it."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"a contact's record has format {version}, and this version of livesegments knows formats up to {VERSION}: "
            "run the version that wrote it, or a newer one"
        )


class NewerState(NewerRecord):
    """The same of what is stored of a partition beside its contacts."""

    def __init__(self, partition: int, version: str) -> None:
        Exception.__init__(
            self,
            f"the state of partition {partition} has format {version}, and this version of livesegments knows formats up "
            f"to {STATE_VERSION}: run the version that wrote it, or a newer one",
        )


def refuse_newer(partition: int, meta: Mapping[str, bytes]) -> None:
    """Raises NewerState where a newer version wrote the partition's metadata, so that nothing else of it can be read."""
    written = meta.get(FORMAT_FIELD, b"1")
    if not written.isdigit() or int(written) > STATE_VERSION:
        raise NewerState(partition, ascii(written.decode(errors="replace"))[1:-1])


class StoredContact(msgspec.Struct, array_like=True, gc=False):
    """What is written of a contact; its id is the key that it is written under."""

    version: int
    epoch: int
    """The change of definitions that the record has been brought through (see ``streams.redefinition``)."""
    now_ms: int | None
    first_received_ms: int | None
    wake_ms: int | None
    seen: bytearray
    features: dict[int, Any]
    memberships: dict[int, Membership]


class StoredWithStandings(StoredContact, array_like=True, gc=False):
    """Of a contact in segments that have policies or are in groups."""

    standings: dict[int, Standing]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StoredContact).decode
_decode_with_standings = msgspec.msgpack.Decoder(StoredWithStandings).decode
_version_of = msgspec.msgpack.Decoder(list[Any])


def encode_record(contact: Contact, epoch: int) -> bytes:
    """The record to store."""
    # An array is written alike from a tuple, which takes less time to make than a struct.
    kept = (
        2 if contact.standings else 1,
        epoch,
        contact.now_ms,
        contact.first_received_ms,
        contact.wake_ms,
        contact.seen,
        contact.features,
        contact.memberships,
    )
    return _encode((*kept, contact.standings) if contact.standings else kept)


def decode_record(contact_id: str, record: bytes) -> tuple[Contact, int]:
    """The contact and the epoch of its record.

    Raises NewerRecord where a newer version wrote it; anything else unreadable raises msgspec.DecodeError.
    """
    # The first element of the array: the version, which says how to read the rest.
    version = record[1]
    standings: dict[int, Standing]
    if version == 1:
        stored, standings = _decode(record), {}
    elif version == 2:
        stored = with_standings = _decode_with_standings(record)
        standings = with_standings.standings
    else:
        raise NewerRecord(_version_of.decode(record)[0])
    contact = Contact(
        contact_id,
        stored.now_ms,
        stored.first_received_ms,
        stored.wake_ms,
        stored.seen,
        stored.features,
        stored.memberships,
        standings,
    )
    return contact, stored.epoch
