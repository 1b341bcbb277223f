"""The purchase history through a real Kafka, a real Redis and a worker, at its own times."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cdnow import by_hand
from tests.cdnow.purchases import DAY_MS, SEGMENTS, event_lines, purchases
from tests.driven_lane import transition_of
from tests.integration.history import Sent, one_of_each
from tests.integration.installation import Installation, assert_came_true, outcome
from tests.reference import Expected
from tests.reference.moments import moment_ms

PARTITIONS = 4


def _sent() -> Iterator[Sent]:
    last_ms = 0
    for line in event_lines():
        event = json.loads(line)
        received_ms = moment_ms(event["timestamp"])
        assert received_ms is not None
        last_ms = received_ms
        yield Sent(event["userId"].encode(), line, received_ms)
    for contact in one_of_each(PARTITIONS):
        # Moves the partition's clock past the last day, and is no event of anybody.
        tick = {"type": "group", "userId": contact}
        yield Sent(contact.encode(), json.dumps(tick).encode(), last_ms + 1)


@pytest.mark.timeout(240)
async def test_every_transition_is_published_as_worked_out_by_hand_and_as_replayed(
    kafka: str, redis_url: str, unique: str, tmp_path: Path
) -> None:
    installation = Installation(kafka, redis_url, unique, tmp_path, PARTITIONS, segments=SEGMENTS)
    installation.make_topics()
    sent = list(_sent())
    worker = installation.worker()
    worker.start()
    try:
        await installation.produce(sent, at_once=2_000)
        await installation.drained(timeout_s=180)
        await assert_came_true(installation, outcome(sent, SEGMENTS))
        published: dict[str, list[Expected]] = {}
        for record in await installation.read(installation.topics.transitions):
            transition = transition_of(record.value)
            published.setdefault(transition.contact, []).append(transition)
        bought = purchases()
        assert sent[-1].received_ms == bought[-1].day * DAY_MS + 1
        expected = by_hand.transitions(bought, bought[-1].day)
        assert published.keys() == expected.keys()
        assert all(published[customer] == moves for customer, moves in expected.items())
        worker.stop()
    finally:
        worker.end()
