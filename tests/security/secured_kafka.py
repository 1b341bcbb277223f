"""A real Kafka that encrypts, asks who one is, and lets nobody do what no rule allows."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.local import kafka_node
from streams.local.ports import HOST, free_ports
from tests.security.certificates import Authority

# The plain listener is for the tests alone: whoever comes in there may do everything.
_SETTINGS = """\
listeners=PLAINTEXT://{host}:{plain},CONTROLLER://{host}:{controller},SASL_SSL://{host}:{login},SSL://{host}:{mutual}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.ssl.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=(.*?)$/$1/
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {plain_users};
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""

WITHIN_S = 10
"""How long the broker may take to learn of a rule."""

Right = tuple[ResourceType, str, str]
"""On what kind of thing, of what name (`name*`: all that begin so), which operation."""


@dataclass
class SecuredKafka:
    admin_address: str
    """Lets everybody do everything."""
    login_address: str
    mutual_address: str
    authority: Authority

    def allow(self, user: str, rights: Iterable[Right]) -> None:
        """Returns when the broker goes by it: it learns of rules a moment after the controller has them."""
        rules = [_acl(user, right) for right in rights]
        self._ask("create_acls", rules)
        self._until(user, lambda found: all(rule in found for rule in rules))

    def take_away(self, user: str, right: Right) -> None:
        """As `allow`."""
        rule = _acl(user, right)
        self._ask("delete_acls", [rule])
        self._until(user, lambda found: rule not in found)

    def forget(self, user: str) -> None:
        """Takes all rights away."""
        self._ask("delete_acls", [_rules_of(user)])

    def _until(self, user: str, holds: Callable[[list[ACL]], bool]) -> None:
        """Returns when it holds of the user's rules, as the broker itself has them."""
        until = time.monotonic() + WITHIN_S
        while not holds(self._ask("describe_acls", _rules_of(user))[0]):
            assert time.monotonic() < until, f"the broker has not learnt of the rules of {user}"
            time.sleep(0.02)

    def _ask(self, method: str, what: Any) -> Any:
        admin = KafkaAdminClient(bootstrap_servers=self.admin_address)
        try:
            return getattr(admin, method)(what)
        finally:
            admin.close()

    def add_user(self, user: str, password: str) -> None:
        """Who may log in by SCRAM."""
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            credential = UserScramCredentialUpsertion(user, mechanism, password)
            assert self._ask("alter_user_scram_credentials", [credential]) == {user: None}


def _rules_of(user: str) -> ACLFilter:
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    return ACLFilter(f"User:{user}", "*", ACLOperation.ANY, ACLPermissionType.ANY, everything)


def _acl(user: str, right: Right) -> ACL:
    kind, name, operation = right
    pattern = ACLResourcePatternType.PREFIXED if name.endswith("*") else ACLResourcePatternType.LITERAL
    return ACL(
        f"User:{user}",
        "*",
        ACLOperation[operation],
        ACLPermissionType.ALLOW,
        ResourcePattern(kind, name.removesuffix("*"), pattern),
    )


@contextmanager
def secured_kafka(folder: Path, plain_users: dict[str, str]) -> Iterator[SecuredKafka]:
    """`plain_users`: names and passwords of who may log in by PLAIN."""
    authority = Authority(folder / "certificates")
    broker = authority.issue("broker")
    plain, controller, login, mutual = free_ports(4)
    users = " ".join(f'user_{name}="{password}"' for name, password in plain_users.items())
    settings = _SETTINGS.format(
        host=HOST, plain=plain, controller=controller, login=login, mutual=mutual,
        keystore=broker.both, truststore=authority.file, plain_users=users,
    )  # fmt: skip
    server = kafka_node.start(folder / "kafka", (plain, controller), grace_s=0, settings=settings)
    try:
        kafka_node.await_ready(server, plain)
        yield SecuredKafka(f"{HOST}:{plain}", f"{HOST}:{login}", f"{HOST}:{mutual}", authority)
    finally:
        server.stop()
