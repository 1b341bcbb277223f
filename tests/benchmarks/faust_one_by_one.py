"""The peer: a stock Faust agent that does the worker's job one event at a time.

For each event it gets the contact's state from Redis, judges it by the same rules as the worker, writes the state back,
and sends each transition. It has no outbox, no fence and no wakes (time moves a contact when its next event comes), so
it promises less than the worker, and does less.

Run by the benchmark: ``python -m tests.benchmarks.faust_one_by_one worker`` with the names in the environment. When it
has done all the events it writes the moments of the first and the last one to a file.
"""

import os
import time
from pathlib import Path
from typing import Any

import faust
import redis.asyncio as redis

from rules.catalog import Blueprint
from rules.contact import Contact
from rules.event import Event
from rules.loading import load
from rules.step import Step, Transition
from streams.records import decode_record, encode_record
from streams.wire import decode, encode, received_time

GROUP = os.environ["PEER_GROUP"]
COUNT = int(os.environ["PEER_COUNT"])

app = faust.App(
    GROUP,
    broker=f"kafka://{os.environ['PEER_KAFKA']}",
    store="memory://",
    consumer_auto_offset_reset="earliest",
    topic_partitions=int(os.environ["PEER_PARTITIONS"]),
    web_enabled=False,
    datadir=os.environ["PEER_FOLDER"],
)
source = app.topic(os.environ["PEER_EVENTS"], key_serializer="raw", value_serializer="raw")
target = app.topic(os.environ["PEER_TRANSITIONS"], key_serializer="raw", value_serializer="raw")
store = redis.from_url(os.environ["PEER_REDIS"])
step = Step(Blueprint(load(os.environ["PEER_DEFINITIONS"])).catalog())
moments: list[float] = []


@app.agent(source)
async def assign(stream: Any) -> None:
    done = 0
    async for message in stream.events():
        if not done:
            moments.append(time.time())
        await one(message.value, received_time((message.headers or {}).items(), None))
        done += 1
        if done == COUNT:
            moments.append(time.time())
            _tell(moments)


def _tell(moments: list[float]) -> None:
    Path(os.environ["PEER_FOLDER"], "done").write_text(f"{moments[0]} {moments[1]}")


async def one(value: bytes, received_ms: int | None) -> None:
    """One event, from its bytes to its transitions."""
    event = decode(value, received_ms)
    if not isinstance(event, Event):
        return
    key = f"{GROUP}:contact:{event.contact_id}"
    record: Any = await store.get(key)
    contact = Contact(id=event.contact_id) if record is None else decode_record(event.contact_id, record)[0]
    transitions: list[Transition] = []
    step.take(contact, event, event.received_ms, transitions)
    await store.set(key, encode_record(contact, 0))
    for transition in transitions:
        out_key, out_value, headers = encode(transition)
        await target.send(key=out_key, value=out_value, headers=headers)


if __name__ == "__main__":
    app.main()
