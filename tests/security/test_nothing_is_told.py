"""No password, no contact, and nothing of what records hold, in whatever a worker and the commands write."""

import asyncio
import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis

from streams.local.ports import free_ports
from streams.store.keys import PartitionKeys
from tests.integration.history import Sent
from tests.integration.installation import Installation
from tests.security.conftest import SecuredRedis, login
from tests.security.rights import kafka_rights, redis_rules
from tests.security.secured_kafka import SecuredKafka
from tests.streams.cli.running import command, environment

pytestmark = pytest.mark.integration

DEFINITIONS = """
segments:
  - {key: buyers, campaign: c, when: {did: Order Completed, within: 1h}}
  - {key: gold, campaign: c, when: {all: [{trait: plan, is: gold-marked}, {latest: Order Completed, property: note, exists: true}]}}
"""
SENT_ON = 20
"""How many of the records come under another key than their contact's id, and so are taken a second time."""
# The passwords of tests/security/conftest.py have it in them too.
MARK = re.compile("marked", re.IGNORECASE)


def _records(now_ms: int) -> Iterator[Sent]:
    for number in range(60):
        who = f"marked-contact-{number}@example.com"
        event = {
            "type": "track", "userId": who, "event": "Order Completed", "messageId": f"marked-message-{number}",
            "properties": {"note": "marked-note", "marked-property": ["marked"]},
        }  # fmt: skip
        # Every third comes under another key, and is sent on.
        key = who if number % 3 else f"marked-key-{number}"
        yield Sent(key.encode(), json.dumps(event).encode(), now_ms + number)
        traits = {"type": "identify", "userId": who, "traits": {"plan": "gold-marked", "email": who}}
        yield Sent(who.encode(), json.dumps(traits).encode(), now_ms + number)
    bad = [
        b'{"type": "track", "userId": "marked-contact", marked',
        b'["marked"]',
        b'{"type": "marked", "userId": "marked-contact"}',
        b'{"type": "track", "event": "marked-event"}',
        b'{"type": "track", "userId": "anonymous:marked", "event": "marked"}',
        b'{"type": "track", "userId": "marked-contact", "event": "x", "properties": "marked"}',
        b'{"type": "track", "userId": "marked-contact", "event": "x", "timestamp": "marked-yesterday"}',
        b"\xffmarked",
        b'{"type": "track", "userId": "' + b"marked" * 200 + b'", "event": "x"}',
    ]
    for value in bad:
        yield Sent(b"marked-key", value, now_ms + 100)


@contextmanager
def _worker(environment: dict[str, str], folder: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as file:
        process = subprocess.Popen(command("worker"), cwd=folder, env=environment, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def _until(holds: Callable[[], bool], what: str, within_s: float = 40) -> None:
    until = time.monotonic() + within_s
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < until, what
        await asyncio.sleep(0.2)


def _page(port: int, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        return str(refused.read().decode())
    except OSError:
        return ""


async def test_a_worker_at_the_debug_level_tells_nothing_of_contacts_records_and_passwords(
    secured: SecuredKafka, secured_redis: SecuredRedis, user: str, secured_installation: Installation
) -> None:
    its, folder = secured_installation, secured_installation.folder
    (folder / "segments").mkdir()
    (folder / "segments/all.yaml").write_text(DEFINITIONS)
    secured.allow(user, kafka_rights("What a worker needs in Kafka", its.topics, its.name))
    secured_redis.set_user(user, *redis_rules(its.name))
    port, log = free_ports(1)[0], folder / "worker.log"
    settings = login(secured, user) | {
        "redis": secured_redis.url(user), "group": its.name, "definitions": str(folder / "segments"),
        "events_topic": its.topics.events, "transitions_topic": its.topics.transitions,
        "dead_letter_topic": its.topics.dead_letters, "metrics_port": str(port), "log_level": "debug",
    }  # fmt: skip
    given = environment(**{name.upper(): value for name, value in settings.items()})
    written: dict[str, str] = {}
    with _worker(given, folder, log) as process:
        now_ms = time.time_ns() // 1_000_000 - 10_000
        records = list(_records(now_ms))
        await its.produce(records)
        await _until(lambda: its.taken() >= len(records) + SENT_ON, "the records are taken")
        # What follows from records is published after they are part of the state.
        assert len(await its.until_read(its.topics.dead_letters, 9)) == 9
        assert len(await its.until_read(its.topics.transitions, 100)) >= 100
        # What nobody foresees: a contact's record that is none. The partition stands still, and says so.
        with redis.Redis.from_url(secured_redis.admin_url) as client:
            for number in range(its.partitions):
                client.hset(PartitionKeys.of(its.name, number).contacts, "marked-broken", b"\xc1marked")
        broken = {"type": "track", "userId": "marked-broken", "event": "Order Completed"}
        await its.produce([Sent(b"marked-broken", json.dumps(broken).encode(), now_ms)])
        await _until(lambda: "stands still" in log.read_text(), "the partition stands still")
        # And what may happen to every server: rights that are taken away.
        secured_redis.set_user(user, *redis_rules(its.name), "-hset")
        await its.produce(records[:40])
        await _until(lambda: "hset" in _page(port, "/ready"), "the missing right is told")
        written |= {path: _page(port, path) for path in ("/metrics", "/live", "/ready")}
        assert _listens(process.pid) == [("127.0.0.1", port)], "nobody else reaches it, unless told otherwise"
        written["arguments"] = _arguments(process)
        written["doctor"] = await asyncio.to_thread(_said, folder, given, "doctor")
    written["log"] = log.read_text()
    assert 'outcome="dead_letter"' in written["/metrics"]
    assert "DEBUG" in written["log"] or "INFO" in written["log"]
    assert {name: text for name, text in written.items() if MARK.search(text)} == {}


def _arguments(process: "subprocess.Popen[bytes]") -> str:
    return Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()


def _listens(pid: int) -> list[tuple[str, int]]:
    """The addresses on which a process takes connections."""
    links = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            links.append(str(each.readlink()))
    own = {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:")}
    found = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in own:
                address, _, port = fields[1].partition(":")
                words = bytes.fromhex(address)
                there = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
                found.append((socket.inet_ntop(family, there), int(port, 16)))
    return found


def _said(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """All that a command writes."""
    done = subprocess.run(
        command(*arguments), cwd=folder, env=environment, capture_output=True, check=False, timeout=60
    )
    return (done.stdout + done.stderr).decode()


def test_commands_whose_login_fails_do_not_show_it(
    secured: SecuredKafka, secured_redis: SecuredRedis, user: str, unique: str, tmp_path: Path
) -> None:
    (tmp_path / "all.yaml").write_text(DEFINITIONS)
    event = {"type": "track", "userId": "marked-contact", "event": "x"}
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n{marked\n")
    refused = login(secured, user) | {
        "kafka_password": "marked-wrong",
        "redis": secured_redis.url(user, "marked-wrong"),
    }
    whole = refused | {
        "definitions": str(tmp_path),
        "group": unique,
        "log_level": "debug",
        "log_format": "json",
    }
    given = environment(**{name.upper(): value for name, value in whole.items()})
    told = {
        name: _said(tmp_path, given, *name.split())
        for name in ("doctor --json", "explain nobody", "send events.jsonl", "worker")
    }
    assert "refuses the login" in told["worker"]
    assert "refuses the login" in told["send events.jsonl"]
    assert "does not let us in" in told["doctor --json"]
    malformed = given | {"SEGMENTS_REDIS": "redis://u:marked@127.0.0.1:1/0?ssl_ca_certs=marked"}
    told["a wrong address"] = _said(tmp_path, malformed, "doctor")
    assert "SEGMENTS_REDIS: ssl_ca_certs" in told["a wrong address"]
    assert {name: text for name, text in told.items() if MARK.search(text)} == {}
