"""Fixtures of the integration tests, and how long properties are tried.

A test that asks for one of the fixtures is marked `integration` by that alone. Properties are tried quickly, or with
HYPOTHESIS_PROFILE=thorough for HYPOTHESIS_EXAMPLES cases each. That stands here, and not beside the properties, as other
folders have some, too: without it Hypothesis fails what takes it more than 0.2 s a case, on a busy machine anything.
"""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.redis_cluster import OwnCluster, own_cluster
from tests.servers import Topics, empty_database, own_kafka, own_redis, unique_name

_REAL = {"kafka", "redis_url", "redis_cluster"}

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
settings.register_profile(
    "quick", max_examples=100, deadline=None, suppress_health_check=QUIET, derandomize=True
)
settings.register_profile(
    "thorough",
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "20000")),
    deadline=None,
    suppress_health_check=QUIET,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


# A shell lets what it runs in the background ignore Ctrl-C, and so would every program that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _REAL & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of the session's Kafka, started by the first test that asks. Use topics of your own."""
    folder = tmp_path_factory.mktemp("kafka")
    with own_kafka(folder) as server:
        yield server.bootstrap
    # pytest keeps the folders of three sessions: the logs are worth it, the data is not.
    shutil.rmtree(folder / "data", ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The session's Redis, shared by all tests: ask for `redis_url`."""
    with own_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def redis_url(redis_server_url: str) -> str:
    """An empty Redis database for this test alone."""
    return empty_database(redis_server_url)


@pytest.fixture(scope="session")
def redis_cluster_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """The session's Redis Cluster, shared by all tests: ask for `redis_cluster`."""
    with own_cluster(tmp_path_factory.mktemp("redis-cluster")) as cluster:
        yield cluster


@pytest.fixture
def redis_cluster(redis_cluster_nodes: OwnCluster) -> Iterator[OwnCluster]:
    """Three primaries with a replica each. Use keys of your own; move slots, kill nodes: it is mended afterwards."""
    yield redis_cluster_nodes
    redis_cluster_nodes.mend()


@pytest.fixture
def new_topic(kafka: str, request: pytest.FixtureRequest) -> Topics:
    """`new_topic("events", partitions=4)` makes a topic for this test alone and returns its name."""
    return Topics(kafka, request.node.name)


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A name for this test alone: a consumer group, a key prefix."""
    return unique_name(request.node.name)
