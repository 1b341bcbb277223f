"""State made anew from Kafka, after Redis was lost for good."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.integration.conftest import Install
from tests.integration.history import Sent, history
from tests.integration.installation import Installation, WorkerProcess, assert_came_true, outcome

EVENTS = 6000


def _start(installation: Installation, worker: WorkerProcess, *arguments: str) -> subprocess.Popen[bytes]:
    """`segments rebuild` with the settings of a worker."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "rebuild", *arguments],
        env=kept | worker.environment,
        cwd=installation.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def _rebuild(installation: Installation, worker: WorkerProcess) -> dict[str, Any]:
    """Waits until the group has missed workers that were killed, and rebuilds."""
    until = time.monotonic() + 30
    while True:
        process = _start(installation, worker, "--yes", "--json")
        out, err = await asyncio.to_thread(process.communicate, None, 60)
        if b"in the group" not in err or time.monotonic() > until:
            break
        assert process.returncode == 1
        await asyncio.sleep(1)
    assert process.returncode == 0, err.decode()
    found: dict[str, Any] = json.loads(out)
    return found


def _lose_redis(installation: Installation) -> None:
    with redis.Redis.from_url(installation.redis_url) as client:
        client.flushdb()


async def _kill_at_work(installation: Installation, worker: WorkerProcess, sent: list[Sent]) -> bool:
    """Kills a worker somewhere in what it is given; whether outputs were left unpublished."""
    before = installation.taken()
    producing = asyncio.create_task(installation.produce(sent, pause_s=0.02, at_once=50))
    await installation.until_taken(before + len(sent) // 2)
    worker.kill()
    left = bool(await installation.unpublished())
    await producing
    return left


@pytest.mark.timeout(180)
async def test_a_lost_redis_is_made_anew_and_nothing_is_lost_or_repeated(install: Install) -> None:
    installation = install()
    sent = history(11, EVENTS, installation.partitions)
    usual, last = sent[: -installation.partitions], sent[-installation.partitions :]
    third = len(usual) // 3
    worker = installation.worker(instance="the-one")
    worker.start()
    await _kill_at_work(installation, worker, usual[:third])
    worker.start()
    left = await _kill_at_work(installation, worker, usual[third : 2 * third])
    _lose_redis(installation)
    done = await _rebuild(installation, worker)
    print(done, "outputs were on their way" if left else "")
    assert done["heard"] > 100
    assert done["published"] > 0, "half of the second part was never taken"
    assert done["corrected"] == 0
    assert done["gaps"] == []
    assert done["events"] >= 2 * third
    worker.start()
    await installation.produce(usual[2 * third :] + last)
    await installation.drained()
    worker.stop()
    await assert_came_true(installation, outcome(sent))


def _segment(key: str, when: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "campaign": "c", "when": when}


def _define(folder: Path, *segments: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    # JSON is YAML.
    (folder / "all.yaml").write_text(json.dumps({"segments": segments}))
    return folder


BUYERS = _segment("buyers", {"did": "Order Completed", "within": "6h"})
CLICKERS = _segment("clickers", {"did": "Email Clicked", "at_least": 2})
CHANGED_CLICKERS = _segment("clickers", {"did": "Email Clicked", "at_least": 4})
GOLD = _segment("gold", {"trait": "plan", "is": "pro"})
OPENERS = _segment("openers", {"did": "Ticket Opened"})


@pytest.mark.timeout(180)
async def test_definitions_that_changed_meanwhile_bring_consumers_into_line(
    install: Install, tmp_path: Path
) -> None:
    folder = _define(tmp_path / "definitions", BUYERS, CLICKERS, GOLD)
    installation = install(segments=folder)
    sent = history(12, EVENTS // 2, installation.partitions, contacts=300)
    usual, last = sent[: -installation.partitions], sent[-installation.partitions :]
    worker = installation.worker()
    worker.start()
    await installation.produce(usual[: len(usual) // 2], at_once=500)
    await installation.drained()
    worker.stop()
    before = await _published(installation)
    _lose_redis(installation)
    _define(folder, BUYERS, CHANGED_CLICKERS, OPENERS)
    done = await _rebuild(installation, worker)
    assert done["corrected"] > 0
    corrected = await _published(installation)
    for pair, transitions in corrected.items():
        new = transitions[len(before.get(pair, [])) :]
        if pair[1] == "buyers":
            assert new == []
        elif pair[1] == "gold":
            # It is no longer defined: whoever was in has left.
            assert transitions[-1]["event"] == "Audience Exited"
        assert len(new) <= 1 or pair[1] == "openers"
        for transition in new if pair[1] in ("clickers", "gold") else []:
            assert transition["context"]["segment"]["reason"] == "definition"
    worker.start()
    await installation.produce(usual[len(usual) // 2 :] + last, at_once=500)
    await installation.drained()
    worker.stop()
    published = await _published(installation)
    members: dict[str, set[str]] = defaultdict(set)
    for (contact, segment), transitions in published.items():
        numbers = [transition["context"]["segment"]["sequence"] for transition in transitions]
        assert numbers == list(range(1, len(numbers) + 1))
        assert [t["event"] for t in transitions] == [
            "Audience Entered" if number % 2 else "Audience Exited" for number in numbers
        ]
        if len(numbers) % 2:
            members[segment].add(contact)
    expected = outcome(sent, folder)
    assert members == {key: found for key, found in expected.members.items() if found}
    assert installation.members() | {} == expected.members


async def _published(installation: Installation) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """By contact and segment; within a contact no transition is earlier than the one before it."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    moments: dict[bytes, str] = {}
    for record in await installation.read(installation.topics.transitions):
        said = json.loads(record.value)
        assert moments.get(record.key, "") <= said["timestamp"]
        moments[record.key] = said["timestamp"]
        found[record.key.decode(), said["properties"]["audience_key"]].append(said)
    return dict(found)


@pytest.mark.timeout(180)
async def test_one_that_is_killed_keeps_workers_away_and_can_be_run_again(install: Install) -> None:
    installation = install()
    sent = history(13, EVENTS // 2, installation.partitions)
    usual, last = sent[: -installation.partitions], sent[-installation.partitions :]
    worker = installation.worker()
    worker.start()
    await installation.produce(usual[: len(usual) // 2], at_once=500)
    await installation.drained()
    worker.stop()
    await installation.produce(usual[len(usual) // 2 :], at_once=500)
    before = sum((await installation.ends(installation.topics.transitions)).values())
    process = _start(installation, worker, "--yes")
    await _until_published(installation, before)
    process.kill()
    process.communicate()
    worker.start()
    until = time.monotonic() + 30
    while "its state is being rebuilt" not in worker.said():
        assert time.monotonic() < until, worker.said()
        await asyncio.sleep(0.1)
    process = _start(installation, worker, "--yes")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, b"a worker runs in the group" in err) == (1, True)
    worker.stop()
    process = _start(installation, worker)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, b"say so with --yes" in err) == (2, True)
    await _rebuild(installation, worker)
    worker.start()
    await installation.produce(last)
    await installation.drained()
    worker.stop()
    await assert_came_true(installation, outcome(sent))


async def _until_published(installation: Installation, more_than: int) -> None:
    until = time.monotonic() + 30
    while sum((await installation.ends(installation.topics.transitions)).values()) <= more_than:
        assert time.monotonic() < until, "it publishes nothing"
