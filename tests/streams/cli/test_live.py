"""worker, send, tail, explain and doctor on a real Kafka and a real Redis."""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.connections import KafkaConnection
from streams.watching import watch
from tests.servers import empty_database, unique_name
from tests.streams.cli.running import command, environment, segments

pytestmark = pytest.mark.integration

DEFINITIONS = """
segments:
  - {key: buyers, campaign: c, when: {did: Order Completed, within: 1h}}
  - {key: hot, campaign: c, when: {all: [{did: Order Completed}, {did: Clicked, at_least: 2}, {trait: plan, is: gold}]}}
  - {key: viewers, campaign: c, when: {did: Product Viewed, within: 2s}}
"""


@dataclass
class World:
    """An installation with one worker."""

    folder: Path
    settings: dict[str, str]

    def run(
        self, *arguments: str, stdin: bytes | None = None, **more: str
    ) -> subprocess.CompletedProcess[bytes]:
        return segments(*arguments, cwd=self.folder, stdin=stdin, **(self.settings | more))

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                command(*arguments),
                cwd=self.folder,
                env=environment(**self.settings),
                stdout=output,
                stderr=output,
            )


@pytest.fixture(scope="module")
def world(kafka: str, redis_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, name = tmp_path_factory.mktemp("world"), unique_name("cli")
    (folder / "segments").mkdir()
    (folder / "segments" / "a.yaml").write_text(DEFINITIONS)
    world = World(
        folder,
        {
            "KAFKA": kafka,
            "REDIS": empty_database(redis_server_url),
            "GROUP": name,
            "EVENTS_TOPIC": f"events-{name}",
            "TRANSITIONS_TOPIC": f"transitions-{name}",
            "DEAD_LETTER_TOPIC": f"dead-{name}",
            "METRICS_PORT": "0",
        },
    )
    log = folder / "worker.log"
    worker = world.start("worker", log=log)
    try:
        until(lambda: "are assigned" in log.read_text(), log)
        yield world
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0, log.read_text()
        assert "Traceback" not in log.read_text()
    finally:
        worker.kill()
        worker.wait()


def until(holds: Callable[[], Any], log: Path | None = None, timeout_s: float = 45) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "" if log is None else log.read_text()
        time.sleep(0.1)


def track(user: str, event: str, **more: Any) -> bytes:
    return json.dumps({"type": "track", "userId": user, "event": event, **more}).encode() + b"\n"


def identify(user: str, **traits: Any) -> bytes:
    return json.dumps({"type": "identify", "userId": user, "traits": traits}).encode() + b"\n"


def records(world: World, setting: str, count: int) -> list[Any]:
    """The first so many records of a topic."""

    async def read() -> list[Any]:
        topic = world.settings[setting]
        found = watch(KafkaConnection((world.settings["KAFKA"],)), topic, from_beginning=True)
        async with asyncio.timeout(30), aclosing(found):
            return [await anext(found) for _ in range(count)]

    return asyncio.run(read())


def published(world: World, contact: str, count: int, *arguments: str) -> list[dict[str, Any]]:
    """What `segments tail --json` shows of a contact, as soon as it is so much."""
    told = command("tail", "--from-beginning", "--json", "--contact", contact, *arguments)
    process = subprocess.Popen(
        told,
        cwd=world.folder,
        env=environment(**world.settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        return [json.loads(process.stdout.readline()) for _ in range(count)]
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (130, b"")


def test_what_is_sent_comes_back_as_transitions(world: World) -> None:
    lines = track("u1", "Order Completed") + b"\n" + track("u1", "Product Viewed") + b"no json\n"
    done = world.run("send", "-", stdin=lines)
    assert done.returncode == 0
    assert done.stdout.startswith(b"Sent 3 events to events-")
    assert done.stderr == b"1 line without a contact: dead letters\n"
    found = published(world, "u1", 3)
    assert [(each["event"], each["properties"]["audience_key"]) for each in found] == [
        ("Audience Entered", "buyers"),
        ("Audience Entered", "viewers"),
        ("Audience Exited", "viewers"),
    ]
    assert found[2]["context"]["segment"]["reason"] == "time"
    [dead] = records(world, "DEAD_LETTER_TOPIC", 1)
    assert (dead.value, dict(dead.headers)["reason"]) == (b"no json", b"not_json")


def test_events_go_under_their_contacts_key_with_the_received_time_that_they_name(world: World) -> None:
    past_ms = int(time.time() * 1000) - 3_600_000
    (world.folder / "e.jsonl").write_bytes(
        track("s1", "A", receivedAt=past_ms, timestamp=1)
        + track("s1", "A", timestamp=past_ms + 1)
        + track("s1", "A")
        + json.dumps({"type": "track", "anonymousId": "s2", "event": "A"}).encode()
    )
    assert world.run("send", "e.jsonl", "--event-time").returncode == 0
    sent = [
        (record.key, dict(record.headers).get("received_at"))
        for record in records(world, "EVENTS_TOPIC", 7)
        if record.key in (b"s1", b"anonymous:s2")
    ]
    assert sorted(sent, key=str) == sorted(
        [
            (b"s1", b"%d" % past_ms),
            (b"s1", b"%d" % (past_ms + 1)),
            (b"s1", None),
            (b"anonymous:s2", None),
        ],
        key=str,
    )


def test_a_slow_pipe_is_sent_as_it_comes(world: World) -> None:
    told = command("send", "-")
    process = subprocess.Popen(
        told, cwd=world.folder, env=environment(**world.settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(track("slow", "Order Completed"))
    process.stdin.flush()
    assert published(world, "slow", 1)[0]["properties"] == {"audience_key": "buyers", "buyers": True}
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, b"")


def test_a_line_that_no_topic_takes_is_told_and_exit_code_1(world: World) -> None:
    done = world.run("send", "-", stdin=b"x" * 1_500_000 + b"\n" + track("long", "Order Completed"))
    assert (done.returncode, done.stderr) == (1, b"line 1: not sent: longer than 900,000 bytes\n")
    assert len(published(world, "long", 1)) == 1


def test_tail_shows_one_segment_alone_in_lines_for_people(world: World) -> None:
    world.run("send", "-", stdin=track("t1", "Product Viewed") + track("t1", "Order Completed"))
    published(world, "t1", 3)
    log = world.folder / "tail.log"
    watching = world.start("tail", "--from-beginning", "--segment", "viewers", "--contact", "t1", log=log)
    until(lambda: len(log.read_bytes().splitlines()) == 2, log)
    watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 130
    entered, left = log.read_text().splitlines()
    assert " ".join(entered.split()[1:]) == "t1 entered viewers event: did Product Viewed within 2s (1)"
    assert "left" in left
    assert left.endswith("s: did Product Viewed within 2s (0)")
    assert "time, after " in left


def test_an_id_with_commands_for_a_terminal_is_shown_and_not_obeyed(world: World) -> None:
    contact = "\x1b[31m\x9b2J\u202eevil\x7f"
    world.run("send", "-", stdin=track(contact, "Order Completed"))
    log = world.folder / "nasty.log"
    watching = world.start("tail", "--from-beginning", "--json", "--contact", contact, log=log)
    until(lambda: log.read_bytes().endswith(b"\n"), log)
    watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 130
    assert json.loads(log.read_bytes())["userId"] == contact
    told = world.run("explain", contact).stdout.decode()
    assert all(line.isprintable() for line in [*log.read_text().splitlines(), *told.splitlines()])
    done = world.run("explain", contact, "nothing\x1b[0m")
    assert done.returncode == 1
    assert done.stderr.decode().strip().isprintable()


def test_an_argument_that_is_no_text_is_one_line(world: World) -> None:
    done = world.run("explain", "\udcff")
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1


def test_explain_says_why_what_would_change_it_and_when_it_changes_by_itself(world: World) -> None:
    world.run(
        "send",
        "-",
        stdin=track("x1", "Order Completed") + track("x1", "Clicked") + identify("x1", plan="gold"),
    )
    until(lambda: b'"gold"' in world.run("explain", "x1", "hot").stdout)
    out = json.loads(world.run("explain", "x1", "hot", "--json").stdout)
    [told] = out["segments"]
    assert (told["member"], told["since"], told["version"]) == (False, None, 1)
    assert [(leaf["observed"], leaf["holds"], leaf["counted_since"]) for leaf in told["leaves"]] == [
        (1, True, None),
        (1, False, None),
        ("gold", True, None),
    ]
    assert (told["needs"], told["changes"]) == ("1 more Clicked", None)
    lines = world.run("explain", "x1", "hot").stdout.decode().splitlines()
    assert lines[0] == "x1 is not in hot (never was)"
    assert "  no   did Clicked at least twice   1" in lines
    assert "It would enter with: 1 more Clicked" in lines


def test_explain_lists_memberships_and_the_next_change(world: World) -> None:
    world.run("send", "-", stdin=track("x2", "Order Completed"))
    published(world, "x2", 1)
    lines = world.run("explain", "x2").stdout.decode().splitlines()
    assert lines[0] == "x2 is in 1 of 3 segments"
    assert lines[3].startswith("  in   buyers   since 20")
    out = json.loads(world.run("explain", "x2", "--json").stdout)
    buyers = next(each for each in out["segments"] if each["segment"] == "buyers")
    assert buyers["changes"][14:] == buyers["since"][14:]
    assert lines[-1] == f"If nothing happens, the next change is at {buyers['changes']}: it leaves buyers."


def test_a_condition_that_is_new_says_since_when_it_counts(world: World) -> None:
    world.run("send", "-", stdin=track("x3", "Order Completed"))
    published(world, "x3", 1)
    newer = world.folder / "newer"
    newer.mkdir()
    (newer / "a.yaml").write_text(
        DEFINITIONS + "  - {key: new, campaign: c, when: {did: Something, within: 1h}}\n"
    )
    out = json.loads(world.run("explain", "x3", "new", "--json", DEFINITIONS=str(newer)).stdout)
    assert (out["segments"][0]["version"], out["segments"][0]["member"]) == (None, False)
    told = world.run("explain", "x3", "new", DEFINITIONS=str(newer)).stdout.decode()
    assert "This definition is not in force yet" in told


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["nobody"],
            "segments: no event of the contact 'nobody' was taken: see its userId, or anonymous:<id>",
        ),
        (["E1"], "segments: no event of the contact 'E1' was taken: did you mean 'e1'?"),
        (["e1", "buyer"], "segments: there is no segment 'buyer': did you mean buyers?"),
    ],
)
def test_what_nobody_knows_is_one_line_with_what_may_be_meant(
    world: World, arguments: list[str], line: str
) -> None:
    world.run("send", "-", stdin=track("e1", "Order Completed"))
    published(world, "e1", 1)
    done = world.run("explain", *arguments)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (1, b"", f"{line}\n")


def test_nothing_stored_is_one_line(world: World) -> None:
    done = world.run("explain", "x", GROUP="another")
    assert done.returncode == 1
    assert done.stderr.startswith(b"segments: nothing is stored yet: no worker has run with")


def test_the_doctor_finds_a_sound_installation_sound(world: World) -> None:
    done = world.run("doctor", "--json")
    assert {each["grade"] for each in json.loads(done.stdout)} == {"ok"}
    assert done.returncode == 0


def test_the_doctor_says_what_to_mend(world: World) -> None:
    wrong = world.folder / "wrong"
    wrong.mkdir()
    (wrong / "a.yaml").write_text("segments: 7\n")
    # Another installation, whose transitions topic is the other's events topic by mistake: it has its four partitions.
    done = world.run(
        "doctor", "--json", DEFINITIONS=str(wrong), EVENTS_TOPIC="not-made", REDIS="redis://127.0.0.1:1"
    )
    found = {each["what"]: each for each in json.loads(done.stdout)}
    assert found["topic not-made"]["grade"] == "warning"
    assert found["Redis"]["grade"] == "wrong"
    assert "segments up" in found["Redis"]["fix"]
    assert found["definitions"]["grade"] == "wrong"
    assert (done.returncode, done.stderr) == (1, b"2 things to mend\n")


def test_the_doctor_sees_producers_clocks_and_too_few_partitions(world: World, new_topic: Any) -> None:
    events = new_topic("events", partitions=6, message_timestamp_type="CreateTime")
    done = world.run("doctor", "--json", EVENTS_TOPIC=events)
    found = {each["what"]: each for each in json.loads(done.stdout)}
    assert "CreateTime" in found[f"topic {events}"]["found"]
    assert found[f"topic {world.settings['TRANSITIONS_TOPIC']}"]["grade"] == "wrong"
    assert found["state"]["grade"] == "wrong"
    assert "6" in found["state"]["found"]


@pytest.mark.parametrize("arguments", [["send", "-"], ["tail"]])
def test_a_topic_that_does_not_exist_is_one_line(world: World, arguments: list[str]) -> None:
    done = world.run(*arguments, EVENTS_TOPIC="nowhere", TRANSITIONS_TOPIC="nowhere-too")
    assert done.returncode == 1
    assert done.stderr.startswith(b"segments: there is no topic nowhere")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("arguments", [["send", "-"], ["tail"]])
def test_no_kafka_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    done = segments(*arguments, cwd=tmp_path, KAFKA="127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith(
        b"segments: no Kafka broker answers at 127.0.0.1:1: start one (`segments up`)"
    )
    assert done.stderr.count(b"\n") == 1


def test_no_redis_is_one_line(world: World) -> None:
    done = world.run("explain", "u1", REDIS="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert done.stderr.startswith(b"segments: Redis at 127.0.0.1:1/0 cannot be used: ")
    assert done.stderr.count(b"\n") == 1


def test_a_worker_with_wrong_definitions_tells_them_and_is_exit_code_78(tmp_path: Path) -> None:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "a.yaml").write_text("segments:\n  - {key: a, when: {did: A, witin: 1h}}\n")
    done = segments("worker", cwd=tmp_path)
    assert done.returncode == 78
    assert done.stderr.startswith(b"segments/a.yaml:2:")
    assert done.stderr.count(b"\n") == 1


def test_a_worker_that_logs_json_tells_them_as_json(tmp_path: Path) -> None:
    done = segments("worker", cwd=tmp_path, LOG_FORMAT="json")
    assert done.returncode == 78
    assert "SEGMENTS_DEFINITIONS='segments': there is no such directory" in json.loads(done.stderr)["message"]


def test_a_taken_metrics_port_is_one_line_and_exit_code_78(world: World, kafka: str) -> None:
    port = kafka.rpartition(":")[2]
    done = world.run("worker", METRICS_PORT=port)
    assert done.returncode == 78
    assert f"SEGMENTS_METRICS_PORT={port} is taken" in done.stderr.decode().splitlines()[-1]
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["worker"], ["explain", "u1"]])
def test_definitions_that_are_not_there_name_the_setting(tmp_path: Path, arguments: list[str]) -> None:
    done = segments(*arguments, cwd=tmp_path, DEFINITIONS="nowhere")
    assert done.returncode == 78
    assert done.stderr.startswith(b"segments: SEGMENTS_DEFINITIONS='nowhere': there is no such directory")
    assert done.stderr.count(b"\n") == 1
