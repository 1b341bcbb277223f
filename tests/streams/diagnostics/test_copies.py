"""What the doctor finds wrong with topics that have copies, on two real brokers."""

import base64
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from streams.local import kafka_node
from streams.local.ports import HOST, free_ports
from tests.servers import own_kafka
from tests.streams.diagnostics.conftest import DEFINITIONS, Examined

# A broker beside the first node, which goes on being the controller.
_SECOND = """\
process.roles=broker
node.id=2
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port}
"""


@pytest.fixture
def two_brokers(tmp_path: Path) -> Iterator[str]:
    with own_kafka(tmp_path / "first") as first:
        second, port = tmp_path / "second", free_ports(1)[0]
        (second / "data").mkdir(parents=True)
        known = (tmp_path / "first/data/meta.properties").read_text().splitlines()
        own = [line for line in known if not line.startswith(("node.id", "directory.id"))]
        own += ["node.id=2", f"directory.id={_directory_id()}"]
        (second / "data/meta.properties").write_text("\n".join(own) + "\n")
        settings = _SECOND.format(host=HOST, controller=first.ports[1], port=port)
        server = kafka_node.start(second, (port, first.ports[1]), grace_s=0, settings=settings)
        try:
            kafka_node.await_ready(server, port)
            with KafkaAdminClient(bootstrap_servers=first.bootstrap) as admin:
                # It answers before the controller counts it.
                while len(admin.describe_cluster()["brokers"]) < 2:
                    time.sleep(0.05)
            yield first.bootstrap
        finally:
            server.stop()
    shutil.rmtree(tmp_path / "first", ignore_errors=True)


def _directory_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


async def test_copies_that_may_lose_what_was_acknowledged_are_wrong(
    two_brokers: str, redis_url: str, unique: str, tmp_path: Path
) -> None:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments/a.yaml").write_text(DEFINITIONS)
    its = Examined(two_brokers, redis_url, unique, tmp_path / "segments")
    topics = its.topics
    copied = {"num_partitions": 2, "replication_factor": 2}
    with KafkaAdminClient(bootstrap_servers=two_brokers) as admin:
        admin.create_topics(
            {
                topics.events: copied | {"configs": {"min.insync.replicas": "1"}},
                topics.by_contact: copied | {"configs": {"min.insync.replicas": "2"}},
                topics.transitions: copied
                | {"configs": {"min.insync.replicas": "2", "unclean.leader.election.enable": "true"}},
                topics.dead_letters: copied | {"replication_factor": 1},
            }
        )
        admin.wait_for_topics(list(topics.all))
    found = await its.examined()
    one_is_enough = found[f"copies of {topics.events}"]
    assert one_is_enough.grade == "wrong"
    assert one_is_enough.fix.endswith("--add-config min.insync.replicas=2")
    assert "each broker that is away stops the work" in found[f"copies of {topics.by_contact}"].found
    assert found[f"leaders of {topics.transitions}"].grade == "wrong"
    assert found[f"leaders of {topics.transitions}"].fix.endswith("unclean.leader.election.enable=false")
    assert "one copy on 2 brokers" in found[f"copies of {topics.dead_letters}"].found
