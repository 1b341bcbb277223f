"""State made anew from Kafka, after Redis was lost for good."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka import KafkaAdminClient, TopicPartition

from streams.admission import REBUILD_FIELD
from streams.intake import Record
from streams.rebuild.lane import RebuildLane
from tests.integration.conftest import Install
from tests.integration.history import Sent, history
from tests.integration.installation import Installation, WorkerProcess, assert_came_true, outcome
from tests.integration.probing import Probed
from tests.integration.worker_main import worker_process
from tests.streams import recording

EVENTS = 6000


class Rebuilding:
    """`segments rebuild` in a process of its own, with the settings of a worker."""

    def __init__(
        self,
        installation: Installation,
        worker: WorkerProcess,
        *arguments: str,
        first: Callable[[], None] | None = None,
    ) -> None:
        self._log = installation.folder / "rebuild.log"
        self._log.write_bytes(b"")
        self.process = worker_process(worker.environment, self._log, first, ["rebuild", *arguments])
        self.process.start()

    async def end(self) -> tuple[int | None, str]:
        """Exit code, and all that it said."""
        await asyncio.to_thread(self.process.join, 60)
        return self.process.exitcode, self._log.read_text()


async def _rebuild(installation: Installation, worker: WorkerProcess) -> dict[str, Any]:
    """Waits until the group has missed workers that were killed, and rebuilds."""
    until = time.monotonic() + 30
    while True:
        code, said = await Rebuilding(installation, worker, "--yes", "--json").end()
        if "in the group" not in said or time.monotonic() > until:
            break
        assert code == 1
        await asyncio.sleep(0.5)
    assert code == 0, said
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def _lose_redis(installation: Installation) -> None:
    with redis.Redis.from_url(installation.redis_url) as client:
        client.flushdb()


async def _kill_at_work(installation: Installation, worker: WorkerProcess, sent: list[Sent]) -> bool:
    """Kills a worker somewhere in what it is given; whether outputs were left unpublished.

    The second half comes when it is dead: it must be left over, also where a worker that started late takes in one go
    all that is there.
    """
    before, half = installation.taken(), len(sent) // 2
    producing = asyncio.create_task(installation.produce(sent[:half], pause_s=0.02, at_once=50))
    await installation.until_taken(before + half * 3 // 4)
    worker.kill()
    left = bool(await installation.unpublished())
    await producing
    await installation.produce(sent[half:])
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


@pytest.mark.timeout(180)
async def test_a_worker_on_an_empty_redis_publishes_nothing_again_until_somebody_says_what_to_do(
    install: Install,
) -> None:
    installation = install()
    sent = history(14, 800, installation.partitions)
    usual, last = sent[: -installation.partitions], sent[-installation.partitions :]
    worker = installation.worker()
    worker.start()
    await installation.produce(usual, at_once=500)
    await installation.drained()
    worker.stop()
    published = await installation.ends(installation.topics.transitions)
    _lose_redis(installation)
    probed = Probed(installation)
    said = await probed.until_stands("state_lost", {0, 1, 2, 3})
    assert "segments rebuild" in said
    _lose_redis(installation)
    await asyncio.sleep(1)
    assert probed.standstills().keys() == {0, 1, 2, 3}, "it was told once, and is not forgotten"
    probed.worker.stop()
    assert await installation.ends(installation.topics.transitions) == published
    assert (await _rebuild(installation, worker))["published"] == 0
    worker.start()
    await installation.produce(last)
    await installation.drained()
    worker.stop()
    await assert_came_true(installation, outcome(sent))
    # And now with nothing: everything is published again, as one who says so wants it.
    before = await installation.read(installation.topics.transitions)
    code, said = await Rebuilding(installation, worker, "--begin-anew").end()
    assert (code, "say so with --yes" in said, "published again" in said) == (2, True, True)
    code, said = await Rebuilding(installation, worker, "--begin-anew", "--yes").end()
    assert code == 0, said
    worker.start()
    await installation.drained()
    worker.stop()
    again = Counter(record.value for record in await installation.read(installation.topics.transitions))
    assert again == Counter(record.value for record in before for _ in range(2))


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
    assert installation.members() == expected.members


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


def _never_settle() -> None:
    """In the process of a rebuild: it takes all events, and does not come to its end before it is killed."""

    async def settle(*_: object) -> None:
        await asyncio.Event().wait()

    RebuildLane.settle = settle  # type: ignore[method-assign, assignment]


def _take_nothing_before(told: Path) -> None:
    """In the process of a rebuild: it takes no event before that file is there."""
    usual = RebuildLane.handle

    async def handle(self: RebuildLane, records: Mapping[str, Sequence[Record]]) -> None:
        await recording.until(told.exists, 60)
        await usual(self, records)

    RebuildLane.handle = handle  # type: ignore[method-assign, assignment]


@pytest.mark.timeout(180)
async def test_one_that_is_killed_keeps_workers_away_and_can_be_run_again(install: Install) -> None:
    installation = install()
    sent = history(13, EVENTS, installation.partitions)
    usual, last = sent[: -installation.partitions], sent[-installation.partitions :]
    worker = installation.worker(delivery="exactly_once")
    worker.start()
    await installation.produce(usual[:1000], at_once=500)
    await installation.drained()
    worker.stop()
    await installation.produce(usual[1000:], at_once=500)
    _lose_redis(installation)
    broken_off = Rebuilding(installation, worker, "--yes", first=_never_settle)
    await installation.until_taken(EVENTS // 3)
    broken_off.process.kill()
    await broken_off.end()
    assert any(state.meta.get(REBUILD_FIELD) for state in await installation.states()), "it was done before"
    await _start_and_wait(worker)
    code, said = await Rebuilding(installation, worker, "--yes").end()
    assert (code, "a worker runs in the group" in said) == (1, True)
    worker.stop()
    code, said = await Rebuilding(installation, worker).end()
    assert (code, "say so with --yes" in said) == (2, True)
    told = installation.folder / "told"
    whole = Rebuilding(installation, worker, "--yes", first=partial(_take_nothing_before, told))
    await _until_marked(installation)
    # It waits, and goes on by itself when all is made anew.
    await _start_and_wait(worker)
    told.touch()
    code, said = await whole.end()
    assert code == 0, said
    await installation.produce(last)
    await installation.drained()
    worker.stop()
    await assert_came_true(installation, outcome(sent))


async def _start_and_wait(worker: WorkerProcess) -> None:
    """Returns when it says that it waits for a rebuild."""
    said = worker.log.stat().st_size
    worker.start()
    until = time.monotonic() + 30
    while b"its state is being rebuilt" not in worker.log.read_bytes()[said:]:
        assert time.monotonic() < until, worker.said()
        await asyncio.sleep(0.1)


async def _until_marked(installation: Installation) -> None:
    """Returns when a rebuild has made all partitions empty."""
    until = time.monotonic() + 30
    while not all(
        state.meta.get(REBUILD_FIELD) and not state.offsets for state in await installation.states()
    ):
        assert time.monotonic() < until, "it does not begin"
        await asyncio.sleep(0.05)


async def _until_published(installation: Installation, more_than: int) -> None:
    until = time.monotonic() + 30
    while sum((await installation.ends(installation.topics.transitions)).values()) <= more_than:
        assert time.monotonic() < until, "it publishes nothing"


@pytest.mark.timeout(120)
async def test_what_time_did_is_not_undone_and_not_repeated(install: Install, tmp_path: Path) -> None:
    """With the wall clock, which has gone on beyond the last event."""
    folder = _define(
        tmp_path / "definitions",
        _segment("awake", {"did": "Seen", "within": "1s"}),
        _segment("regulars", {"did": "Seen", "within": "1h", "at_least": 2}),
    )
    installation = install(clock="wall", segments=folder)
    worker = installation.worker()
    worker.start()
    sent = [_seen(f"c{number}", number) for number in range(40)]
    await installation.produce(sent)
    await _until_published(installation, 2 * len(sent) - 1)
    worker.stop()
    _lose_redis(installation)
    done = await _rebuild(installation, worker)
    assert (done["published"], done["corrected"]) == (0, 0)
    again = [_seen(f"c{number}", 100 + number) for number in range(30)]
    await installation.produce(again)
    worker.start()
    await _until_published(installation, 2 * len(sent) + 3 * len(again) - 1)
    worker.stop()
    # The first ones left in between, which a file says by its records alone.
    expected = outcome([*sent, *again, _seen("c39", 200, again[-1].received_ms + 1001)], folder)
    expected.transitions.pop(b"c39")
    published: dict[bytes, list[bytes]] = defaultdict(list)
    for record in await installation.read(installation.topics.transitions):
        published[record.key].append(record.value)
    del published[b"c39"]
    assert published == {key: [value for value, _ in found] for key, found in expected.transitions.items()}


def _seen(contact: str, number: int, received_ms: int | None = None) -> Sent:
    said = {"type": "track", "event": "Seen", "userId": contact, "messageId": f"m{number}"}
    now_ms = time.time_ns() // 1_000_000
    return Sent(contact.encode(), json.dumps(said).encode(), now_ms if received_ms is None else received_ms)


async def test_it_says_which_events_are_gone_and_counts_from_there(install: Install, tmp_path: Path) -> None:
    folder = _define(
        tmp_path / "definitions",
        _segment("twice", {"did": "Seen", "at_least": 2}),
        _segment("ever", {"did": "Seen"}),
    )
    installation = install(segments=folder)
    worker = installation.worker()
    worker.start()
    contacts = [f"c{number}" for number in range(20)]
    await installation.produce(_seen(contact, number) for number, contact in enumerate(contacts))
    await installation.drained()
    ends = await installation.ends(installation.topics.events)
    await installation.produce(_seen(contact, 100 + number) for number, contact in enumerate(contacts))
    await installation.drained()
    worker.stop()
    admin = KafkaAdminClient(bootstrap_servers=installation.kafka)
    admin.delete_records({TopicPartition(installation.topics.events, n): end for n, end in ends.items()})
    admin.close()
    done = await _rebuild(installation, worker)
    assert {gap["partition"]: gap["first_offset"] for gap in done["gaps"]} == ends
    assert all(gap["first_received_ms"] for gap in done["gaps"])
    # As far as can be told now, nobody was seen twice.
    assert (done["heard"], done["published"], done["corrected"]) == (40, 20, 20)
    assert installation.members() == {"ever": set(contacts), "twice": set()}
    for (_, segment), transitions in (await _published(installation)).items():
        assert len(transitions) == (2 if segment == "twice" else 1)


async def test_what_came_from_the_future_stays_a_dead_letter_when_its_moment_has_come(
    install: Install, tmp_path: Path
) -> None:
    folder = _define(tmp_path / "definitions", _segment("ever", {"did": "Seen"}))
    installation = install(segments=folder)
    worker = installation.worker(max_future_skew="1s")
    worker.start()
    early = _seen("early", 1, time.time_ns() // 1_000_000 + 30_000)
    await installation.produce([_seen("first", 0), early])
    await installation.drained()
    worker.stop()
    _lose_redis(installation)
    worker = installation.worker(max_future_skew="1m")
    assert (await _rebuild(installation, worker))["published"] == 0
    worker.start()
    await installation.produce([_seen("last", 2)])
    await installation.drained()
    worker.stop()
    assert installation.members() == {"ever": {"first", "last"}}
    (buried,) = await installation.read(installation.topics.dead_letters)
    assert dict(buried.headers)["reason"] == b"future_received"
    assert await installation.unpublished() == []
