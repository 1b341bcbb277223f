"""An installation of its own for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.installation import Installation

Install = Callable[..., Installation]


@pytest.fixture
def install(kafka: str, redis_url: str, unique: str, tmp_path: Path) -> Iterator[Install]:
    """`install(clock="wall")` makes topics, and says where everything is; its workers end with the test."""
    made: list[Installation] = []

    def make(**options: Any) -> Installation:
        usual: dict[str, Any] = {
            "kafka": kafka,
            "redis_url": redis_url,
            "name": unique,
            "folder": tmp_path,
        }
        installation = Installation(**usual | options)
        installation.make_topics()
        made.append(installation)
        return installation

    yield make
    for installation in made:
        for worker in installation.workers:
            worker.end()
