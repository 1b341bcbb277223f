"""What came out against what had to: a wrong result is no measurement."""

from typing import Any

import orjson

from tests.benchmarks.history import Published
from tests.integration.installation import Installation


class WrongResult(Exception):
    """What came out is not what replay says: the time it took is worth nothing."""


async def published(installation: Installation) -> Published:
    """The transitions topic, by contact."""
    found: Published = {}
    for record in await installation.read(installation.topics.transitions):
        found.setdefault(record.key, []).append(record.value)
    return found


async def check(installation: Installation, expected: Published, *, whole: bool = True) -> None:
    """Raises WrongResult where the transitions differ from those expected, in order per contact: word for word, or
    without ``whole`` apart from the evidence and what is the same in all transitions of a segment."""
    found = await published(installation)
    wrong = [
        key
        for key in expected.keys() | found.keys()
        if not _are_same(expected.get(key, []), found.get(key, []), whole=whole)
    ]
    if wrong:
        key = min(wrong)
        raise WrongResult(
            f"{len(wrong)} contacts are wrong, such as {key.decode()}: {len(found.get(key, []))} transitions came, "
            f"{len(expected.get(key, []))} were expected"
        )


def _are_same(expected: list[bytes], found: list[bytes], *, whole: bool) -> bool:
    return expected == found if whole else list(map(_essence, expected)) == list(map(_essence, found))


def _essence(value: bytes) -> dict[str, Any]:
    """A transition without what a peer does not tell."""
    said: dict[str, Any] = orjson.loads(value)
    said["context"].pop("personas", None)
    said["context"]["segment"].pop("evidence", None)
    return said
