"""One event of one contact, from its bytes to its transitions, by the rules of the project.

What the peers in Python do between their framework's input, state and output: so all of them judge with the same code
as the worker, and as fast.
"""

import gc
import os
import time
from pathlib import Path

from rules.catalog import Blueprint
from rules.contact import Contact
from rules.event import Event
from rules.loading import load
from rules.step import Step, Transition
from streams.records import decode_record, encode_record
from streams.wire import decode, encode

Output = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""Key, value and headers of a transition."""


class Assigner:
    """Judges contacts that are given to it, and notes when the first event came."""

    def __init__(self) -> None:
        self._step = Step(Blueprint(load(os.environ["PEER_DEFINITIONS"])).catalog())
        self._has_begun = False
        # As the worker does: else Python looks through all contacts in memory again and again, and finds nothing.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)

    def event(self, value: bytes, received_ms: int) -> Event | None:
        """From a record's value and timestamp, in milliseconds UTC; None: it is no event."""
        if not self._has_begun:
            self._has_begun = True
            Path(os.environ["PEER_FOLDER"], "first").write_text(str(time.time()))
        found = decode(value, received_ms)
        return found if isinstance(found, Event) else None

    def take(self, contact: Contact, event: Event) -> list[Output]:
        """Takes an event of the contact, and returns what is to be sent."""
        transitions: list[Transition] = []
        self._step.take(contact, event, event.received_ms, transitions)
        return [encode(transition) for transition in transitions]

    def take_stored(self, record: bytes | None, event: Event) -> tuple[bytes, list[Output]]:
        """The same for a contact's record, None where there is none yet; returns the new one too."""
        contact = restored(event.contact_id, record)
        out = self.take(contact, event)
        return encode_record(contact, 0), out


def restored(contact_id: str, record: bytes | None) -> Contact:
    """A contact from its record."""
    return Contact(id=contact_id) if record is None else decode_record(contact_id, record)[0]
