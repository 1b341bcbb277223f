"""The peer: Bytewax, with contacts in the memory of its one worker, and snapshots of those that have changed in SQLite
at the end of each epoch. It is started as ``python -m bytewax.run``.

The rules are the project's. A contact is a Python object here, and becomes a record in a snapshot only.
"""

import os
from collections.abc import Iterable

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulLogic

from rules.event import Event
from streams.records import encode_record
from tests.benchmarks.peers.one_event import Assigner, Output, restored

BROKERS = [os.environ["PEER_KAFKA"]]
assigner = Assigner()


def events_of(message: KafkaSourceMessage[bytes | None, bytes | None]) -> list[tuple[str, Event]]:
    assert message.timestamp is not None
    event = assigner.event(message.value or b"", message.timestamp[1])
    return [] if event is None else [(event.contact_id, event)]


class Judged(StatefulLogic[Event, Output, tuple[str, bytes]]):  # type: ignore[misc] # there are no types of it here
    """A contact."""

    def __init__(self, stored: tuple[str, bytes] | None) -> None:
        self._contact = None if stored is None else restored(*stored)

    def on_item(self, value: Event) -> tuple[Iterable[Output], bool]:
        if self._contact is None:
            self._contact = restored(value.contact_id, None)
        return assigner.take(self._contact, value), StatefulLogic.RETAIN

    def snapshot(self) -> tuple[str, bytes]:
        assert self._contact is not None
        return self._contact.id, encode_record(self._contact, 0)


def message_of(judged: tuple[str, Output]) -> KafkaSinkMessage[bytes, bytes]:
    key, value, headers = judged[1]
    return KafkaSinkMessage(key, value, headers=headers)


flow = Dataflow("assign")
source = kafka.input("events", flow, brokers=BROKERS, topics=[os.environ["PEER_EVENTS"]])
events = op.flat_map("decode", source.oks, events_of)
transitions = op.stateful("judge", events, Judged)
messages = op.map("encode", transitions, message_of)
kafka.output("transitions", messages, brokers=BROKERS, topic=os.environ["PEER_TRANSITIONS"])
