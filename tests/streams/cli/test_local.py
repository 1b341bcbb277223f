"""up, down and demo: real servers that come, and that are gone afterwards."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient

from tests.streams.cli.running import command, environment, segments

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where `up` keeps its data in `.segments`."""
    folder = tmp_path_factory.mktemp("a folder")
    yield folder
    segments("down", cwd=folder)
    shutil.rmtree(folder, ignore_errors=True)


def exports(out: bytes) -> dict[str, str]:
    """The settings that a shell has after it has evaluated these lines."""
    shell = subprocess.run(["sh", "-e"], input=out + b"\nenv\n", capture_output=True, check=True)
    rows = [line.partition("=") for line in shell.stdout.decode().splitlines()]
    return {name.removeprefix("SEGMENTS_"): value for name, _, value in rows if name.startswith("SEGMENTS_")}


class TestUpAndDown:
    def test_up_makes_the_topics_and_prints_the_settings_to_use(self, folder: Path) -> None:
        done = segments("up", "--env", cwd=folder)
        assert (done.returncode, done.stderr) == (0, b"")
        assert all(line.startswith("export SEGMENTS_") for line in done.stdout.decode().splitlines())
        found = exports(done.stdout)
        admin = KafkaAdminClient(bootstrap_servers=found["KAFKA"])
        counts = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}
        admin.close()
        names = ("events", "events-by-contact", "segment-transitions", "events-dead-letters")
        assert {name: counts.get(name) for name in names} == dict.fromkeys(names, 4)
        with redis.Redis.from_url(found["REDIS"]) as client:
            assert client.ping()
        assert segments("doctor", cwd=folder, stdin=None, **found).stdout.count(b"ok  ") >= 8

    def test_a_second_up_finds_what_runs(self, folder: Path) -> None:
        first = exports(segments("up", "--env", cwd=folder).stdout)
        done = segments("up", "--json", cwd=folder)
        told = json.loads(done.stdout)
        assert (told["SEGMENTS_KAFKA"], told["SEGMENTS_REDIS"]) == (first["KAFKA"], first["REDIS"])
        assert told["partitions"] == 4
        shown = segments("up", cwd=folder).stdout.decode()
        assert f"SEGMENTS_KAFKA={first['KAFKA']}\n" in shown
        assert "segments down" in shown

    def test_down_stops_both_and_says_so(self, folder: Path) -> None:
        found = exports(segments("up", "--env", cwd=folder).stdout)
        done = segments("down", cwd=folder)
        assert (done.returncode, done.stdout) == (
            0,
            b"Stopped Kafka and Redis. The data stays in .segments.\n",
        )
        assert segments("doctor", cwd=folder, stdin=None, **found).returncode == 1
        assert segments("down", cwd=folder).stdout == b"Nothing runs on .segments.\n"

    def test_a_directory_that_cannot_be_written_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        done = segments("up", "--data", "file/below", cwd=tmp_path)
        assert done.returncode != 0
        assert done.stdout == b""
        assert done.stderr.startswith(b"segments: ")
        assert done.stderr.count(b"\n") == 1


def of_the_demo(folder: Path) -> list[str]:
    """The processes, and directories, that belong to a demo whose temporary directory this is."""
    found = [str(path) for path in folder.iterdir()]
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                settings = (process / "environ").read_bytes()
            except OSError:
                continue
            if f"TMPDIR={folder}".encode() in settings.split(b"\0") and process.name != str(os.getpid()):
                found.append(process.name)
    return found


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def test_the_demo_shows_contacts_enter_and_leave_by_what_they_do_and_by_time_alone(
    temporary: Path, tmp_path: Path
) -> None:
    # Settings of another installation must not matter.
    own = environment(KAFKA="127.0.0.1:1", CLOCK="events", GROUP="mine") | {"TMPDIR": str(temporary)}
    # So many that some of them leave the checkout at once, whatever chance has them do.
    demo = command("demo", "--shoppers", "120", "--for", "12s")
    done = subprocess.run(demo, cwd=tmp_path, env=own, capture_output=True, timeout=110, check=False)
    shown = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b""), shown
    assert re.search(
        r"^\S+ +\S+ +entered  browsing-now +event: did Product Viewed at least 3 times", shown, re.MULTILINE
    )
    assert re.search(r"^\S+ +\S+ +left     browsing-now +time, after \d", shown, re.MULTILINE)
    assert re.search(
        r"^\S+ +\S+ +entered  left-the-checkout +time: did Checkout Started", shown, re.MULTILINE
    )
    assert re.search(
        r"^1\d s: \d+ events, \d+ transitions \(\d+ entered, \d+ left; \d+ of them by time alone\)$",
        shown,
        re.MULTILINE,
    )
    assert "shopping.yaml" in shown or "demo_segments" in shown
    assert of_the_demo(temporary) == []
    assert "\x1b" not in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_ended_leaves_nothing_running(
    temporary: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    own = environment() | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(
        command("demo", "--json"), cwd=tmp_path, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["event"] == "Audience Entered"
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == code
    assert re.fullmatch(rb"\d+ s: .*by time alone\)\n", errors)
    assert of_the_demo(temporary) == []


def test_a_demo_that_is_killed_leaves_nothing_running(temporary: Path, tmp_path: Path) -> None:
    own = environment() | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(
        command("demo", "--json"), cwd=tmp_path, env=own, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while [each for each in of_the_demo(temporary) if each.isdigit()]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_demo_whose_worker_dies_says_so(temporary: Path, tmp_path: Path) -> None:
    own = environment() | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(
        command("demo", "--json"), cwd=tmp_path, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    [worker] = [each for each in of_the_demo(temporary) if each.isdigit() and is_worker(each)]
    os.kill(int(worker), signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith(b"segments: the demo's worker has ended: ")
    assert errors.count(b"\n") == 1
    assert of_the_demo(temporary) == []


def is_worker(pid: str) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return words[1:4] == [b"-m", b"streams.cli", b"worker"]
