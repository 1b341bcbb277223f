"""A contact's record as bytes: one compact, versioned msgpack array."""

from typing import Any

import msgspec

from rules.contact import Contact, Membership
from rules.policy import Standing

VERSION = 2
"""The newest format. Records without standings are still written in the first, which older versions read too."""


class NewerRecord(Exception):
    """A record that a newer version of livesegments wrote: this one must not touch it."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"a contact's record has format {version}, and this version of livesegments knows formats up to {VERSION}: "
            "run the version that wrote it, or a newer one"
        )


class StoredContact(msgspec.Struct, array_like=True, gc=False):
    """What is written of a contact; its id is the key that it is written under."""

    version: int
    epoch: int
    """The change of definitions that the record has been brought through (see ``streams.redefinition``)."""
    now_ms: int | None
    first_received_ms: int | None
    wake_ms: int | None
    seen: bytes
    features: dict[int, Any]
    memberships: dict[int, Membership]


class StoredWithStandings(StoredContact, array_like=True, gc=False):
    """Of a contact in segments that have policies or are in groups."""

    standings: dict[int, Standing]


_encode = msgspec.msgpack.Encoder().encode
_DECODERS: dict[int, msgspec.msgpack.Decoder[StoredContact]] = {
    1: msgspec.msgpack.Decoder(StoredContact),
    2: msgspec.msgpack.Decoder(StoredWithStandings),
}
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
    decoder = _DECODERS.get(record[1])
    if decoder is None:
        raise NewerRecord(_version_of.decode(record)[0])
    stored = decoder.decode(record)
    contact = Contact(
        contact_id,
        stored.now_ms,
        stored.first_received_ms,
        stored.wake_ms,
        stored.seen,
        stored.features,
        stored.memberships,
        stored.standings if isinstance(stored, StoredWithStandings) else {},
    )
    return contact, stored.epoch
