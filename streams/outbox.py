"""What is to be published: kept in the store with the state that it follows from, until it was.

An entry is made by one commit and published after it. Whoever takes a partition finds the entries not yet trimmed,
asks the topics which of their records are there already, and publishes the others; so a crash between commit and
publishing loses nothing and repeats nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

import msgspec

Headers = Sequence[tuple[str, bytes | None]]


def record_id(headers: Headers) -> bytes | None:
    """By what a published record is recognised in its topic: a dead letter by where its record stood, a transition
    by its message id; None: by nothing."""
    named = dict(headers)
    offset = named.get("source_offset")
    if offset is not None:
        return b"%b/%b/%b" % (named.get("source_topic") or b"", named.get("source_partition") or b"", offset)
    return named.get("ce_id")


class Output(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A record to publish."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


Place = tuple[str, int]
"""A topic and a partition of it."""


def by_place(outputs: Sequence[Output]) -> dict[Place, list[Output]]:
    """Records by where they go, in order."""
    places: dict[Place, list[Output]] = {}
    for output in outputs:
        places.setdefault((output.topic, output.partition), []).append(output)
    return places


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One commit's outputs, and from which offset on they can stand in their topics."""

    outputs: list[Output]
    tails: dict[str, int]
    """Topic -> an offset of this partition of it that nothing of the entry can stand before."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


def encode_entry(entry: Entry) -> bytes:
    """The entry as the store keeps it."""
    return _encode(entry)


def decode_entry(blob: bytes) -> Entry:
    """The entry that ``encode_entry`` wrote."""
    return _decode(blob)


class PublishFailed(Exception):
    """Try again, after looking which of the records have arrived: some may."""

    @classmethod
    def of(cls, place: Place, error: Exception) -> Self:
        """Of what a broker or its client said."""
        return cls(f"cannot publish to {place[0]}/{place[1]}: {str(error) or type(error).__name__}")


class Publisher(Protocol):
    """Puts records on topics, in order within a partition."""

    async def publish(self, outputs: Sequence[Output]) -> Mapping[Place, int]:
        """Returns when all are acknowledged: the offset after the last one, per topic partition.

        Raises PublishFailed where that is not known of all of them; some may have arrived.
        """
        ...

    async def ends(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """The offset that the next record of each topic partition will have, or an earlier one."""
        ...

    async def published(self, place: Place, from_offset: int, ids: set[bytes]) -> set[bytes]:
        """Which of these ids (see ``record_id``) stand in the topic partition at or after ``from_offset``."""
        ...


class OwnPublisher(Publisher, Protocol):
    """A lane's own: once one has been used, no earlier one of the partition publishes anything any more.

    Every method but ``stop`` raises ``streams.store.PartitionMoved`` where a later one has been used.
    """

    async def stop(self) -> None:
        """Whatever was not acknowledged stays in the outbox."""
        ...


async def unpublished(publisher: Publisher, entries: Sequence[Entry]) -> list[Output]:
    """The outputs of the entries that have not arrived, in order."""
    wanted: dict[Place, set[bytes]] = {}
    tails: dict[Place, int] = {}
    for entry in entries:
        for output in entry.outputs:
            place = (output.topic, output.partition)
            wanted.setdefault(place, set()).add(_known_id(output))
            tails[place] = min(tails.get(place, entry.tails[output.topic]), entry.tails[output.topic])
    found = {place: await publisher.published(place, tails[place], ids) for place, ids in wanted.items()}
    return [
        output
        for entry in entries
        for output in entry.outputs
        if _known_id(output) not in found[(output.topic, output.partition)]
    ]


def _known_id(output: Output) -> bytes:
    output_id = record_id(output.headers)
    if output_id is None:
        raise ValueError(
            f"a record for {output.topic} that nothing tells from others cannot be in the outbox"
        )
    return output_id
