"""Dead letters that can be taken by now: put back, they count as of the time at which they were received."""

import asyncio
import json
import time
from http.client import HTTPConnection

from rules.durations import format_moment
from streams.connections import KafkaConnection
from streams.local.ports import HOST, free_ports
from streams.redrive import Selection, redrive
from tests.integration.conftest import Install
from tests.integration.history import START_MS, Sent

CONTACTS = [f"back-{number}" for number in range(8)]


def ahead(contact: str) -> Sent:
    """An event whose own time is a minute ahead of its received time."""
    value = {
        "type": "track", "userId": contact, "event": "Order Completed", "properties": {"total": 150},
        "timestamp": START_MS + 60_000,
    }  # fmt: skip
    return Sent(contact.encode(), json.dumps(value).encode(), START_MS)


async def test_what_a_setting_had_refused_is_taken_as_of_its_received_time(install: Install) -> None:
    installation = install()
    strict = installation.worker(max_future_skew="0s", instance="one")
    strict.start()
    await installation.produce(map(ahead, CONTACTS))
    await installation.until_taken(len(CONTACTS) - 1)
    strict.stop()
    assert len(await installation.read(installation.topics.dead_letters)) == len(CONTACTS)

    [port] = free_ports(1)
    worker = installation.worker(instance="one", metrics_port=str(port))
    worker.start()
    connection = KafkaConnection((installation.kafka,))
    done = [await redrive(connection, installation.topics, Selection(), dry_run=False) for _ in range(2)]
    assert [each.put_back.total() for each in done] == [len(CONTACTS), 0]
    # Between them stand the marks of transactions, which are no records: the state may end before the last one.
    until = time.monotonic() + 30
    while len(found := await installation.read(installation.topics.transitions)) < len(CONTACTS):
        assert time.monotonic() < until, worker.said()
        await asyncio.sleep(0.2)
    entered = [json.loads(record.value) for record in found]
    assert sorted(each["userId"] for each in entered) == CONTACTS
    assert {each["timestamp"] for each in entered} == {format_moment(START_MS)}
    assert len(await installation.read(installation.topics.dead_letters)) == len(CONTACTS)
    # Nothing waits, though the topic's end lies behind a mark.
    while "} 0.0" not in (lag := await asyncio.to_thread(_lag, port)) or "} 1.0" in lag:
        assert time.monotonic() < until, lag
        await asyncio.sleep(0.5)


def _lag(port: int) -> str:
    connection = HTTPConnection(HOST, port, timeout=5)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return "\n".join(line for line in lines if line.startswith("segments_lag_records{"))
