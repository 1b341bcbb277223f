"""A batch in two portions, where more follows from it than is to be committed at once."""

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from streams.flood import Part
from streams.intake import Record, Taken

Batch = dict[str, Sequence[Record]]
"""Topic -> records."""


def divided(
    records: Mapping[str, Sequence[Record]], parts: Mapping[str, Taken], count: int
) -> tuple[Batch, Batch]:
    """The records up to the first so many events of them all, in the order in which these are taken, and the others."""
    ends = _ends(parts, count)
    before: Batch = {}
    after: Batch = {}
    for topic, of_topic in records.items():
        end = ends.get(topic)
        if end is None:
            before[topic] = of_topic
            continue
        if first := [record for record in of_topic if record.offset < end]:
            before[topic] = first
        after[topic] = [record for record in of_topic if record.offset >= end]
    return before, after


def _ends(parts: Mapping[str, Taken], count: int) -> dict[str, int]:
    """Topic -> offset of its first event that is not among the first so many; not of a topic that has none such."""
    # As ``streams.intake.together`` merges them.
    heads = [
        [(event.received_ms, number) for event in part.events] for number, part in enumerate(parts.values())
    ]
    first = Counter(number for _, number in itertools.islice(heapq.merge(*heads), count))
    return {
        topic: part.offsets[first[number]]
        for number, (topic, part) in enumerate(parts.items())
        if first[number] < len(part.events)
    }


def as_parts(records: Mapping[str, Sequence[Record]], parts: Mapping[str, Taken]) -> Iterator[Part]:
    """What a batch holds, as the limit of dead letters looks at it."""
    for topic, part in parts.items():
        yield Part(topic, records[topic][0].offset, len(records[topic]), part.rejected)
