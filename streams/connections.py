"""How every client of ours reaches Kafka: one mapping from settings to each library's options."""

import ssl
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class KafkaConnection:
    """Where the brokers are, and who we are to them."""

    bootstrap_servers: tuple[str, ...] = ("127.0.0.1:9092",)
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def address(self) -> str:
        """The brokers, as a message names them."""
        return ",".join(self.bootstrap_servers)

    @cached_property
    def ssl_context(self) -> ssl.SSLContext | None:
        """Checks the broker's certificate against the CA file, or the system's authorities where there is none.

        Raises OSError or ssl.SSLError where a file cannot be read.
        """
        if "SSL" not in self.security_protocol.split("_"):
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context

    def options(self) -> dict[str, Any]:
        """Keyword arguments that aiokafka's clients and kafka-python's admin client both know."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context,
        }
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options
