"""What Kafka must allow a worker to do, and what of it is missing.

A broker tells who asks what they may do with a topic or a group (KIP-430), so that a start names all that is missing
at once. Found out one by one, the rights that only a recovery needs would be missed first after a crash.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from kafka import errors
from kafka.admin import KafkaAdminClient

_TRIES, _PAUSE_S = 10, 0.2
"""A coordinator of groups that has just begun does not answer at once."""


class Kind(StrEnum):
    TOPIC = "topic"
    GROUP = "group"


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One operation on one thing, as Kafka's rules have it."""

    kind: Kind
    name: str
    operation: str


def lacking(admin: KafkaAdminClient, wanted: Sequence[Right]) -> list[Right]:
    """What the broker says is not allowed. Of what does not exist, and of brokers that do not tell: nothing.

    Raises KafkaError where it cannot be asked.
    """
    topics = list(dict.fromkeys(right.name for right in wanted if right.kind is Kind.TOPIC))
    groups = dict.fromkeys(right.name for right in wanted if right.kind is Kind.GROUP)
    allowed = {(Kind.TOPIC, name): operations for name, operations in _on_topics(admin, topics)}
    allowed |= {(Kind.GROUP, name): _on_group(admin, name) for name in groups}
    found = []
    for right in wanted:
        operations = allowed.get((right.kind, right.name))
        if operations is not None and right.operation not in operations:
            found.append(right)
    return found


def spelled(rights: Iterable[Right]) -> str:
    """``READ and WRITE on the topic events, READ on the group g``."""
    parts = []
    for (kind, name), some in groupby(rights, lambda right: (right.kind, right.name)):
        operations = " and ".join(right.operation for right in some)
        parts.append(f"{operations} on the {kind} {name}")
    return ", ".join(parts)


def _on_topics(admin: KafkaAdminClient, topics: list[str]) -> Iterable[tuple[str, frozenset[str] | None]]:
    for topic in admin.describe_topics(topics) if topics else ():
        # A topic that may not be seen looks the same whether it exists or not.
        denied = issubclass(errors.for_code(topic["error_code"]), errors.AuthorizationError)
        yield topic["name"], frozenset() if denied else _operations(topic)


def _on_group(admin: KafkaAdminClient, name: str) -> frozenset[str] | None:
    for _ in range(_TRIES):
        try:
            found = admin.describe_groups([name])[name]
        except errors.AuthorizationError:
            return frozenset()
        except errors.RetriableError:
            found = {}
        # Errors of a single group are told as texts.
        told = found.get("error") or ""
        if "GroupAuthorizationFailed" in told:
            return frozenset()
        if found and "Coordinator" not in told:
            return _operations(found)
        time.sleep(_PAUSE_S)
    return None


def _operations(found: dict[str, Any]) -> frozenset[str] | None:
    """None: the broker did not say, as those before 2.3 do not, and none does of a group that does not exist yet."""
    operations = found.get("authorized_operations")
    return frozenset(operations) if operations else None
