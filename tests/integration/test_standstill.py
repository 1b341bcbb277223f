"""Errors that are no poison: what is concerned stands still, says why, and goes on by itself when the cause is gone."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import redis
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from rules.contact import Contact
from streams.connections import KafkaConnection
from streams.diagnostics import diagnose
from streams.intake import home
from streams.local import kafka_node
from streams.records import FORMAT_FIELD, encode_record
from streams.redefinition import META_FIELD
from streams.resuming import resume
from streams.rights import Kind, Right, lacking
from streams.settings import load_settings
from streams.store.keys import PartitionKeys
from streams.store.redis import RedisStore
from tests.integration.conftest import Install
from tests.integration.history import START_MS, Sent, history
from tests.integration.installation import Installation, assert_came_true, outcome
from tests.integration.probing import Probed
from tests.servers import own_kafka, own_redis

SOME = 100


def _bought(contact: str, number: int) -> Sent:
    said = {"type": "track", "event": "Order Completed", "userId": contact, "messageId": f"m{number}"}
    value = json.dumps({**said, "properties": {"total": 150}}).encode()
    return Sent(contact.encode(), value, START_MS + 1000 * number)


def _contact_of(partition: int) -> str:
    return next(name for number in range(100) if home(name := f"odd{number}", 4) == partition)


@pytest.mark.timeout(180)
async def test_a_redis_that_cannot_write_stops_all_that_it_holds_until_it_can(
    install: Install, tmp_path: Path
) -> None:
    (folder := tmp_path / "redis").mkdir()
    with own_redis(folder) as server, redis.Redis.from_url(server.url) as client:
        installation = install(redis_url=server.url)
        sent, faults = history(5, 4 * SOME, installation.partitions), _faults(client)
        parts = [sent[SOME * number : SOME * (number + 1)] for number in range(len(faults))]
        probed = Probed(installation)
        await probed.until_ready()
        for part, (reason, breaks, mends) in zip(parts, faults, strict=True):
            before = installation.taken()
            breaks()
            await installation.produce(part)
            said = await probed.until_stands(f"redis_{reason}", {0, 1, 2, 3})
            assert "the store cannot work now" in said
            assert installation.taken() == before
            mends()
            await probed.until_ready()
            await installation.drained()  # or some of it would be taken after the next look
        await installation.produce(sent[SOME * len(faults) :])
        await installation.drained()
        probed.worker.stop()
        await assert_came_true(installation, outcome(sent))


def _faults(client: redis.Redis) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    """What the store calls it, what brings it about, what ends it."""

    def set_(name: str, value: str | int) -> None:
        client.config_set(name, value)

    return [
        ("out_of_memory", lambda: set_("maxmemory", "100kb"), lambda: set_("maxmemory", 0)),
        ("read_only", lambda: client.replicaof("127.0.0.1", "1"), lambda: client.replicaof("NO", "ONE")),
        (
            "timeout",
            lambda: client.client_pause(60_000, all=False),
            client.client_unpause,
        ),
    ]


async def test_a_bug_and_a_newer_record_stop_their_partitions_alone(install: Install) -> None:
    """A record that the rules choke on, as after a bug in them, and one that a newer version has written."""
    installation = install()
    odd, newer = _contact_of(1), _contact_of(2)
    broken = encode_record(Contact(odd, START_MS, START_MS, features=dict.fromkeys(range(40), "no state")), 1)
    with redis.Redis.from_url(installation.redis_url) as client:
        keys = {number: PartitionKeys.of(installation.name, number).contacts for number in (1, 2)}
        client.hset(keys[1], odd, broken)
        client.hset(keys[2], newer, msgspec.msgpack.encode([9, 0, "whatever comes"]))
        sent = [_bought(f"c{number}", number) for number in range(300)]
        sent[50:50] = [_bought(odd, 50), _bought(newer, 50)]
        probed = Probed(installation)
        await installation.produce(sent)
        assert "format 9" in await probed.until_stands("newer_record", {2})
        await probed.until_stands("bug", {1})
        ends = await installation.ends(installation.topics.events)

        def others_are_done() -> bool:
            stored = installation.stored_offsets()[installation.topics.events]
            return all(stored.get(number) == ends[number] for number in (0, 3))

        await probed.until(others_are_done, "the others must go on")
        # One that tries again does not stand still for a moment.
        await probed.until(lambda: probed.standing().keys() == {1, 2}, "these two, and no others")
        log = probed.worker.log.read_text()
        assert (
            "partition 2 stands still: a contact's record has format 9, and this version of livesegments"
            in log
        )
        assert "run the version that wrote it, or a newer one" in log
        for number, contact in ((1, odd), (2, newer)):
            client.hdel(keys[number], contact)
    await installation.drained()
    await probed.until_ready()
    probed.worker.stop()
    await assert_came_true(installation, outcome(sent))
    await _what_is_beside_the_contacts_is_newer(installation, probed)


async def _what_is_beside_the_contacts_is_newer(installation: Installation, probed: Probed) -> None:
    meta = PartitionKeys.of(installation.name, 3).meta
    with redis.Redis.from_url(installation.redis_url, decode_responses=False) as client:
        before = client.hget(meta, META_FIELD)
        client.hset(meta, mapping={META_FIELD: b"whatever comes", FORMAT_FIELD: b"2"})
        probed.worker.start()
        said = await probed.until_stands("newer_record", {3})
        assert "the state of partition 3 has format 2, and this version of livesegments knows" in said
        client.hset(meta, mapping={META_FIELD: before, FORMAT_FIELD: b"1"})
        await probed.until_ready()
        probed.worker.stop()


@pytest.mark.timeout(180)
async def test_a_topic_that_is_gone_or_forbidden_is_named_and_waited_for(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_node, "_SETTINGS", kafka_node._SETTINGS + _AUTHORIZER)
    (folder := tmp_path / "kafka").mkdir()
    with own_kafka(folder) as server:
        installation = install(kafka=server.bootstrap)
        topics = installation.topics
        sent = history(6, 4 * SOME, installation.partitions)
        probed = Probed(installation)
        await probed.until_ready()
        with _denied(server.bootstrap, topics.transitions, ACLOperation.WRITE):
            await installation.produce(sent[:SOME])
            assert topics.transitions in await probed.until_stands("kafka_denied")
        await probed.until_ready()
        await installation.produce(sent[SOME : 2 * SOME])
        with _denied(server.bootstrap, topics.events, ACLOperation.READ):
            assert topics.events in await probed.until_stands("kafka_denied", {0, 1, 2, 3})
        await probed.until_ready()
        await installation.produce(sent[2 * SOME :])
        await installation.drained()
        await assert_came_true(installation, outcome(sent))
        await _transitions_topic_made_anew(installation, probed)
        _delete(installation, topics.events)
        await probed.until(
            lambda: f"the topic {topics.events} does not exist" in json.dumps(probed.ready()), "not missed"
        )
        assert not probed.ready()["ok"]
        probed.worker.stop()


@pytest.mark.timeout(120)
async def test_an_events_topic_that_was_made_anew_is_noticed_however_far_it_has_grown(
    install: Install,
) -> None:
    installation = install()
    topics = installation.topics
    sent = [_bought(f"c{number}", number) for number in range(40)]
    probed = Probed(installation, {"instance": "the-one"})
    await installation.produce(sent)
    await installation.drained()
    before = installation.stored_offsets()
    # Under the feet of a worker, which asks for more several times a second: it is told that its offset is none.
    _make_anew(installation, topics.events)
    await asyncio.sleep(1)
    more = [_bought(f"d{number}", number) for number in range(400)]
    await installation.produce(more)
    assert min((await installation.ends(topics.events)).values()) > max(before[topics.events].values())
    said = await probed.until_stands("stopped", {0, 1, 2, 3})
    assert f"the topic {topics.events} is not the one that its state is of" in said
    assert "segments rebuild" in said
    assert installation.stored_offsets() == before
    # One that was away meanwhile could read on at the same offsets, by the topic's name.
    probed.worker.kill()
    probed.worker.start()
    await probed.until_stands("stopped", {0, 1, 2, 3})
    assert installation.stored_offsets() == before
    settings, _ = load_settings(probed.worker.environment, env_file=None)
    found = {each.what: each.found for each in await diagnose(settings) if each.grade == "wrong"}
    assert f"the topic {topics.events} is not the one" in found["state of partition 0"]
    store = RedisStore(installation.redis_url, installation.name)
    await resume(KafkaConnection.of(settings), topics, store, {1}, topics_restored=True)
    await store.close()
    await probed.until(lambda: probed.standstills().keys() == {0, 2, 3}, "1 was let go on")
    ends = await installation.ends(topics.events)
    await probed.until(lambda: installation.stored_offsets()[topics.events][1] == ends[1], "1 reads on")
    probed.worker.stop()


def _make_anew(installation: Installation, topic: str) -> None:
    _delete(installation, topic)
    installation.make_topics()


async def _transitions_topic_made_anew(installation: Installation, probed: Probed) -> None:
    _delete(installation, installation.topics.transitions)
    late_ms = START_MS + 100 * 86_400_000
    more = [Sent(each.key, each.value, late_ms) for each in (_bought(f"late{n}", n) for n in range(40))]
    await installation.produce(more)
    await probed.until_stands("kafka_topic_missing")
    installation.make_topics()
    await installation.drained()
    await probed.until_ready()
    assert await installation.unpublished() == []
    assert len(await installation.read(installation.topics.transitions)) >= 40


_AUTHORIZER = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""


@contextmanager
def _denied(kafka: str, topic: str, operation: ACLOperation) -> Iterator[None]:
    """Within the block nobody may do that, and the broker knows it: it learns of a rule a moment after it was made."""
    rule = ACL(
        "User:ANONYMOUS", "*", operation, ACLPermissionType.DENY, ResourcePattern(ResourceType.TOPIC, topic)
    )
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        admin.create_acls([rule])
        right = Right(Kind.TOPIC, topic, operation.name)
        until = time.monotonic() + 10
        while not lacking(admin, [right]):
            assert time.monotonic() < until, "the rule is not applied"
            time.sleep(0.05)
        yield
        admin.delete_acls([rule])
    finally:
        admin.close()


def _delete(installation: Installation, topic: str) -> None:
    """Returns when the broker, too, has heard of it."""
    with KafkaAdminClient(bootstrap_servers=installation.kafka) as admin:
        admin.delete_topics([topic])
        until = time.monotonic() + 10
        while admin.describe_topics([topic])[0]["partitions"]:
            assert time.monotonic() < until, "the topic is still there"
            time.sleep(0.05)
