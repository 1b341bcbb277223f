"""Settings become the options of Kafka's clients, and a broker that lets nobody in is told from one that is away."""

import ssl
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from streams.connections import BrokerUnreachable, KafkaConnection, knock
from streams.errors import ConfigurationError
from streams.local.ports import free_ports
from streams.settings import load_settings


def _connection(**given: str) -> KafkaConnection:
    settings, _ = load_settings(
        {f"SEGMENTS_KAFKA_{name}": value for name, value in given.items()}, env_file=None
    )
    return KafkaConnection.of(settings)


def test_a_login_over_tls_is_passed_on() -> None:
    connection = _connection(
        SECURITY_PROTOCOL="SASL_SSL", SASL_MECHANISM="SCRAM-SHA-512", USERNAME="me", PASSWORD="secret"
    )
    options = connection.options()
    assert isinstance(options.pop("ssl_context"), ssl.SSLContext)
    assert options == {
        "bootstrap_servers": ["127.0.0.1:9092"],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
    }
    assert "secret" not in repr(connection)


async def test_the_options_are_such_as_the_clients_take() -> None:
    for given in ({}, {"SECURITY_PROTOCOL": "SSL"}):
        AIOKafkaConsumer(**_connection(**given).options())


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("nothing of that kind")
    with pytest.raises(ConfigurationError, match=r"SEGMENTS_KAFKA_CA_FILE='.*ca\.pem'"):
        _connection(SECURITY_PROTOCOL="SSL", CA_FILE=str(wrong)).options()


async def test_a_broker_that_is_there_lets_us_in(kafka: str) -> None:
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    await knock(KafkaConnection((nobody, kafka)))


async def test_a_broker_that_is_not_there_is_named_with_the_reason() -> None:
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(BrokerUnreachable, match=rf"no Kafka broker answers \({nobody}: Connection refused\)"):
        await knock(KafkaConnection((nobody,)))
