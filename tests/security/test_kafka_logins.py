"""Every way to log in to Kafka over TLS, with each of the clients that a worker has, on a real broker."""

from pathlib import Path

import pytest

from streams.connections import BrokerUnreachable, KafkaConnection, knock
from streams.errors import ConfigurationError
from streams.outbox import Output
from streams.publisher import KafkaPublisher
from streams.topics import TopicNames, ensure
from tests.security.certificates import Authority
from tests.security.conftest import connection, login
from tests.security.rights import kafka_rights
from tests.security.secured_kafka import SecuredKafka
from tests.security.tls_in_front import tls_in_front

pytestmark = pytest.mark.integration


def _mutual(secured: SecuredKafka, name: str) -> dict[str, str]:
    own = secured.authority.issue(name)
    return {
        "kafka": secured.mutual_address,
        "kafka_security_protocol": "SSL",
        "kafka_ca_file": str(secured.authority.file),
        "kafka_cert_file": str(own.cert),
        "kafka_key_file": str(own.key),
    }


@pytest.mark.parametrize("way", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "mTLS"])
async def test_a_worker_that_logs_in_sees_its_topics_publishes_and_reads_back(
    way: str, secured: SecuredKafka, user: str, unique: str
) -> None:
    names = TopicNames(f"e-{unique}", f"t-{unique}", f"d-{unique}")
    ensure(KafkaConnection((secured.admin_address,)), names, 1)
    who = {"PLAIN": "plain-user", "mTLS": f"own-{user}"}.get(way, user)
    secured.allow(who, kafka_rights("What a worker needs in Kafka", names, unique))
    settings = _mutual(secured, who) if way == "mTLS" else login(secured, who, way)
    to_kafka = connection(settings)
    await knock(to_kafka)
    assert ensure(to_kafka, names, 1, group=unique) == 1
    publisher = KafkaPublisher(to_kafka)
    try:
        record = Output(names.transitions, 0, b"u1", b"value", [("ce_id", b"an id")])
        await publisher.publish([record])
        place = (names.transitions, 0)
        assert await publisher.published(place, 0, {b"an id", b"another"}) == {b"an id"}
    finally:
        await publisher.stop()
        secured.forget(who)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_wrong_password_is_told_at_once_and_not_shown(
    mechanism: str, secured: SecuredKafka, user: str
) -> None:
    settings = login(secured, user, mechanism) | {"kafka_password": "not-the-one"}
    with pytest.raises(ConfigurationError, match=f"refuses the login of {user}") as refused:
        await knock(connection(settings))
    assert "not-the-one" not in str(refused.value)


async def test_a_broker_that_another_authority_signed_for_is_not_trusted(
    secured: SecuredKafka, user: str, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    with pytest.raises(ConfigurationError, match=r"cannot be trusted.*SEGMENTS_KAFKA_CA_FILE"):
        await knock(connection(login(secured, user) | {"kafka_ca_file": str(other.file)}))


async def test_a_broker_under_another_name_than_its_certificate_has_is_not_trusted(
    secured: SecuredKafka, user: str
) -> None:
    elsewhere = secured.authority.issue("elsewhere", address="192.0.2.1")
    inside = int(secured.admin_address.rpartition(":")[2])
    with tls_in_front(inside, secured.authority.server_context(elsewhere)) as port:
        settings = login(secured, user) | {"kafka": f"127.0.0.1:{port}"}
        with pytest.raises(ConfigurationError, match=r"cannot be trusted: IP address mismatch"):
            await knock(connection(settings))


async def test_without_a_certificate_of_its_own_nobody_is_let_in_where_one_is_asked_for(
    secured: SecuredKafka,
) -> None:
    settings = _mutual(secured, "nobody")
    del settings["kafka_cert_file"], settings["kafka_key_file"]
    with pytest.raises(BrokerUnreachable):
        await knock(connection(settings))
