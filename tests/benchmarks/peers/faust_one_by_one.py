"""The peer: a stock Faust agent that does the worker's job one event at a time.

For each event it gets the contact's state from Redis, judges it by the same rules as the worker, writes the state back,
and sends each transition. It has no outbox, no fence and no wakes (time moves a contact when its next event comes), so
it promises less than the worker, and does less.
"""

import os
from typing import Any

import faust
import redis.asyncio as redis

from tests.benchmarks.peers.one_event import Assigner

GROUP = os.environ["PEER_GROUP"]

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
assigner = Assigner()


@app.agent(source)
async def assign(stream: Any) -> None:
    async for message in stream.events():
        event = assigner.event(message.value, round(message.message.timestamp * 1000))
        if event is None:
            continue
        key = f"{GROUP}:contact:{event.contact_id}"
        record: Any = await store.get(key)
        record, transitions = assigner.take_stored(record, event)
        await store.set(key, record)
        for out_key, value, headers in transitions:
            await target.send(key=out_key, value=value, headers=headers)


if __name__ == "__main__":
    app.main()
