"""A fetched batch on its way into the contacts, a few records at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rules.event import Event
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
    late: int = 0
    """Events that came after the clock had gone beyond them."""


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
        came = Came(Taken())
        for some in self._few(records):
            parts = self._sorted(some, now_ms)
            taken = together(parts.values())
            folded = self._fold(taken.events, work, passed_ms, came)
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
            if len(work.transitions) >= self._on.most_transitions:
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

    def _fold(self, events: Sequence[Event], work: Work, passed_ms: int, came: Came) -> int:
        """Takes events until enough transitions follow from them; returns how many."""
        transitions, most = work.transitions, self._on.most_transitions
        take, delay_ms = self._contacts.take, self._on.wake_delay_ms
        count = 0
        for event in events:
            clock_ms = work.clock_ms
            if not take(event, work, most):
                break
            count += 1
            if event.received_ms < clock_ms:
                # Time has moved the clock beyond it, or it is far behind the others: its contact may have been moved
                # in its absence.
                came.late += event.received_ms < max(passed_ms, clock_ms - delay_ms)
            if len(transitions) >= most:
                break
        return count


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
