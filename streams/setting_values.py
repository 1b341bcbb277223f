"""How the text of an environment variable becomes a value. Each error says what is allowed, in one line."""

import os
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from rules.durations import format_duration, parse_duration

Read = Callable[[Any], Any]
"""From what was given to the value. Raises ValueError. What is no text came from code and is left as it is."""

_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_REDIS_SCHEMES = ("redis", "rediss")
_REDIS_TLS = (
    "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password",
    "ssl_cert_reqs", "ssl_check_hostname", "ssl_min_version", "ssl_ciphers",
)  # fmt: skip
_REDIS_OPTIONS = (
    "client_name", "db", "health_check_interval", "password", "protocol", "socket_connect_timeout",
    "socket_keepalive", "socket_timeout", "username",
)  # fmt: skip
"""What the address of Redis may end in, after a question mark."""


def whole_number(low: int, high: int) -> Read:
    def read(given: Any) -> Any:
        if isinstance(given, str):
            if given.startswith("tcp://"):
                raise ValueError(
                    "this looks like a variable that Kubernetes makes for a service of that name: "
                    "set enableServiceLinks: false"
                )
            if not re.fullmatch(r"[0-9]{1,9}", given):
                raise ValueError(f"must be a whole number from {low} to {high}")
            given = int(given)
        if not low <= given <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return given

    return read


def one_of(choices: type[StrEnum]) -> Read:
    """A member of a closed set; capitals do not matter."""

    def read(given: Any) -> Any:
        for choice in choices:
            if str(given).lower() == choice.lower():
                return choice
        raise ValueError(f"must be one of {', '.join(choices)}")

    return read


def duration(low_ms: int, high_ms: int) -> Read:
    """A duration as definitions write them, as milliseconds."""

    def read(given: Any) -> Any:
        if isinstance(given, str):
            try:
                given = parse_duration(given)
            except ValueError:
                raise ValueError("must be a duration such as 500ms, 30s or 5m") from None
        if not low_ms <= given <= high_ms:
            raise ValueError(f"must be from {format_duration(low_ms)} to {format_duration(high_ms)}")
        return given

    return read


def name(max_characters: int) -> Read:
    """A name that Kafka takes, and that is whole in Redis keys, too."""

    def read(given: Any) -> Any:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", given) or given in (".", "..") or len(given) > max_characters:
            raise ValueError(f"must be 1 to {max_characters} of the characters A-Z a-z 0-9 . _ -")
        return given

    return read


def readable_file(given: Any) -> Any:
    path = Path(given)
    if not path.is_file():
        raise ValueError("there is no such file")
    if not os.access(path, os.R_OK):
        raise ValueError("this file may not be read by the user that the process runs as")
    return path


def host(given: Any) -> Any:
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", given):
        raise ValueError("must be a host name or an address, such as 127.0.0.1 or 0.0.0.0, without a port")
    return given


def servers(given: Any) -> Any:
    """Kafka's bootstrap servers, as one text without spaces."""
    found = [server.strip() for server in given.split(",")]
    for server in found:
        if "://" in server:
            raise ValueError("must be host:port without a scheme in front; several are joined by commas")
        where, colon, port = server.rpartition(":")
        if not colon or not _HOST.fullmatch(where) or not _is_port(port):
            raise ValueError("must be host:port, such as 127.0.0.1:9092; several are joined by commas")
    return ",".join(found)


def redis_url(given: Any) -> Any:
    """The address of Redis. Errors never quote it, for it may hold a password."""
    if not isinstance(given, str):
        return given
    expected = "must be redis://[user:password@]host:port/database, or rediss:// for TLS"
    try:
        parts = urlsplit(given)
        scheme, where, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{expected}; special characters in a password are written as %XX") from None
    if scheme not in _REDIS_SCHEMES or not where or port == 0 or parts.fragment:
        raise ValueError(expected)
    if not re.fullmatch(r"/?[0-9]{0,5}", unquote(parts.path)):
        raise ValueError(f"{expected}: the database is a number")
    _check_redis_options({name: value[-1] for name, value in parse_qs(parts.query).items()}, scheme)
    return given


def _check_redis_options(options: dict[str, str], scheme: str) -> None:
    for name in options:
        if name in _REDIS_TLS and scheme != "rediss":
            raise ValueError(f"{name} is of use with rediss:// only, which is with TLS")
        if name not in (*_REDIS_TLS, *_REDIS_OPTIONS):
            raise ValueError(f"there is no option {name}; for TLS there are {', '.join(_REDIS_TLS)}")
    import ssl  # slow to import, and seldom needed

    reading = "ssl_ca_certs"
    try:
        context = ssl.create_default_context(cafile=options.get(reading)) if reading in options else None
        if "ssl_certfile" in options:
            reading = "ssl_certfile"
            context = context or ssl.create_default_context()
            context.load_cert_chain(
                options[reading], options.get("ssl_keyfile"), options.get("ssl_password", "")
            )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ValueError(f"{reading}: no PEM file of that kind: {why}") from None


def _is_port(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,5}", text)) and 0 < int(text) <= 65535
