"""A start reads nothing of the contacts that are stored, however many there are."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import yaml

from streams.intake import home
from streams.store.keys import PartitionKeys
from tests.integration.conftest import Install
from tests.integration.history import START_MS, Sent
from tests.integration.installation import Installation
from tests.servers import own_redis, unique_name
from tests.streams.recording import until

FEW, MANY = 8, 6000
AFTERWARDS_S = 0.5
"""What a start puts off until something is committed counts, too."""
GOING_THROUGH = {
    "hscan",
    "hvals",
    "hgetall",
    "hkeys",
    "smembers",
    "sscan",
    "zscan",
    "zrangebyscore",
    "scan",
    "keys",
}
SMALL = {"hgetall", "hkeys", "hscan", "zrangebyscore"}
"""Of these a start runs some: on what is small, and to see whether it may. Equally often, whatever is stored."""


@dataclass(frozen=True)
class Cost:
    """What Redis did from a worker's start to its first commit, and a moment longer."""

    commands: dict[str, int]
    """How often each was run that can go through many things."""
    bytes_out: int


def bought(contact: str, number: int) -> Sent:
    said = {"type": "track", "event": "Order Completed", "userId": contact, "messageId": f"m{number}"}
    return Sent(contact.encode(), json.dumps(said).encode(), START_MS + number)


async def start(installation: Installation, number: int) -> Cost:
    """Starts a worker, lets it take one event of a contact that is stored, and stops it."""
    topic, worker = installation.topics.events, installation.worker()
    offsets = PartitionKeys.of(installation.name, home("c1", installation.partitions)).offsets
    with redis.Redis.from_url(installation.redis_url) as client:
        before = client.hget(offsets, topic)
        client.config_resetstat()
        await installation.produce([bought("c1", number)])
        began = time.monotonic()
        worker.start()
        await until(lambda: client.hget(offsets, topic) != before)
        took_s = time.monotonic() - began
        await asyncio.sleep(AFTERWARDS_S)
        ran, told = client.info("commandstats"), client.info("stats")
    worker.stop()
    commands = {name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in ran.items()}
    cost = Cost({name: commands.get(name, 0) for name in GOING_THROUGH}, int(told["total_net_output_bytes"]))
    print(f"{took_s:.2f} s, {cost}")
    return cost


@pytest.mark.timeout(120)
async def test_a_start_costs_the_same_however_many_contacts_are_stored(
    install: Install, tmp_path: Path
) -> None:
    (folder := tmp_path / "redis").mkdir()
    definitions = tmp_path / "definitions"
    definitions.mkdir()
    write(definitions, 2)
    with own_redis(folder) as server:
        costs: list[Cost] = []
        installation: Installation | None = None
        for contacts in (FEW, MANY):
            name = unique_name("start")
            (tmp_path / name).mkdir()
            installation = install(
                redis_url=server.url, name=name, folder=tmp_path / name, segments=definitions
            )
            await installation.produce([bought(f"c{n}", n) for n in range(contacts)], at_once=1000)
            first = installation.worker()
            first.start()
            await installation.until_taken(contacts - 1)
            first.stop()
            costs.append(await start(installation, contacts))
        few, many = costs
        assert many.commands == few.commands
        assert {name for name, calls in many.commands.items() if calls} <= SMALL
        # The records of so many contacts are some hundred kilobytes.
        assert abs(many.bytes_out - few.bytes_out) < 20_000
        # Under other definitions contacts are gone through: it is this that would be seen.
        write(definitions, 1)
        assert installation is not None
        changed = await start(installation, MANY + 1)
        assert changed.commands["hscan"] > many.commands["hscan"]
        assert changed.bytes_out > many.bytes_out + 20_000


def write(definitions: Path, at_least: int) -> None:
    segment = {"key": "buyers", "when": {"did": "Order Completed", "at_least": at_least}}
    (definitions / "segments.yaml").write_text(yaml.safe_dump({"segments": [segment]}))
