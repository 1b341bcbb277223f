"""The settings: environment variables with the prefix ``SEGMENTS_``, or the file ``.env``, read and checked once."""

import difflib
import os
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from rules.durations import format_duration
from streams import setting_values as values
from streams.errors import ConfigurationError, RetryLater

PREFIX = "SEGMENTS_"
BY_CONTACT = "-by-contact"

_DAY_MS = 86_400_000


class SecurityProtocol(StrEnum):
    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def is_encrypted(self) -> bool:
        return self in (SecurityProtocol.SSL, SecurityProtocol.SASL_SSL)

    @property
    def has_login(self) -> bool:
        return self in (SecurityProtocol.SASL_PLAINTEXT, SecurityProtocol.SASL_SSL)


class SaslMechanism(StrEnum):
    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


class ClockSource(StrEnum):
    """What moves a partition's clock where everything is read (contract, section 3.4)."""

    WALL = "wall"
    EVENTS = "events"


class Delivery(StrEnum):
    """What becomes of a transition that a paused worker publishes after another has its partition."""

    AT_LEAST_ONCE = "at_least_once"
    EXACTLY_ONCE = "exactly_once"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"


Topic = Annotated[str, BeforeValidator(values.name(249 - len(BY_CONTACT)))]
Port = Annotated[int, BeforeValidator(values.whole_number(1, 65535))]
Host = Annotated[str, BeforeValidator(values.host)]
File = Annotated[Path | None, BeforeValidator(values.readable_file)]


class Settings(BaseModel):
    """All settings, checked, also against each other. Raises ConfigurationError where two do not fit together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kafka: Annotated[str, BeforeValidator(values.servers)] = Field(
        "127.0.0.1:9092", description="Kafka bootstrap servers, `host:port`, joined by commas"
    )
    kafka_security_protocol: Annotated[SecurityProtocol, BeforeValidator(values.one_of(SecurityProtocol))] = (
        Field(SecurityProtocol.PLAINTEXT, description="`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`")
    )
    kafka_sasl_mechanism: Annotated[SaslMechanism | None, BeforeValidator(values.one_of(SaslMechanism))] = (
        Field(None, description="How to log in with `SASL_…`: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`")
    )
    kafka_username: str | None = Field(None, description="User name, with `SASL_…`")
    kafka_password: SecretStr | None = Field(None, description="Password, with `SASL_…`")
    kafka_ca_file: File = Field(
        None,
        description="PEM file of the authorities that Kafka's certificate is checked against, in place of the system's",
    )
    kafka_cert_file: File = Field(
        None, description="PEM file of the client's own certificate, for mutual TLS"
    )
    kafka_key_file: File = Field(None, description="PEM file of its key, where it is not in the same file")
    redis: Annotated[SecretStr, BeforeValidator(values.redis_url)] = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis, or any node of a Redis Cluster, `redis://[user:password@]host:port/database`; `rediss://` "
        "for TLS, with `?ssl_ca_certs=FILE` where its authority is not one of the system's",
    )
    definitions: Path = Field(Path("segments"), description="Directory of the segment definitions")
    group: Annotated[str, BeforeValidator(values.name(200))] = Field(
        "livesegments", description="Kafka consumer group; another group has a state of its own"
    )
    instance: Annotated[str | None, BeforeValidator(values.name(200))] = Field(
        None,
        description="Name of this worker, the same at each start and no other worker's (such as a stateful set's pod): "
        "a worker that was killed then goes on as soon as it is back, and not after the 10 s that the group waits for it",
    )
    partitions: Annotated[int, BeforeValidator(values.whole_number(1, 10_000))] = Field(
        4, description="Partitions of the topics that a worker makes; those that exist keep theirs"
    )
    events_topic: Topic = Field("events", description="Events in, keyed by contact id")
    transitions_topic: Topic = Field("segment-transitions", description="Transitions out")
    dead_letter_topic: Topic = Field("events-dead-letters", description="Records that could not be taken")
    clock: Annotated[ClockSource, BeforeValidator(values.one_of(ClockSource))] = Field(
        ClockSource.WALL,
        description="`wall`: once everything is read, time goes on by the wall clock; `events`: received times alone move it",
    )
    delivery: Annotated[Delivery, BeforeValidator(values.one_of(Delivery))] = Field(
        Delivery.AT_LEAST_ONCE,
        description="`exactly_once`: transitions and dead letters are published in Kafka transactions, so that a worker that was "
        "paused past its session cannot publish any more; the same for all workers of a group. `at_least_once`: it may "
        "repeat some, under the same `messageId`",
    )
    max_future_skew_ms: Annotated[int, BeforeValidator(values.duration(0, 365 * _DAY_MS))] = Field(
        300_000,
        description="How far a timestamp may be ahead of the received time, and that of the wall clock",
    )
    wake_delay_ms: Annotated[int, BeforeValidator(values.duration(0, _DAY_MS))] = Field(
        500,
        description="How far the clock stays behind the wall clock, so that events on their way come in time",
    )
    flood_share: Annotated[float, BeforeValidator(values.share)] = Field(
        0.5,
        description="A partition stands still when more than this share of its latest records became dead letters, and of "
        "those that come next too; 1: never",
    )
    flood_window: Annotated[int, BeforeValidator(values.whole_number(10, 1_000_000))] = Field(
        1000,
        description="How many latest records these are; where there have been fewer, the missing ones count as good",
    )
    cached_contacts: Annotated[int, BeforeValidator(values.whole_number(1, 10_000_000))] = Field(
        50_000,
        description="How many contacts of each partition a worker keeps in memory, at 1 to 2 KB each; fewer where their records "
        "are large",
    )
    unpacked_mib: Annotated[int, BeforeValidator(values.whole_number(1, 1_000_000))] = Field(
        512,
        description="How many MiB the records of one batch, as its producer packed them, may unpack to; a worker needs twice as "
        "much memory for it. One of more becomes one dead letter, and nothing of it is taken",
    )
    metrics_host: Host = Field("127.0.0.1", description="Address of the metrics and health endpoints")
    metrics_port: Annotated[int, BeforeValidator(values.whole_number(0, 65535))] = Field(
        9464, description="Port of the metrics and health endpoints; 0: none"
    )
    web_host: Host = Field("127.0.0.1", description="Address of the HTTP API and pages")
    web_port: Port = Field(8080, description="Port of the HTTP API and pages")
    web_token: SecretStr | None = Field(None, description="What clients of the HTTP API and pages must know")
    log_level: Annotated[LogLevel, BeforeValidator(values.one_of(LogLevel))] = Field(
        LogLevel.INFO, description="`debug`, `info`, `warning` or `error`"
    )
    log_format: Annotated[LogFormat, BeforeValidator(values.one_of(LogFormat))] = Field(
        LogFormat.CONSOLE, description="`console`, for people, or `json`, one object a line"
    )

    @property
    def definitions_directory(self) -> Path:
        """Where the definitions are. Raises ConfigurationError where that is no directory; not every command needs
        one, so it is not looked for at once."""
        if not self.definitions.is_dir():
            what = "this is no directory" if self.definitions.exists() else "there is no such directory"
            raise ConfigurationError(
                f"{variable('definitions')}={str(self.definitions)!r}: {what}: name that of your definitions"
            )
        return self.definitions

    @property
    def by_contact_topic(self) -> str:
        """Where records under a wrong key are sent on to."""
        return self.events_topic + BY_CONTACT

    @property
    def redis_place(self) -> str:
        """Where Redis is, without user and password: for messages to people."""
        parts = urlsplit(self.redis.get_secret_value())
        return f"{parts.hostname}:{parts.port or 6379}{parts.path}"

    def redis_unusable(self, detail: str) -> RetryLater:
        """What to tell of a Redis that does not do its part."""
        return RetryLater(
            f"Redis at {self.redis_place} cannot be used: {detail.rstrip('.')}: "
            "start one (`segments up`) or set SEGMENTS_REDIS; `segments doctor` tells more"
        )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = [*_kafka_login_problems(self), *_kafka_tls_problems(self), *_topic_problems(self)]
        if problems:
            raise ConfigurationError(*problems)
        return self


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.removesuffix("_ms").upper()


def load_settings(
    environment: Mapping[str, str] | None = None, env_file: Path | None = Path(".env")
) -> tuple[Settings, list[str]]:
    """The settings, and a warning for each variable that looks like one and is none.

    The environment (default: the process's) goes before the file, which need not exist. An empty value is the same
    as none. Raises ConfigurationError with one line for each wrong variable.
    """
    given = _given(os.environ if environment is None else environment, env_file)
    fields = {variable(field): field for field in Settings.model_fields}
    known = {fields[name]: value for name, value in given.items() if name in fields and value}
    try:
        return Settings.model_validate(known), _unknown(given, fields)
    except ValidationError as error:
        raise ConfigurationError(*(_problem(found, known) for found in error.errors())) from None


def _given(environment: Mapping[str, str], env_file: Path | None) -> dict[str, str]:
    found: dict[str, str | None] = {}
    if env_file is not None and env_file.is_file():
        try:
            found.update(dotenv_values(env_file, interpolate=False))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigurationError(f"{env_file} cannot be read: {why}") from None
    found.update(environment)
    return {
        name: value for name, value in found.items() if value is not None and name.upper().startswith(PREFIX)
    }


def _problem(found: Any, given: Mapping[str, str]) -> str:
    """One line for one wrong variable: its name, its value unless it is secret, what is allowed."""
    field = str(found["loc"][0])
    cause = found.get("ctx", {}).get("error", found["msg"])
    if "SecretStr" in str(Settings.model_fields[field].annotation):
        return f"{variable(field)}: {cause}"
    shown = given[field] if len(given[field]) <= 80 else given[field][:77] + "..."
    return f"{variable(field)}={shown!r}: {cause}"


def _unknown(given: Iterable[str], known: Iterable[str]) -> list[str]:
    warnings = []
    for name in sorted(set(given) - set(known)):
        close = difflib.get_close_matches(name.upper(), list(known), n=1, cutoff=0.8)
        hint = f": did you mean {close[0]}?" if close else ", and is ignored"
        warnings.append(f"{name} is no setting{hint}")
    return warnings


def _kafka_login_problems(settings: Settings) -> list[str]:
    protocol = settings.kafka_security_protocol
    names = ("kafka_sasl_mechanism", "kafka_username", "kafka_password")
    given = [name for name in names if getattr(settings, name) is not None]
    if protocol.has_login:
        missing = [name for name in names if name not in given]
        return [f"{variable(name)} is missing: {protocol} needs it" for name in missing]
    wanted = SecurityProtocol.SASL_SSL if protocol.is_encrypted else SecurityProtocol.SASL_PLAINTEXT
    return [
        f"{variable(name)} is set, but {variable('kafka_security_protocol')} is {protocol}, without a login: "
        f"set that to {wanted}{'' if protocol.is_encrypted else ' or SASL_SSL'}, or leave this out"
        for name in given
    ]


def _kafka_tls_problems(settings: Settings) -> list[str]:
    protocol = settings.kafka_security_protocol
    names = ("kafka_ca_file", "kafka_cert_file", "kafka_key_file")
    given = [name for name in names if getattr(settings, name) is not None]
    if not protocol.is_encrypted:
        return [
            f"{variable(name)} is set, but {variable('kafka_security_protocol')} is {protocol}, without TLS: "
            f"set that to {'SASL_SSL' if protocol.has_login else 'SSL'}, or leave this out"
            for name in given
        ]
    if "kafka_key_file" in given and "kafka_cert_file" not in given:
        return [
            f"{variable('kafka_cert_file')} is missing: {variable('kafka_key_file')} is the key of a certificate"
        ]
    return []


def _topic_problems(settings: Settings) -> list[str]:
    used = {
        settings.events_topic: "the events topic",
        settings.by_contact_topic: "made from the events topic's name",
    }
    problems = []
    for field in ("transitions_topic", "dead_letter_topic"):
        topic = getattr(settings, field)
        if topic in used:
            problems.append(f"{variable(field)}={topic!r}: this is {used[topic]}; choose another")
        used[topic] = f"the value of {variable(field)}, too"
    return problems


def settings_table() -> str:
    """All settings as a Markdown table, for the reference."""
    rows = ["| variable | default | what |", "| --- | --- | --- |"]
    for field, about in Settings.model_fields.items():
        rows.append(f"| `{variable(field)}` | {_shown_default(field, about.default)} | {about.description} |")
    return "\n".join(rows) + "\n"


def _shown_default(field: str, default: Any) -> str:
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return f"`{default.get_secret_value()}`"
    return f"`{format_duration(default)}`" if field.endswith("_ms") else f"`{default}`"
