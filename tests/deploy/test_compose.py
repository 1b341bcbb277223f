"""docker-compose.yml: `docker compose up --wait` and nothing else must do."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
every_service = pytest.mark.parametrize("name", sorted(SERVICES))


def test_the_file_is_valid_by_the_compose_schema() -> None:
    words = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        "docker-compose.yml",
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@every_service
def test_up_waits_for_a_service_that_answers(name: str) -> None:
    healthcheck = SERVICES[name]["healthcheck"]
    assert healthcheck["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries", "start_period"} <= set(healthcheck)


@every_service
def test_a_service_starts_after_those_that_it_needs_are_healthy(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        assert how == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[needed]


@every_service
def test_ports_are_open_to_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), port


@every_service
def test_a_service_cannot_take_the_whole_machine(name: str) -> None:
    assert {"cpus", "memory"} <= set(SERVICES[name]["deploy"]["resources"]["limits"])


@every_service
def test_images_are_of_a_chosen_version(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].rpartition(":")
    assert tag
    assert tag != "latest"


@every_service
def test_what_is_mounted_is_there(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"], source


def test_data_that_must_last_is_in_named_volumes() -> None:
    assert "kafka:/var/lib/kafka/data" in SERVICES["kafka"]["volumes"]
    assert SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"
    assert "redis:/data" in SERVICES["redis"]["volumes"]


def test_redis_keeps_what_it_is_given() -> None:
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"


def test_the_worker_is_given_settings_that_exist() -> None:
    names = {PREFIX + field.upper() for field in Settings.model_fields}
    assert set(SERVICES["worker"]["environment"]) <= names


def test_programs_on_this_machine_reach_kafka_and_redis_by_the_default_settings() -> None:
    defaults = Settings()
    assert defaults.kafka == "127.0.0.1:9092"
    assert (
        "HOST://127.0.0.1:${KAFKA_PORT:-9092}"
        in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    )
    assert defaults.redis.get_secret_value().startswith("redis://127.0.0.1:6379")
    assert "127.0.0.1:${REDIS_PORT:-6379}:6379" in SERVICES["redis"]["ports"]


def test_prometheus_asks_the_workers_where_they_answer() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (workers,) = [
        job["dns_sd_configs"][0] for job in config["scrape_configs"] if job["job_name"] == "livesegments"
    ]
    assert workers["names"] == ["worker"]
    assert str(workers["port"]) == SERVICES["worker"]["environment"]["SEGMENTS_METRICS_PORT"]
