"""What the topics hold already of what follows from the events: transitions, dead letters, records sent on."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
from aiokafka import ConsumerRecord

from rules.durations import parse_moment
from streams.outbox import Place
from streams.rebuild.lane import Arrived, RebuildLane
from streams.rebuild.log import Log


class _OfSegment(msgspec.Struct):
    sequence: int
    version: int = 1
    reason: str = "event"


class _Context(msgspec.Struct):
    segment: _OfSegment


class _Properties(msgspec.Struct):
    audience_key: str


class _Value(msgspec.Struct):
    timestamp: str
    properties: _Properties
    context: _Context


_decode = msgspec.json.Decoder(_Value).decode

Numbers = Callable[[Iterable[str]], Awaitable[Mapping[str, int]]]
"""Gives the numbers of segments by key, also of those that are no longer defined."""


@dataclass(slots=True)
class Heard:
    """What one partition of the transitions topic says."""

    reached_ms: int | None = None
    """The moment that the partition's clock had reached; None: nothing was published."""
    silent_before_ms: float = float("-inf")
    """The moment of the oldest transition, where older ones are gone."""
    versions: dict[str, int] = field(default_factory=dict)
    """Segment -> the latest version published."""
    transitions: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class _Published:
    contact_id: str
    segment: str
    sequence: int
    at_ms: int
    version: int
    is_wake: bool


def _read(record: ConsumerRecord) -> _Published | None:
    """A transition; None: something else."""
    try:
        value = _decode(record.value or b"")
        contact_id, at_ms = (record.key or b"").decode(), parse_moment(value.timestamp)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        return None
    of_segment = value.context.segment
    if not contact_id or of_segment.sequence < 1:
        return None
    return _Published(
        contact_id,
        value.properties.audience_key,
        of_segment.sequence,
        at_ms,
        of_segment.version,
        of_segment.reason == "time",
    )


async def hear(
    log: Log,
    place: Place,
    lane: RebuildLane,
    number_of: Numbers,
    told: Callable[[int], None],
) -> Heard:
    """Lets a lane know what its partition of the transitions topic says."""
    heard = Heard()
    first = True
    if log.extents[place].begin and not log.extents[place].records:
        # All that was ever published is gone by now; nothing that is rebuilt can be told from it.
        heard.silent_before_ms = float("inf")
    async for records in log.all([place]):
        found = [published for record in records if (published := _read(record)) is not None]
        heard.transitions += len(found)
        heard.unreadable += len(records) - len(found)
        if first and found and log.extents[place].begin:
            heard.silent_before_ms = found[0].at_ms
        first = first and not found
        for each in found:
            # At a wake, the clock had gone beyond its moment.
            reached_ms = each.at_ms + each.is_wake
            heard.reached_ms = max(reached_ms, heard.reached_ms or reached_ms)
            heard.versions[each.segment] = max(each.version, heard.versions.get(each.segment, 1))
        numbers = await number_of({each.segment for each in found})
        await lane.hear((each.contact_id, numbers[each.segment], each.sequence, each.at_ms) for each in found)
        told(len(records))
    return heard


@dataclass(slots=True)
class Followed:
    """What has followed from one partition's records, besides transitions."""

    arrived: Arrived = field(default_factory=Arrived)
    future: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Source topic -> offsets of records that were too far in the future."""

    def was_future(self, topic: str, offset: int) -> bool:
        """Whether the record there is a dead letter for that."""
        return offset in self.future.get(topic, ())


async def followed(log: Log, by_contact: str, told: Callable[[int], None]) -> dict[int, Followed]:
    """By source partition. The log has all partitions of the dead letters and of what was sent on."""
    found: dict[int, Followed] = defaultdict(Followed)
    async for records in log.all(list(log.extents)):
        for record in records:
            named = dict(record.headers)
            partition, offset = named.get("source_partition"), named.get("source_offset")
            if not (partition and offset and partition.isdigit() and offset.isdigit()):
                continue  # not by us
            of = found[int(partition)]
            if record.topic == by_contact:
                of.arrived.sent_on[record.partition] = max(
                    int(offset) + 1, of.arrived.sent_on.get(record.partition, 0)
                )
                continue
            topic = (named.get("source_topic") or b"").decode(errors="replace")
            of.arrived.buried[topic] = max(int(offset) + 1, of.arrived.buried.get(topic, 0))
            if named.get("reason") == b"future_received":
                of.future[topic].add(int(offset))
        told(len(records))
    return found
