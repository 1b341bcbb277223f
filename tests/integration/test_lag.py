"""`segments lag` on a real Kafka and Redis: what waits, with a worker and without, and that it only looks."""

import asyncio
import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import redis
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient

from streams.outbox import Entry, Output, encode_entry
from streams.store.keys import PartitionKeys
from tests.integration.conftest import Install
from tests.integration.history import START_MS, history
from tests.integration.installation import Installation
from tests.integration.probing import Probed
from tests.streams.cli.running import command


@contextlib.contextmanager
def looking(installation: Installation, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("lag", *arguments),
        cwd=installation.folder,
        env=dict(installation.worker().environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def lag(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    with looking(installation, *arguments) as process:
        said, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, said, errors)


def figures(installation: Installation, *arguments: str) -> dict[str, Any]:
    ended = lag(installation, "--over", "200ms", "--json", *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def stored(installation: Installation) -> dict[bytes, bytes]:
    with redis.Redis.from_url(installation.redis_url) as client:
        return {key: client.dump(key) for key in client.scan_iter()}


def groups(installation: Installation) -> set[str]:
    with KafkaAdminClient(bootstrap_servers=installation.kafka) as admin:
        return {str(group) for group in admin.list_groups()}


async def test_what_waits_is_told_before_while_and_after_a_worker_takes_it(install: Install) -> None:
    installation = install()
    sent = history(11, 3000, installation.partitions)
    await installation.produce(sent)
    ends = await installation.ends(installation.topics.events)
    known, before = groups(installation), stored(installation)
    assert before == {}
    found = figures(installation)
    assert [each["waiting"] for each in found["partitions"]] == [ends[number] for number in range(4)]
    assert found["waiting"] == len(sent)
    assert (found["taken_per_s"], found["seconds_left"], found["wakes_due"]) == (0, None, 0)
    # Its received time is in a header, and years ago.
    age_s = time.time() - START_MS / 1000
    assert age_s - 86_400 < found["oldest_s"] < age_s + 10
    assert lag(installation).stdout.splitlines()[-1].split()[:2] == ["in", "all"]
    assert stored(installation) == before
    assert groups(installation) == known

    with looking(installation, "--until-done", "--json", "--over", "100ms") as process:
        assert process.stdout is not None
        first = await asyncio.to_thread(process.stdout.readline)
        # Not before: it could be done before anybody looks.
        probed = Probed(installation)
        others, errors = await asyncio.to_thread(process.communicate, timeout=60)
    assert (process.returncode, errors) == (0, "")
    looks = [json.loads(line) for line in [first, *others.splitlines()]]
    assert looks[0]["waiting"] == len(sent)
    assert looks[-1]["waiting"] == 0
    assert any(look["taken_per_s"] > 0 for look in looks)
    done = dict.fromkeys(range(4), 0)
    await probed.until(lambda: probed.by_partition("segments_catch_up_seconds") == done, "not caught up")
    probed.worker.stop()
    after = stored(installation)
    found = figures(installation)
    assert (found["waiting"], found["seconds_left"], found["oldest_s"]) == (0, 0, None)
    # An outbox's last entry is trimmed by the next commit, and has been published.
    assert any(state.outbox for state in await installation.states())
    assert (found["outputs_unpublished"], found["wakes_due"]) == (0, 0)
    assert stored(installation) == after


async def test_what_ends_a_transaction_does_not_wait_but_records_behind_it_do(install: Install) -> None:
    installation = install(partitions=1)
    events = installation.topics.events
    installation.worker().start()
    async with AIOKafkaProducer(
        bootstrap_servers=installation.kafka, transactional_id=installation.name
    ) as producer:
        async with producer.transaction():
            await producer.send_and_wait(events, b"{}", partition=0)
        await installation.until_taken(0)
        installation.workers[-1].stop()
        await producer.begin_transaction()
        await producer.send_and_wait(events, b"{}", partition=0)
        await producer.abort_transaction()
        ended = await asyncio.to_thread(lag, installation, "--until-done", "--json", "--over", "100ms")
        assert (ended.returncode, json.loads(ended.stdout.splitlines()[-1])["waiting"]) == (0, 0)
        async with producer.transaction():
            await producer.send_and_wait(events, b"{}", partition=0)
        assert figures(installation)["waiting"] > 0


async def test_wakes_that_are_due_and_outputs_that_no_topic_has_are_counted(install: Install) -> None:
    installation = install(partitions=2)
    topics, keys = installation.topics, PartitionKeys.of(installation.name, 1)
    outputs = [
        Output(topics.transitions, 1, b"u1", b"{}", [("ce_id", b"%d" % number)]) for number in range(3)
    ]
    with redis.Redis.from_url(installation.redis_url) as client:
        client.set(f"{installation.name}:partitions", 2)
        client.hset(keys.state, mapping={"clock": START_MS, "outbox": 7})
        client.zadd(keys.wakes, {"u1": START_MS - 2, "u2": START_MS - 1, "u3": START_MS, "u4": START_MS + 1})
        client.rpush(keys.outbox, encode_entry(Entry(outputs, {topics.transitions: 0})))
    found = figures(installation)
    assert [each["wakes_due"] for each in found["partitions"]] == [0, 2]
    assert (found["wakes_due"], found["outputs_unpublished"]) == (2, 3)
    assert "3 outputs committed and not published" in lag(installation).stdout


async def test_a_state_beyond_its_topic_or_of_other_partitions_is_one_line(install: Install) -> None:
    installation = install(partitions=2)
    topic = installation.topics.events
    with redis.Redis.from_url(installation.redis_url) as client:
        client.hset(PartitionKeys.of(installation.name, 1).offsets, topic, 12)
        ended = lag(installation, "--until-done")
        assert ended.returncode == 1
        assert f"the state is at offset 12 of {topic}/1, which ends at 0" in ended.stderr
        client.set(f"{installation.name}:partitions", 3)
        ended = lag(installation)
        assert ended.returncode == 78
        assert "the state was made for 3 partitions" in ended.stderr
