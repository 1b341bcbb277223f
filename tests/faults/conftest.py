"""One Kafka and one Redis with links for all fault tests."""

from collections.abc import Iterator

import pytest

from tests.faults.stage import Servers, servers


@pytest.fixture(scope="package")
def fault_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("faults")) as running:
        yield running
