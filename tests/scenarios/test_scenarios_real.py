"""Every scenario through a real Kafka, a real Redis and one worker, one after the other in simulated time."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from streams.wire import RECEIVED_AT
from tests.driven_lane import kafka_records, transition_of
from tests.integration.history import Sent
from tests.integration.installation import Installation
from tests.reference import Expected
from tests.scenarios.scenario import Scenario, scenarios
from tests.servers import empty_database, unique_name

FIRST_MS = 31_917_600_000
"""1971-01-05 10:00 UTC: what is received in the wall clock's future is refused, and days start as elsewhere."""
APART_MS = 200 * 86_400_000


def _placed() -> list[Scenario]:
    """All scenarios, each in half a year of its own."""
    return [
        scenario.moved(FIRST_MS + number * APART_MS, f"s{number:02}-")
        for number, scenario in enumerate(scenarios())
    ]


@dataclass
class Came:
    """What the worker published."""

    transitions: dict[str, list[Expected]] = field(default_factory=dict)
    dead_letters: list[tuple[str, str]] = field(default_factory=list)
    """Contact and reason."""

    def of(self, scenario: Scenario) -> dict[str, list[Expected]]:
        """What concerns the scenario, while it lasted: the clock goes on with those after it."""
        keys = {segment["key"] for segment in scenario.segments}
        contacts = {
            contact: [found for found in moves if found.segment in keys and found.at_ms <= scenario.end_ms]
            for contact, moves in self.transitions.items()
            if contact in scenario.expected
            or contact.removeprefix("anonymous:").startswith(scenario.prefix or "\0")
        }
        return {contact: moves for contact, moves in contacts.items() if moves}


def _sent(scenario: Scenario) -> Iterator[Sent]:
    for record in kafka_records(scenario.records):
        received = dict(record.headers)[RECEIVED_AT]
        yield Sent(record.key, record.value or b"", int(received or 0))
    # A file ends with the wakes up to and including its clock; a partition's clock has to go beyond them.
    tick = {"type": "group", "userId": "clock"}
    yield Sent(b"clock", json.dumps(tick).encode(), scenario.end_ms + 1)


async def _run(installation: Installation, placed: list[Scenario]) -> Came:
    installation.worker().start()
    await installation.produce(sent for scenario in placed for sent in _sent(scenario))
    await installation.drained()
    came = Came()
    for record in await installation.read(installation.topics.transitions):
        transition = transition_of(record.value)
        came.transitions.setdefault(transition.contact, []).append(transition)
    for record in await installation.read(installation.topics.dead_letters):
        reason = dict(record.headers)["reason"].decode()
        came.dead_letters.append((json.loads(record.value)["userId"], reason))
    return came


@pytest.fixture(scope="module")
def came(kafka: str, redis_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Came:
    folder = tmp_path_factory.mktemp("scenarios")
    placed = _placed()
    definitions = folder / "segments"
    definitions.mkdir()
    for number, scenario in enumerate(placed):
        # JSON is YAML.
        (definitions / f"{number:02}.yaml").write_text(
            json.dumps({"segments": scenario.segments, "groups": scenario.groups})
        )
    installation = Installation(
        kafka,
        empty_database(redis_server_url),
        unique_name("scenarios"),
        folder,
        partitions=1,
        segments=definitions,
    )
    installation.make_topics()
    try:
        return asyncio.run(_run(installation, placed))
    finally:
        for worker in installation.workers:
            worker.end()


@pytest.mark.parametrize("scenario", _placed(), ids=str)
def test_the_real_thing(scenario: Scenario, came: Came) -> None:
    assert came.of(scenario) == scenario.expected
    mine = [reason for contact, reason in came.dead_letters if contact.startswith(scenario.prefix or "\0")]
    assert mine == scenario.dead_letters


def test_the_scenarios_do_not_meet() -> None:
    """Each has contacts and segments of its own, and time enough."""
    placed = _placed()
    keys = [segment["key"] for scenario in placed for segment in scenario.segments]
    assert len(keys) == len(set(keys))
    assert all(scenario.end_ms < scenario.start_ms + APART_MS // 2 for scenario in placed)
