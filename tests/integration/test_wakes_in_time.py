"""Moments at which time alone changes something, with the wall clock as the clock."""

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from rules.durations import format_moment, parse_moment
from tests.integration.conftest import Install
from tests.integration.history import Sent
from tests.integration.installation import Installation

HOUR_MS = 3_600_000
WAKE_DELAY_MS = 500
SEGMENT = "segments: [{key: seen, campaign: hello, when: {did: Seen, within: 1h}}]\n"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "seen.yaml").write_text(SEGMENT)
    return folder


def _seen(contact: str, leaves_at_ms: int) -> Sent:
    """An event that makes a contact a member now, until a moment soon."""
    said = {
        "type": "track", "event": "Seen", "userId": contact, "timestamp": format_moment(leaves_at_ms - HOUR_MS),
    }  # fmt: skip
    return Sent(contact.encode(), json.dumps(said).encode(), _now_ms())


async def _exits(installation: Installation, count: int, timeout_s: float) -> list[tuple[str, int, int]]:
    """Contact, moment of the transition, and when the broker got it, of so many exits, in the order in which they came.

    The broker's time, not that at which this program sees them: what the test itself takes is nobody's lateness.
    """
    found: list[tuple[str, int, int]] = []
    async with (
        asyncio.timeout(timeout_s),
        AIOKafkaConsumer(
            installation.topics.transitions,
            bootstrap_servers=installation.kafka,
            auto_offset_reset="earliest",
        ) as consumer,
    ):
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    said = json.loads(record.value)
                    if said["event"] == "Audience Exited":
                        assert said["context"]["segment"]["reason"] == "time"
                        found.append((said["userId"], parse_moment(said["timestamp"]), record.timestamp))
    return found


def _p99(values: Sequence[int]) -> int:
    return sorted(values)[len(values) * 99 // 100 - 1]


@pytest.mark.parametrize("load", [0, 500], ids=["idle", "loaded"])
async def test_wakes_come_at_most_a_second_late(install: Install, definitions: Path, load: int) -> None:
    installation = install(clock="wall", segments=definitions)
    installation.worker().start()
    # A first one, so that the worker is at work.
    await installation.produce([_seen("first", _now_ms() + HOUR_MS)])
    await installation.until_taken(0)
    begin_ms, contacts = _now_ms() + 5000, 2000
    moments = {f"c{number}": begin_ms + 5 * number for number in range(contacts)}
    exits = asyncio.create_task(_exits(installation, contacts, 40))
    await installation.produce(_seen(contact, moment) for contact, moment in moments.items())
    until = time.monotonic() + 15
    while load and time.monotonic() < until:
        others = [_seen(f"other{number}", _now_ms() + HOUR_MS) for number in range(load // 10)]
        await installation.produce(others)
        await asyncio.sleep(0.1)
    found = await exits
    assert {contact: moment for contact, moment, _ in found} == moments
    assert len(found) == contacts
    late_ms = [came_ms - moment - WAKE_DELAY_MS for _, moment, came_ms in found]
    print(
        f"late: median {sorted(late_ms)[contacts // 2]} ms, p99 {_p99(late_ms)} ms, at most {max(late_ms)} ms"
    )
    # Never before the clock is beyond it: where events come, they move it, and nothing waits for the wall clock.
    assert min(late_ms) >= (-WAKE_DELAY_MS if load else 0)
    assert _p99(late_ms) <= 1000


async def test_wakes_that_were_due_while_no_worker_ran_happen_at_their_own_moments(
    install: Install, definitions: Path
) -> None:
    installation = install(clock="wall", segments=definitions)
    worker = installation.worker(instance="the-one")
    worker.start()
    # A first one, so that the worker's start is no part of the time that is left until the moments.
    await installation.produce([_seen("first", _now_ms() + HOUR_MS)])
    await installation.until_taken(0)
    begin_ms = _now_ms() + 6000
    moments = {f"c{number}": begin_ms + number for number in range(300)}
    await installation.produce(_seen(contact, moment) for contact, moment in moments.items())
    await installation.until_taken(len(moments))  # and the first
    worker.kill()
    assert _now_ms() < begin_ms, "the machine is too slow for this test"
    await asyncio.sleep((begin_ms - _now_ms()) / 1000 + 2)
    # No event comes any more.
    worker.start()
    found = await _exits(installation, len(moments), 30)
    assert {contact: moment for contact, moment, _ in found} == moments
