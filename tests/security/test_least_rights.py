"""A worker runs with exactly the rights of docs/how-to/secure.md, and says which one is missing where it has fewer."""

import asyncio
import gc
import json
import os
import re
import subprocess
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TransactionalIdAuthorizationFailed
from kafka import KafkaAdminClient

from streams.errors import ConfigurationError
from streams.outbox import Entry, Output, encode_entry
from streams.rights import lacking, spelled
from streams.store import StoreDenied
from streams.store.keys import PartitionKeys
from streams.store.redis import RedisStore
from streams.topics import TopicNames, TopicsUnusable, ensure
from tests.integration.history import history
from tests.integration.installation import Installation, WorkerProcess, assert_came_true, outcome
from tests.redis_cluster import form, own_node
from tests.security.conftest import REDIS_PASSWORD, SecuredRedis, connection, login
from tests.security.rights import kafka_rights, redis_cluster_rules, redis_rules, watching_rules
from tests.security.secured_kafka import Right, SecuredKafka
from tests.security.tls_in_front import tls_in_front
from tests.streams.cli.running import command

pytestmark = pytest.mark.integration

NEEDED = "What a worker needs in Kafka"
COMMANDS = [rule for rule in redis_rules("g") if rule.startswith("+")]


async def test_a_worker_with_exactly_these_rights_does_all_its_work_over_tls(
    secured: SecuredKafka, secured_redis: SecuredRedis, user: str, secured_installation: Installation
) -> None:
    its = secured_installation
    secured.allow(user, kafka_rights(NEEDED, its.topics, its.name))
    secured_redis.set_user(user, *redis_rules(its.name))
    sent = history(5, 400, its.partitions, contacts=60)
    worker = its.worker(**login(secured, user), redis=secured_redis.url(user), instance="a")
    worker.start()
    await its.produce(sent)
    await its.until_taken(200)
    # Who starts after a crash looks what had been published: that, too, is allowed.
    worker.kill()
    worker.start()
    await its.drained()
    worker.stop()
    await assert_came_true(its, outcome(sent))
    refused = re.compile(r"denied|authoriz|noperm|may not|does not (allow|let)", re.IGNORECASE)
    assert [line for line in worker.said().splitlines() if refused.search(line)] == []


def _refused(worker_connection: dict[str, str], topics: TopicNames, group: str) -> str:
    with pytest.raises(TopicsUnusable) as refused:
        ensure(connection(worker_connection), topics, 1, group=group)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 78
    return str(refused.value)


def test_each_right_in_kafka_is_missed_by_name(secured: SecuredKafka, user: str, unique: str) -> None:
    names = TopicNames(f"e-{unique}", f"t-{unique}", f"d-{unique}")
    ensure(connection({"kafka": secured.admin_address}), names, 1)
    settings, rights = login(secured, user), kafka_rights(NEEDED, names, unique)
    assert len(rights) == 8
    secured.allow(user, rights)
    with KafkaAdminClient(**connection(settings).options()) as asking:
        for kind, name, operation in rights:
            secured.take_away(user, (kind, name, operation))
            missed = [f"{operation} on the {kind.name.lower()} {name}"]
            _until(lambda: [spelled([right]) for right in lacking(asking, names.rights(unique))] == missed)  # noqa: B023
            assert f"does not allow {user} {missed[0]}: " in _refused(settings, names, unique)
            secured.allow(user, [(kind, name, operation)])


def _said(settings: dict[str, str], names: TopicNames, group: str) -> str:
    try:
        ensure(connection(settings), names, 1, group=group)
    except ConfigurationError as error:
        return str(error)
    return ""


def _until(holds: Callable[[], bool], within_s: float = 10) -> None:
    """A broker learns of changed rules a moment after the controller has them."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_worker_may_make_its_topics_with_the_rights_for_that_and_says_so_without(
    secured: SecuredKafka, user: str, unique: str
) -> None:
    names = TopicNames(f"e-{unique}", f"t-{unique}", f"d-{unique}")
    settings = login(secured, user)
    needed = kafka_rights(NEEDED, names, unique)
    secured.allow(user, needed)
    _until(lambda: "CREATE" in _said(settings, names, unique))
    making = kafka_rights("If a worker is to make its topics", names, unique)
    without_sizes = [right for right in making if right[2] != "DESCRIBE_CONFIGS"]
    secured.allow(user, without_sizes)
    _until(lambda: "DESCRIBE_CONFIGS" in _said(settings, names, unique))
    secured.allow(user, making)
    _until(lambda: _said(settings, names, unique) == "")


async def test_transactions_need_the_rights_on_their_ids_and_no_more(
    secured: SecuredKafka, user: str, unique: str
) -> None:
    names = TopicNames(f"e-{unique}", f"t-{unique}", f"d-{unique}")
    ensure(connection({"kafka": secured.admin_address}), names, 1)
    secured.allow(user, kafka_rights(NEEDED, names, unique))
    options = connection(login(secured, user)).options()
    denied = AIOKafkaProducer(**options, transactional_id=f"{unique}-0")
    with pytest.raises(TransactionalIdAuthorizationFailed):
        await denied.start()
    await denied.stop()
    secured.allow(user, kafka_rights("With exactly_once", names, unique))
    async with (
        AIOKafkaProducer(**options, transactional_id=f"{unique}-0") as producer,
        producer.transaction(),
    ):
        await producer.send_and_wait(names.transitions, b"value", partition=0)


async def test_a_worker_that_lacks_rights_ends_with_one_line_and_78(
    secured: SecuredKafka, secured_redis: SecuredRedis, user: str, secured_installation: Installation
) -> None:
    its = secured_installation
    rights: list[Right] = kafka_rights(NEEDED, its.topics, its.name)
    secured.allow(user, [right for right in rights if right[1] != its.topics.transitions])
    secured_redis.set_user(user, *[rule for rule in redis_rules(its.name) if rule not in ("+hset", "+zadd")])
    worker = its.worker(**login(secured, user), redis=secured_redis.url(user))
    worker.start()
    assert await asyncio.to_thread(_end_of, worker) == 78
    (line,) = worker.said().splitlines()[-1:]
    assert f"READ and WRITE on the topic {its.topics.transitions}" in line
    secured.allow(user, rights)
    worker.log.write_text("")
    worker.start()
    assert await asyncio.to_thread(_end_of, worker) == 78
    line = worker.said().splitlines()[-1]
    assert "Redis denied access: the user may not run HSET, ZADD (ACL SETUSER … +hset +zadd)" in line
    assert "Traceback" not in worker.said()


def _end_of(worker: WorkerProcess) -> int | None:
    assert worker.process is not None
    worker.process.join(30)
    return worker.process.exitcode


async def test_the_lag_can_be_watched_with_exactly_these_rights_and_with_fewer_says_what_it_cannot_tell(
    secured: SecuredKafka, secured_redis: SecuredRedis, user: str, secured_installation: Installation
) -> None:
    its = secured_installation
    with redis.Redis.from_url(secured_redis.admin_url) as client:
        client.rpush(PartitionKeys.of(its.name, 0).outbox, _entry_of(its.topics))
        client.hset(PartitionKeys.of(its.name, 0).state, mapping={"clock": 5, "outbox": 1})
        client.zadd(PartitionKeys.of(its.name, 0).wakes, {"u1": 1})
    await its.produce(history(5, 40, its.partitions, contacts=6))
    rights, rules = (
        kafka_rights("What watching the lag needs", its.topics, its.name),
        watching_rules(its.name),
    )
    secured.allow(user, rights)
    secured_redis.set_user(user, *rules)
    settings = {**login(secured, user), "redis": secured_redis.url(user)}
    environment = dict(its.worker(**settings).environment)
    said, found = await asyncio.to_thread(_lag, environment)
    assert said == ""
    assert (found["waiting"], found["wakes_due"], found["outputs_unpublished"]) == (42, 1, 1)
    assert found["oldest_s"] is not None
    secured_redis.set_user(user, *[rule for rule in rules if rule != "+zcount"])
    secured.take_away(user, rights[2])

    def told() -> bool:
        said, found = _lag(environment)
        return said == "" and (found["wakes_due"], found["outputs_unpublished"]) == (None, None)

    await asyncio.to_thread(_until, told)


def _entry_of(topics: TopicNames) -> bytes:
    output = Output(topics.transitions, 0, b"u1", b"{}", [("ce_id", b"1")])
    return encode_entry(Entry([output], {topics.transitions: 0}))


def _lag(environment: dict[str, str]) -> tuple[str, dict[str, Any]]:
    ended = subprocess.run(
        command("lag", "--over", "100ms", "--json"), env=dict(os.environ) | environment,
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return ended.stderr, json.loads(ended.stdout)


# ---------------------------------------------------------------------------------------------------------- Redis


@pytest.mark.parametrize("command", [rule for rule in COMMANDS if rule not in ("+info", "+eval", "+evalsha")])
async def test_each_command_of_redis_is_missed_by_name(
    command: str, secured_redis: SecuredRedis, unique: str
) -> None:
    secured_redis.set_user(unique, *redis_rules(unique), command.replace("+", "-"))
    store = RedisStore(secured_redis.url(unique), unique)
    try:
        with pytest.raises(StoreDenied) as denied:
            await store.open(2)
        name = command.removeprefix("+")
        assert f"may not run {name.upper()} (ACL SETUSER … {command})" in str(denied.value)
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("-eval", "'eval' command"),
        ("-evalsha", "'evalsha' command"),
        ("resetkeys", r"access (a key|one of the keys used as arguments) \(it needs the keys {}:\*"),
    ],
)
async def test_a_user_who_may_not_even_ask_is_told_what_is_missing(
    change: str, said: str, secured_redis: SecuredRedis, unique: str
) -> None:
    secured_redis.set_user(unique, *redis_rules(unique), change)
    with redis.Redis.from_url(secured_redis.admin_url) as client:
        client.script_flush()
    store = RedisStore(secured_redis.url(unique), unique)
    try:
        with pytest.raises(StoreDenied) as denied:
            await store.open(2)
        assert re.search(said.format(unique), str(denied.value))
    finally:
        await store.close()


async def test_asking_leaves_nothing_behind(secured_redis: SecuredRedis, unique: str) -> None:
    secured_redis.set_user(unique, *redis_rules(unique))
    store = RedisStore(secured_redis.url(unique), unique)
    assert await store.denied_commands() == []
    await store.close()
    with redis.Redis.from_url(secured_redis.admin_url) as client:
        assert client.keys(f"{unique}*") == []


@pytest.mark.filterwarnings("always::ResourceWarning")
def test_a_closed_store_leaves_no_socket_open(secured_redis: SecuredRedis, unique: str) -> None:
    secured_redis.set_user(unique, *redis_rules(unique))

    async def use() -> None:
        store = RedisStore(secured_redis.url(unique), unique)
        await store.open(2)
        await store.close()

    gc.collect()
    with warnings.catch_warnings(record=True) as said:
        asyncio.run(use())
        gc.collect()
    assert [str(each.message) for each in said] == []


async def test_redis_that_another_authority_signed_for_is_not_trusted(
    secured: SecuredKafka, secured_redis: SecuredRedis, unique: str
) -> None:
    secured_redis.set_user(unique, *redis_rules(unique))
    url = secured_redis.url(unique).replace(str(secured_redis.authority.file), str(secured.authority.file))
    store = RedisStore(url, unique)
    try:
        with pytest.raises(StoreDenied, match=r"its certificate cannot be trusted .*ssl_ca_certs"):
            await store.open(2)
    finally:
        await store.close()


async def test_a_cluster_needs_one_right_more_and_login_and_tls_hold_for_each_node(
    secured_redis: SecuredRedis, unique: str, tmp_path: Path
) -> None:
    authority = secured_redis.authority
    context = authority.server_context(authority.issue("redis-nodes"))
    with ExitStack() as ending:
        nodes = [ending.enter_context(own_node(tmp_path / name)) for name in ("one", "two")]
        ports = [ending.enter_context(tls_in_front(node.port, context)) for node in nodes]
        for node, port in zip(nodes, ports, strict=True):
            node.tell("CONFIG", "SET", "cluster-announce-bus-port", node.ports[1])
            node.tell("CONFIG", "SET", "cluster-announce-port", port)
        form(nodes)
        url = secured_redis.url(unique).replace(f":{secured_redis.port}/", f":{ports[1]}/")
        for node in nodes:
            node.tell("ACL", "SETUSER", unique, "on", f">{REDIS_PASSWORD}", *redis_cluster_rules(unique))
        store = RedisStore(url, unique)
        assert await store.open(8) == []
        await asyncio.gather(*map(store.take, range(8)))
        assert {str(each.place) for each in await store.primaries()} == {
            f"127.0.0.1:{port}" for port in ports
        }
        await store.close()
        assert min(node.tell("DBSIZE") for node in nodes) > 0
        for node in nodes:
            node.tell("ACL", "SETUSER", unique, "-cluster")
        store = RedisStore(url, unique)
        with pytest.raises(StoreDenied, match=r"'cluster\|slots' command.*docs/how-to/secure.md"):
            await store.open(8)
        await store.close()


def test_every_command_of_the_scripts_is_granted_and_no_other() -> None:
    """The page, the script that asks, and the scripts that do the work speak of the same commands."""
    folder = Path(__file__).parents[2] / "streams/store"
    asked = set(re.findall(r"allowed\('(\w+)'", (folder / "rights.lua").read_text()))
    used = {
        command
        for script in folder.glob("*.lua")
        for command in re.findall(r"(?:redis\.call\(|each_of\(|or )'([A-Z]+)'", script.read_text())
    }
    granted = {rule.removeprefix("+").upper() for rule in COMMANDS}
    assert used <= asked
    assert granted == asked | {"EVAL", "EVALSHA", "INFO"}
