"""How many events a second a peer takes, and at what cost."""

import asyncio
import json
import subprocess
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.benchmarks.checking import WrongResult, check
from tests.benchmarks.history import History
from tests.benchmarks.measuring import Sampler
from tests.benchmarks.peers import PEERS, Peer
from tests.benchmarks.peers.environments import MADE, LeftOut, java_version
from tests.benchmarks.peers.plain_rules import plain_rules
from tests.benchmarks.site import CHECKOUT, Site, fill, process
from tests.benchmarks.throughput import PATIENCE_S, rates
from tests.integration.installation import Installation

LOOK_MS = 20


class PeerFailed(Exception):
    """A peer ended, was not done in time, or did something else than it must."""


async def peer_throughput(site: Site, history: History, name: str) -> dict[str, Any]:
    """From a peer's first event to the last transition that must come. Raises LeftOut where it cannot be run here,
    and PeerFailed."""
    peer, expected = PEERS[name], history.expected_without_wakes
    count, transitions = len(history.sent), sum(map(len, expected.values()))
    if not transitions:
        raise ValueError(f"{count} events of {history.workload.name} move nobody: take more")
    installation = site.installation(history.workload, "events")
    folder = installation.folder
    command, environment = peer.command(folder), _environment(peer, installation, history)
    await fill(installation, history.sent)
    _prepare(peer, folder)
    log = folder / "peer.log"
    with (
        process(command, environment, log) as started,
        Sampler({**site.pids, "worker": started.pid}) as sampler,
    ):
        end = await _last_transition(installation, transitions, started, log)
        begin = float((folder / "first").read_text())
        used = sampler.between(begin, end)
        # One that is too many would come by then.
        await asyncio.sleep(1)
    try:
        await check(installation, expected, whole=peer.tells_all)
    except WrongResult as why:
        raise PeerFailed(str(why)) from None
    site.forget(installation)
    return {"label": peer.label, **rates(count, transitions, end - begin, used)}


def version_of(peer: Peer) -> dict[str, str]:
    """Of what a peer is about, where that is not in the environment of the benchmark."""
    if peer.package is None:
        return {}
    made, package = peer.package
    places = [str(place) for place in (MADE / made).glob("lib/python*/site-packages")]
    jars = [
        jar.stem.removeprefix(f"{package}-") for jar in (MADE / made / "jars").glob(f"{package}-[0-9]*.jar")
    ]
    if jars:
        return {package: jars[0], "java": java_version()}
    return {package: found.version for found in distributions(name=package, path=places)}  # noqa: B035 - there is one


def _prepare(peer: Peer, folder: Path) -> None:
    if peer.prepared is not None:
        subprocess.run(peer.prepared(folder), cwd=CHECKOUT, check=True)


def _said(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _environment(peer: Peer, installation: Installation, history: History) -> dict[str, str]:
    rules = installation.folder / "rules.json"
    if not peer.tells_all:
        try:
            rules.write_text(json.dumps(plain_rules(history.workload.segments.documents)))
        except ValueError as why:
            raise LeftOut(str(why)) from None
    return {
        "PEER_GROUP": f"peer-{installation.name}",
        "PEER_KAFKA": installation.kafka,
        "PEER_REDIS": installation.redis_url,
        "PEER_PARTITIONS": str(installation.partitions),
        "PEER_EVENTS": installation.topics.events,
        "PEER_TRANSITIONS": installation.topics.transitions,
        "PEER_DEFINITIONS": str(installation.segments),
        "PEER_RULES": str(rules),
        "PEER_FOLDER": str(installation.folder),
        **peer.settings,
    }


async def _last_transition(
    installation: Installation, count: int, started: subprocess.Popen[bytes], log: Path
) -> float:
    """When a consumer had the last of so many transitions, in seconds since 1970."""
    until, came = time.monotonic() + PATIENCE_S, 0
    topic = installation.topics.transitions
    async with AIOKafkaConsumer(
        bootstrap_servers=installation.kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    ) as consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(installation.partitions)])
        while True:
            found = await consumer.getmany(timeout_ms=LOOK_MS)
            came += sum(map(len, found.values()))
            if came >= count:
                return time.time()
            if started.poll() is not None:
                raise PeerFailed(f"it ended: {_said(log)}")
            if time.monotonic() > until:
                raise PeerFailed(f"{came} transitions came, {count} were expected: {_said(log)}")
