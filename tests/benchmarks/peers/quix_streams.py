"""The peer: Quix Streams, with a contact's record in its RocksDB state and a changelog topic.

The rules are the project's, the record is the one that the worker stores. What has been done is committed every second:
with Quix's default of 5 s a short run would end before most of it is written.
"""

import os
from typing import Any

from quixstreams import Application, State

from tests.benchmarks.peers.one_event import Assigner

GUARANTEE: Any = os.environ["PEER_GUARANTEE"]
COMMIT_S = 1.0

app = Application(
    broker_address=os.environ["PEER_KAFKA"],
    consumer_group=os.environ["PEER_GROUP"],
    auto_offset_reset="earliest",
    processing_guarantee=GUARANTEE,
    commit_interval=COMMIT_S,
    state_dir=os.path.join(os.environ["PEER_FOLDER"], "state"),  # noqa: PTH118 - it takes a text
    loglevel="WARNING",
)
source = app.topic(os.environ["PEER_EVENTS"], key_deserializer="bytes", value_deserializer="bytes")
target = app.topic(os.environ["PEER_TRANSITIONS"], key_serializer="bytes", value_serializer="bytes")
assigner = Assigner()


def assign(value: bytes, _key: Any, timestamp: int, _headers: Any, state: State) -> list[bytes]:
    event = assigner.event(value, timestamp)
    if event is None:
        return []
    record, transitions = assigner.take_stored(state.get_bytes("contact"), event)
    state.set_bytes("contact", record)
    return [out_value for _, out_value, _ in transitions]


app.dataframe(source).apply(assign, stateful=True, expand=True, metadata=True).to_topic(target)

if __name__ == "__main__":
    app.run()
