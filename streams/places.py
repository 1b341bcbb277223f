"""Where to read a partition from: what its state says, held against what Kafka has and what the group was told.

State that knows of no record, although records were taken, is no state to begin with: the log would be taken from its
beginning, and its whole history published again. So the partition then stands still, until the state is made anew or
somebody says that it is to begin with nothing.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from streams.errors import PartitionStopped

logger = logging.getLogger(__name__)

TAKEN = "taken"
"""What the group is told beside an offset before which records were taken. Without it a quiet topic whose records have
all been deleted could not be told from one that never had any."""
BEGIN_FIELD = "begin"
"""Of a partition's metadata: topic -> the offset from which it is read while the state says nothing of it. Set by
somebody who knows that the state is to begin there."""


class StateLost(PartitionStopped):
    """Somebody has to say whether the state is elsewhere, is to be made anew, or is to begin with nothing."""

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class Place:
    """One topic of a partition."""

    offset: int | None
    """Which the state says to go on from; None: it says nothing of the topic."""
    begin: int
    end: int
    """Of the topic, in Kafka."""
    committed: int | None = None
    """What the group was told; None: nothing."""
    taken: bool = False
    """Whether the group was told so with ``TAKEN``."""

    @property
    def was_taken(self) -> bool:
        """Whether the group has taken records of it, whatever the state says."""
        return self.committed is not None and (self.taken or self.committed > self.begin)


def starts(partition: int, places: Mapping[str, Place]) -> dict[str, int]:
    """The offset to begin at, for each topic of a partition.

    Raises StateLost where the state knows nothing of records that were taken, PartitionStopped where it knows of more
    than there are.
    """
    refuse_lost(partition, places)
    return {topic: _start(partition, topic, place) for topic, place in places.items()}


def refuse_lost(partition: int, places: Mapping[str, Place]) -> None:
    """Raises StateLost where the state knows nothing of records that were taken.

    An older copy of it knows of some: that is sound, and what is published again carries the same message ids.
    """
    if any(place.offset is not None for place in places.values()):
        return
    taken = [f"{topic} up to {place.committed:,}" for topic, place in places.items() if place.was_taken]
    if taken:
        raise StateLost(
            partition,
            f"Redis holds no state of it, although its group has taken {' and '.join(taken)}; from the beginning, all "
            "its transitions would be published again. Does SEGMENTS_REDIS name the right server and database? If the "
            "state is lost, stop all workers and make it anew with `segments rebuild`, or let it begin with nothing "
            "with `segments rebuild --begin-anew`",
        )


def _start(partition: int, topic: str, place: Place) -> int:
    offset = place.offset
    if offset is None:
        return place.begin
    if offset > place.end:
        raise PartitionStopped(
            partition,
            f"its state is at offset {offset} of {topic}, which ends at {place.end}: was the topic made anew? "
            "Restore it, or stop all workers and make the state anew with `segments rebuild`",
        )
    if offset < place.begin:
        logger.error(
            "%s/%d: the records %d to %d are gone before they were processed: the topic's retention is too short",
            topic, partition, offset, place.begin - 1,
        )  # fmt: skip
        return place.begin
    return offset


def encode_begin(offsets: Mapping[str, int]) -> bytes:
    """What ``BEGIN_FIELD`` holds."""
    return msgspec.msgpack.encode(dict(offsets))


def begin_of(meta: Mapping[str, bytes]) -> dict[str, int]:
    """What a partition's metadata say about where to begin."""
    stored = meta.get(BEGIN_FIELD)
    return {} if stored is None else msgspec.msgpack.decode(stored, type=dict[str, int])
