"""How every client of ours reaches Kafka: one mapping from settings to each library's options."""

import asyncio
import os
import ssl
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from aiokafka.conn import create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from streams.errors import ConfigurationError, RetryLater
from streams.settings import SaslMechanism, SecurityProtocol, Settings

WHAT_TO_DO = "start one (`segments up`) or set SEGMENTS_KAFKA; `segments doctor` tells more"
"""Where none answers."""


class BrokerUnreachable(RetryLater):
    """No broker answered. Try again, or stop."""


@dataclass(frozen=True)
class KafkaConnection:
    """Where the brokers are, and who we are to them."""

    bootstrap_servers: tuple[str, ...] = ("127.0.0.1:9092",)
    security_protocol: SecurityProtocol = SecurityProtocol.PLAINTEXT
    sasl_mechanism: SaslMechanism | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def address(self) -> str:
        """The brokers, as a message names them."""
        return ",".join(self.bootstrap_servers)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        password = settings.kafka_password
        return cls(
            tuple(settings.kafka.split(",")),
            settings.kafka_security_protocol,
            settings.kafka_sasl_mechanism,
            settings.kafka_username,
            None if password is None else password.get_secret_value(),
            settings.kafka_ca_file,
            settings.kafka_cert_file,
            settings.kafka_key_file,
        )

    @cached_property
    def ssl_context(self) -> ssl.SSLContext | None:
        """Checks the broker's certificate against the CA file, or the system's authorities where there is none.

        Raises ConfigurationError where a file is not what it should be.
        """
        if not self.security_protocol.is_encrypted:
            return None
        reading = "SEGMENTS_KAFKA_CA_FILE", self.ca_file
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                reading = "SEGMENTS_KAFKA_CERT_FILE", self.cert_file
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"{reading[0]}={str(reading[1])!r}: no PEM file of that kind: {error}"
            ) from None
        return context

    def options(self) -> dict[str, Any]:
        """Keyword arguments that aiokafka's clients and kafka-python's admin client both know.

        Raises ConfigurationError as ``ssl_context`` does.
        """
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "security_protocol": str(self.security_protocol),
            "ssl_context": self.ssl_context,
        }
        if self.security_protocol.has_login:
            options["sasl_mechanism"] = str(self.sasl_mechanism)
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options


async def knock(connection: KafkaConnection, wait_s: float = 5.0) -> None:
    """Returns once a broker has let us in.

    Raises ConfigurationError where one will not, ever; BrokerUnreachable where none answers within ``wait_s`` each.
    The clients themselves try on and on in both cases, and tell neither from the other.
    """
    options = connection.options()
    reasons = []
    for server in options.pop("bootstrap_servers"):
        host, _, port = server.rpartition(":")
        try:
            async with asyncio.timeout(wait_s):
                (await create_conn(host.strip("[]"), int(port), **options)).close()
                return
        except (SaslAuthenticationFailed, UnsupportedSaslMechanismError, IllegalSaslStateError) as error:
            raise ConfigurationError(
                f"Kafka at {server} refuses the login of {connection.username} ({_said(error)}): see SEGMENTS_KAFKA_USERNAME, "
                "SEGMENTS_KAFKA_PASSWORD and SEGMENTS_KAFKA_SASL_MECHANISM"
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(
                f"the certificate of Kafka at {server} cannot be trusted: {error.verify_message}: "
                "see SEGMENTS_KAFKA_CA_FILE"
            ) from error
        except (KafkaError, OSError, TimeoutError) as error:
            reasons.append(f"{server}: {_said(error)}")
    raise BrokerUnreachable(f"no Kafka broker answers ({'; '.join(reasons)}): {WHAT_TO_DO}")


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
    return str(error.args[0]) if error.args else type(error).__name__
