"""Settings: what is taken, what is refused and in which words."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from streams.errors import ConfigurationError
from streams.settings import (
    ClockSource,
    LogFormat,
    SecurityProtocol,
    Settings,
    load_settings,
    settings_table,
    variable,
)


def load(**environment: str) -> Settings:
    return load_settings({f"SEGMENTS_{name}": value for name, value in environment.items()}, None)[0]


def problems(**environment: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        load(**environment)
    assert caught.value.exit_code == 78
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_without_any_variable_the_defaults_of_the_contract_hold() -> None:
    settings, warnings = load_settings({}, None)
    assert warnings == []
    assert settings.kafka == "127.0.0.1:9092"
    assert settings.redis.get_secret_value() == "redis://127.0.0.1:6379/0"
    assert (settings.group, settings.partitions, settings.definitions) == (
        "livesegments",
        4,
        Path("segments"),
    )
    assert (settings.clock, settings.max_future_skew_ms, settings.wake_delay_ms) == ("wall", 300_000, 500)
    assert (settings.metrics_port, settings.web_port, settings.log_format) == (9464, 8080, "console")
    assert (settings.metrics_host, settings.web_host) == ("127.0.0.1", "127.0.0.1")
    assert settings.events_topic == "events"
    assert settings.by_contact_topic == "events-by-contact"
    assert settings.transitions_topic == "segment-transitions"
    assert settings.dead_letter_topic == "events-dead-letters"


TAKEN: list[tuple[str, str, Any]] = [
    ("KAFKA", "kafka-1:9092, kafka-2:9092", "kafka-1:9092,kafka-2:9092"),
    ("KAFKA", "[::1]:9092", "[::1]:9092"),
    ("CLOCK", "events", ClockSource.EVENTS),
    ("CLOCK", "Wall", ClockSource.WALL),
    ("MAX_FUTURE_SKEW", "1h", 3_600_000),
    ("MAX_FUTURE_SKEW", "0s", 0),
    ("WAKE_DELAY", "2s", 2_000),
    ("METRICS_PORT", "0", 0),
    ("METRICS_PORT", "65535", 65_535),
    ("METRICS_HOST", "0.0.0.0", "0.0.0.0"),
    ("METRICS_HOST", "::", "::"),
    ("PARTITIONS", "12", 12),
    ("GROUP", "shop.eu_1-a", "shop.eu_1-a"),
    ("INSTANCE", "worker-0", "worker-0"),
    ("LOG_LEVEL", "DEBUG", "debug"),
    ("LOG_FORMAT", "json", LogFormat.JSON),
    ("DEFINITIONS", "/etc/segments", Path("/etc/segments")),
    ("WEB_TOKEN", "s3cret", SecretStr("s3cret")),
    (
        "REDIS",
        "rediss://user:p%40ss@redis.example:6380/3",
        SecretStr("rediss://user:p%40ss@redis.example:6380/3"),
    ),
    ("REDIS", "redis://localhost", SecretStr("redis://localhost")),
]


@pytest.mark.parametrize(("name", "text", "value"), TAKEN)
def test_takes(name: str, text: str, value: Any) -> None:
    settings = load(**{name: text})
    field = next(field for field in Settings.model_fields if variable(field) == f"SEGMENTS_{name}")
    assert getattr(settings, field) == value


REFUSED: list[tuple[str, str, str]] = [
    ("KAFKA", "kafka://h:1", "SEGMENTS_KAFKA='kafka://h:1': must be host:port without a scheme"),
    ("KAFKA", "localhost", "SEGMENTS_KAFKA='localhost': must be host:port, such as 127.0.0.1:9092"),
    ("KAFKA", "a:9092,", "must be host:port"),
    ("KAFKA", "a:0", "must be host:port"),
    ("KAFKA", "a:99999", "must be host:port"),
    ("KAFKA", "a b:1", "must be host:port"),
    ("KAFKA_SECURITY_PROTOCOL", "TLS", "must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
    ("KAFKA_SASL_MECHANISM", "GSSAPI", "must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
    ("KAFKA_CA_FILE", "/nowhere/ca.pem", "SEGMENTS_KAFKA_CA_FILE='/nowhere/ca.pem': there is no such file"),
    ("KAFKA_CA_FILE", "/tmp", "there is no such file"),
    ("REDIS", "127.0.0.1:6379", "SEGMENTS_REDIS: must be redis://"),
    ("REDIS", "http://h/0", "must be redis://"),
    ("REDIS", "redis://h:x/0", "must be redis://"),
    ("REDIS", "redis://h:1/main", "the database is a number"),
    ("GROUP", "a b", "must be 1 to 200 of the characters"),
    ("GROUP", "{0}", "must be 1 to 200 of the characters"),
    ("GROUP", "g" * 201, "must be 1 to 200 of the characters"),
    ("EVENTS_TOPIC", "e" * 239, "must be 1 to 238 of the characters"),
    ("EVENTS_TOPIC", "..", "must be 1 to 238 of the characters"),
    ("PARTITIONS", "0", "SEGMENTS_PARTITIONS='0': must be a whole number from 1 to 10000"),
    ("PARTITIONS", "4.0", "must be a whole number from 1 to 10000"),
    ("PARTITIONS", "٤", "must be a whole number from 1 to 10000"),
    ("CLOCK", "Event", "SEGMENTS_CLOCK='Event': must be one of wall, events"),
    ("MAX_FUTURE_SKEW", "300", "must be a duration such as 500ms, 30s or 5m"),
    ("MAX_FUTURE_SKEW", "5 minutes", "must be a duration"),
    ("MAX_FUTURE_SKEW", "366d", "must be from 0s to 365d"),
    ("WAKE_DELAY", "-1s", "must be a duration"),
    ("METRICS_PORT", "65536", "must be a whole number from 0 to 65535"),
    ("METRICS_PORT", "http", "must be a whole number from 0 to 65535"),
    ("METRICS_HOST", "localhost:80", "must be a host name or an address"),
    ("WEB_PORT", "0", "must be a whole number from 1 to 65535"),
    ("WEB_PORT", "tcp://10.0.0.1:8080", "Kubernetes"),
    ("LOG_LEVEL", "trace", "must be one of debug, info, warning, error"),
    ("LOG_FORMAT", "xml", "must be one of console, json"),
]


@pytest.mark.parametrize(("name", "text", "message"), REFUSED)
def test_refuses_in_one_line_that_names_the_variable(name: str, text: str, message: str) -> None:
    (problem,) = problems(**{name: text})
    assert problem.startswith(f"SEGMENTS_{name}")
    assert message in problem
    assert "\n" not in problem


def test_tells_of_every_wrong_variable_at_once() -> None:
    found = problems(CLOCK="x", METRICS_PORT="x", KAFKA="x")
    assert [problem.split("=")[0] for problem in found] == [
        "SEGMENTS_KAFKA",
        "SEGMENTS_CLOCK",
        "SEGMENTS_METRICS_PORT",
    ]


def test_secrets_are_neither_in_messages_nor_in_what_is_printed_of_the_settings() -> None:
    assert "hunter2" not in "".join(problems(REDIS="redis://:hunter2@h:x/0"))
    assert "hunter2" not in "".join(problems(REDIS="hunter2"))
    settings = load(
        REDIS="redis://u:hunter2@h:1/2",
        WEB_TOKEN="hunter2",
        KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        KAFKA_SASL_MECHANISM="plain",
        KAFKA_USERNAME="u",
        KAFKA_PASSWORD="hunter2",
    )
    assert "hunter2" not in repr(settings) + str(settings) + str(settings.model_dump()) + settings.redis_place
    assert settings.redis_place == "h:1/2"


def test_a_login_needs_all_of_its_parts() -> None:
    assert problems(KAFKA_SECURITY_PROTOCOL="SASL_SSL", KAFKA_USERNAME="u") == (
        "SEGMENTS_KAFKA_SASL_MECHANISM is missing: SASL_SSL needs it",
        "SEGMENTS_KAFKA_PASSWORD is missing: SASL_SSL needs it",
    )


def test_a_login_that_would_not_be_used_is_refused() -> None:
    (problem,) = problems(KAFKA_PASSWORD="hunter2")
    assert problem.startswith(
        "SEGMENTS_KAFKA_PASSWORD is set, but SEGMENTS_KAFKA_SECURITY_PROTOCOL is PLAINTEXT"
    )
    assert "hunter2" not in problem
    (problem,) = problems(KAFKA_PASSWORD="hunter2", KAFKA_SECURITY_PROTOCOL="SSL")
    assert problem.endswith("set that to SASL_SSL, or leave this out")


def test_certificates_that_would_not_be_used_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    (problem,) = problems(KAFKA_CA_FILE=str(file))
    assert problem.startswith(
        "SEGMENTS_KAFKA_CA_FILE is set, but SEGMENTS_KAFKA_SECURITY_PROTOCOL is PLAINTEXT"
    )
    (problem,) = problems(KAFKA_KEY_FILE=str(file), KAFKA_SECURITY_PROTOCOL="ssl")
    assert problem.startswith("SEGMENTS_KAFKA_CERT_FILE is missing")
    settings = load(KAFKA_CA_FILE=str(file), KAFKA_CERT_FILE=str(file), KAFKA_SECURITY_PROTOCOL="ssl")
    assert (settings.kafka_security_protocol, settings.kafka_ca_file) == (SecurityProtocol.SSL, file)


def test_no_two_topics_are_one() -> None:
    (problem,) = problems(TRANSITIONS_TOPIC="events")
    assert problem == "SEGMENTS_TRANSITIONS_TOPIC='events': this is the events topic; choose another"
    assert len(problems(DEAD_LETTER_TOPIC="events-by-contact")) == 1
    assert len(problems(DEAD_LETTER_TOPIC="x", TRANSITIONS_TOPIC="x")) == 1


def test_warns_of_variables_that_are_no_settings() -> None:
    _, warnings = load_settings(
        {"SEGMENTS_KAFKAA": "x", "segments_group": "x", "SEGMENTS_ZZZ": "x", "PATH": "x"}, None
    )
    assert warnings == [
        "SEGMENTS_KAFKAA is no setting: did you mean SEGMENTS_KAFKA?",
        "SEGMENTS_ZZZ is no setting, and is ignored",
        "segments_group is no setting: did you mean SEGMENTS_GROUP?",
    ]


def test_an_empty_value_is_none() -> None:
    assert load(METRICS_PORT="", KAFKA_PASSWORD="", REDIS="") == load()


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "SEGMENTS_GROUP=from-file\nSEGMENTS_PARTITIONS=7\nSEGMENTS_WEB_TOKEN='a$b${HOME}'\nOTHER=1\n"
    )
    settings, warnings = load_settings({"SEGMENTS_GROUP": "from-environment"}, file)
    assert (settings.group, settings.partitions, warnings) == ("from-environment", 7, [])
    assert settings.web_token == SecretStr("a$b${HOME}")
    assert load_settings({}, tmp_path / "none")[0] == load()


def test_a_file_that_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"SEGMENTS_GROUP=\xff")
    with pytest.raises(ConfigurationError, match="cannot be read: it is not UTF-8"):
        load_settings({}, file)


def test_the_table_has_every_setting_with_its_default_and_what_it_is_for() -> None:
    lines = settings_table().splitlines()
    assert len(lines) == 2 + len(Settings.model_fields)
    assert "| `SEGMENTS_WAKE_DELAY` | `500ms` | How far" in settings_table()
    assert all(field.description for field in Settings.model_fields.values())
