"""A fetched batch on its way into the contacts, a few records at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from streams.contacts import Contacts, Work
from streams.deployment import Deployment
from streams.flood import Part
from streams.intake import Intake, Record, Taken, together
from streams.portions import Batch, as_parts, divided


@dataclass(slots=True)
class Came:
    """What has become of the records that were taken."""

    taken: Taken
    """But for the events, which are part of the contacts now."""
    parts: list[Part] = field(default_factory=list)
    """As the limit of dead letters looks at them."""
    rest: Batch = field(default_factory=dict)
    """Records that are left for another time, as enough follows from those before them."""


class Taking:
    """Takes batches of one partition."""

    def __init__(self, intake: Intake, contacts: Contacts, deployment: Deployment) -> None:
        self._intake, self._contacts, self._on = intake, contacts, deployment

    def ids(self, records: Mapping[str, Sequence[Record]], now_ms: int) -> list[str]:
        """The contacts that a batch can change, and perhaps others."""
        found: list[str] = []
        for topic, of_topic in records.items():
            if topic == self._on.topics.by_contact:
                # Whoever sends them on gives them any key.
                found += [event.contact_id for event in self._intake.take(topic, of_topic, now_ms).events]
            else:
                # Under another key than its contact's, a record is sent on.
                found += _texts([record.key for record in of_topic if record.key is not None])
        return found

    def take(self, records: Mapping[str, Sequence[Record]], work: Work, now_ms: int, passed_ms: int) -> Came:
        """Takes as many records as may be taken at once. Their contacts are in memory; ``passed_ms`` is up to where time
        alone has moved the clock."""
        every: list[Taken] = []
        came, most = Came(Taken()), self._on.most_transitions
        for some in self._few(records):
            parts = self._sorted(some, now_ms)
            taken = together(parts.values())
            folded = self._contacts.take(taken.events, work, most, passed_ms, self._on.wake_delay_ms)
            self._contacts.put_away(work)
            done = some
            if folded < len(taken.events):
                done, left = divided(some, parts, folded)
                came.rest = _since(records, {topic: of_topic[0].offset for topic, of_topic in left.items()})
                parts = self._sorted(done, now_ms)
                taken = together(parts.values()) if parts else Taken()
            came.parts += as_parts(done, parts)
            taken.events, taken.offsets = [], []
            every.append(taken)
            if len(work.transitions) >= most:
                behind = {topic: of_topic[-1].offset + 1 for topic, of_topic in some.items()}
                came.rest = came.rest or _since(records, behind)
            if came.rest:
                break
        came.taken = together(every)
        return came

    def _few(self, records: Mapping[str, Sequence[Record]]) -> Iterator[Mapping[str, Sequence[Record]]]:
        events = self._on.topics.events
        if records.keys() != {events}:
            # They are taken in the order of their received times, or dropped where they come twice.
            yield records
            return
        of_topic, at_once = records[events], self._on.at_once
        for first in range(0, len(of_topic), at_once):
            yield {events: of_topic[first : first + at_once]}

    def _sorted(self, records: Mapping[str, Sequence[Record]], now_ms: int) -> dict[str, Taken]:
        take, known = self._intake.take, self._contacts.known
        return {topic: take(topic, of_topic, now_ms, known) for topic, of_topic in records.items()}


def _texts(keys: Sequence[bytes]) -> list[str]:
    try:
        return [key.decode() for key in keys]
    except UnicodeDecodeError:
        return [key.decode("utf-8", "replace") for key in keys]


def _since(records: Mapping[str, Sequence[Record]], begins: Mapping[str, int]) -> Batch:
    """The records of these topics from these offsets on."""
    found = {
        topic: [record for record in records[topic] if record.offset >= begin]
        for topic, begin in begins.items()
    }
    return {topic: of_topic for topic, of_topic in found.items() if of_topic}
