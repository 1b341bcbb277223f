"""The endpoints, over a real socket."""

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from streams import health
from streams.errors import ConfigurationError
from streams.health import HealthServer
from streams.progress import Progress, Standing


@pytest.fixture
def progress() -> Progress:
    progress = Progress()
    progress.report({0: Standing(1, 0)})
    return progress


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("segments_events", "x", registry=registry).inc(3)
    return registry


@pytest.fixture
def server(registry: CollectorRegistry, progress: Progress) -> Iterator[HealthServer]:
    server = HealthServer("127.0.0.1", 0, registry, progress)
    server.start()
    yield server
    server.stop()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    finally:
        connection.close()


def test_serves_metrics(server: HealthServer) -> None:
    status, kind, body = ask(server.port, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert b"segments_events_total 3.0" in body
    assert ask(server.port, "/metrics", Accept="application/openmetrics-text")[2].endswith(b"# EOF\n")


def test_says_whether_the_worker_is_live_and_ready_and_why(server: HealthServer, progress: Progress) -> None:
    assert ask(server.port, "/live")[0] == 200
    assert ask(server.port, "/ready?verbose=1")[0] == 200
    progress.report({0: Standing(1, 0, "Redis is away")})
    status, kind, body = ask(server.port, "/ready")
    assert (status, kind) == (503, "application/json")
    assert json.loads(body)["problems"] == [{"partition": 0, "why": "Redis is away"}]
    assert ask(server.port, "/live")[0] == 200


def test_knows_no_other_path_and_changes_nothing(server: HealthServer) -> None:
    assert ask(server.port, "/")[0] == 404
    assert ask(server.port, "/metrics/../etc")[0] == 404
    assert ask(server.port, "/live", method="POST")[0] == 501
    status, _, body = ask(server.port, "/metrics", method="HEAD")
    assert (status, body) == (200, b"")


async def test_answers_while_the_event_loop_is_busy(server: HealthServer) -> None:
    answers: list[int] = []
    asker = threading.Thread(target=lambda: answers.append(ask(server.port, "/live")[0]))
    asker.start()
    end = time.monotonic() + 1.0
    while time.monotonic() < end and not answers:
        sum(range(1000))
    assert answers == [200]
    await asyncio.sleep(0)
    asker.join()


def test_a_taken_port_is_one_line_that_names_the_setting(
    registry: CollectorRegistry, progress: Progress
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            ConfigurationError, match=f"^SEGMENTS_METRICS_PORT={port} is taken on 127.0.0.1 by another"
        ):
            HealthServer("127.0.0.1", port, registry, progress).start()


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_that_is_not_this_machines_is_one_line_that_names_the_setting(
    host: str, registry: CollectorRegistry, progress: Progress
) -> None:
    with pytest.raises(
        ConfigurationError, match=f"^SEGMENTS_METRICS_HOST='{host}' is no address of this machine"
    ):
        HealthServer(host, 0, registry, progress).start()


def test_the_port_is_free_after_the_stop_and_can_be_had_again(
    registry: CollectorRegistry, progress: Progress
) -> None:
    first = HealthServer("127.0.0.1", 0, registry, progress)
    first.start()
    assert ask(first.port, "/live")[0] == 200
    before = threading.active_count()
    first.stop()
    first.stop()
    assert threading.active_count() < before
    second = HealthServer("127.0.0.1", first.port, registry, progress)
    second.start()
    assert ask(second.port, "/live")[0] == 200
    second.stop()


def test_clients_that_say_nothing_hold_no_more_than_their_places(server: HealthServer) -> None:
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(30)]
    try:
        time.sleep(0.3)
        assert (
            sum(thread.name.startswith("Thread-") for thread in threading.enumerate())
            <= health.MOST_AT_ONCE + 2
        )
    finally:
        for client in silent:
            client.close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            assert ask(server.port, "/live")[0] == 200
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        else:
            return
    pytest.fail("does not answer any more")


def test_listens_on_ipv6_too(registry: CollectorRegistry, progress: Progress) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")
    server = HealthServer("::1", 0, registry, progress)
    server.start()
    connection = http.client.HTTPConnection("::1", server.port, timeout=5)
    connection.request("GET", "/live")
    assert connection.getresponse().status == 200
    connection.close()
    server.stop()
