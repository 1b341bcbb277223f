"""The least that a worker needs, as docs/how-to/secure.md has it: what the tests grant is read from there."""

import re
from pathlib import Path

from kafka.admin import ResourceType

from streams.topics import TopicNames
from tests.security.secured_kafka import Right

PAGE = (Path(__file__).parents[2] / "docs/how-to/secure.md").read_text()
_KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "transactional-id": ResourceType.TRANSACTIONAL_ID,
          "cluster": ResourceType.CLUSTER}  # fmt: skip
_ROW = re.compile(
    r"\| (Read|Write|Create|Describe|DescribeConfigs) \| (topic|group|transactional-id|cluster) \| `([^`]+)` \|"
)


def kafka_rights(heading: str, topics: TopicNames, group: str) -> list[Right]:
    """Of one section of the page, with this installation's names in place of the usual ones."""
    usual = dict(zip(TopicNames().all, topics.all, strict=True)) | {"livesegments": group}
    found: list[Right] = []
    for operation, kind, name in _ROW.findall(_section(heading)):
        own = usual.get(name.removesuffix("*"), name.removesuffix("*")) + "*" * name.endswith("*")
        found.append((_KINDS[kind], own, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()))
    assert found, heading
    return found


def redis_rules(group: str) -> list[str]:
    """What `ACL SETUSER` is given after name and password."""
    (line,) = re.findall(r"^ACL SETUSER \S+ on >\S+ (~livesegments:\* .+)$", PAGE, re.MULTILINE)
    return str(line).replace("livesegments", group).split()


def redis_cluster_rules(group: str) -> list[str]:
    """The same in a Redis Cluster."""
    (rule,) = re.findall(r"In a Redis Cluster every user .+ also needs `(\+\S+)`", PAGE)
    return [*redis_rules(group), str(rule)]


def watching_rules(group: str) -> list[str]:
    """The same of the user who only watches the lag."""
    (line,) = re.findall(r"^ACL SETUSER watcher on >\S+ (.+)$", PAGE, re.MULTILINE)
    return str(line).replace("livesegments", group).split()


def _section(heading: str) -> str:
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
