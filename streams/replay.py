"""Events from a file through the rules, with no Kafka and no Redis: one partition whose clock is its events'."""

import heapq
from collections.abc import Callable, Iterable, Iterator

from rules.catalog import Catalog
from rules.contact import Contact
from rules.event import Event
from rules.step import Step, Transition
from streams.wire import Rejected, decode_line

Reject = Callable[[int, Rejected], None]
"""Called with the number of the line, from 1, of a record that cannot be taken."""


class Replay:
    """One partition in memory. Transitions of one contact come in order; across contacts order is free."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._step = Step(catalog)
        self._wakes: list[tuple[int, str]] = []
        self.contacts: dict[str, Contact] = {}
        self.clock_ms: int | None = None
        """The largest received time taken, in milliseconds UTC."""

    def take(self, event: Event) -> list[Transition]:
        """Takes one event, and lets happen what its received time brings for all contacts."""
        out: list[Transition] = []
        clock_ms = event.received_ms if self.clock_ms is None else max(self.clock_ms, event.received_ms)
        self.clock_ms = clock_ms
        contact = self.contacts.get(event.contact_id)
        if contact is None:
            contact = self.contacts[event.contact_id] = Contact(id=event.contact_id)
        wake_ms = contact.wake_ms
        self._step.take(contact, event, clock_ms, out)
        self._note_wake(contact, wake_ms)
        self._serve_wakes(clock_ms, out, inclusive=False)
        return out

    def finish(self, until_ms: int | None = None) -> list[Transition]:
        """The wakes that are still to happen at the end: up to and including the clock, or ``until_ms``."""
        out: list[Transition] = []
        end_ms = self.clock_ms if until_ms is None else until_ms
        if end_ms is not None:
            self._serve_wakes(end_ms, out, inclusive=True)
        return out

    def run(
        self, lines: Iterable[bytes], *, until_ms: int | None, max_future_skew_ms: int, reject: Reject
    ) -> Iterator[Transition]:
        """The transitions of a file of events, one JSON object a line.

        Blank lines are skipped; a defective record is handed to ``reject``, whatever its received time; records
        received after ``until_ms`` are not taken.
        """
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            event = decode_line(line, max_future_skew_ms=max_future_skew_ms)
            if isinstance(event, Rejected):
                reject(number, event)
            elif until_ms is None or event.received_ms <= until_ms:
                yield from self.take(event)
        yield from self.finish(until_ms)

    def _note_wake(self, contact: Contact, before_ms: int | None) -> None:
        if contact.wake_ms is not None and contact.wake_ms != before_ms:
            heapq.heappush(self._wakes, (contact.wake_ms, contact.id))

    def _serve_wakes(self, clock_ms: int, out: list[Transition], *, inclusive: bool) -> None:
        wakes = self._wakes
        while wakes and (wakes[0][0] < clock_ms or (inclusive and wakes[0][0] == clock_ms)):
            wake_ms, contact_id = heapq.heappop(wakes)
            contact = self.contacts[contact_id]
            # An entry that is no longer the contact's wake has been overtaken by a later one.
            if contact.wake_ms == wake_ms:
                self._step.advance(contact, clock_ms, out, inclusive=inclusive)
                self._note_wake(contact, None)


def replay_lines(
    catalog: Catalog, lines: Iterable[bytes], *, until_ms: int | None, max_future_skew_ms: int, reject: Reject
) -> Iterator[Transition]:
    """The transitions of a file of events; see ``Replay.run``."""
    return Replay(catalog).run(lines, until_ms=until_ms, max_future_skew_ms=max_future_skew_ms, reject=reject)
