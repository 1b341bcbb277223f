"""Definitions into force: versions of segments, and the numbers under which contacts keep what they need."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from rules.catalog import Blueprint, Catalog, Numbering
from rules.segment import Segment
from streams.store import ContactStore


@dataclass(frozen=True)
class InForce:
    """A catalog with what the store knows about it."""

    catalog: Catalog
    counted_since_ms: Mapping[str, int]
    """Feature key -> the moment, in milliseconds UTC, since which it is remembered."""


def fingerprint(segment: Segment) -> bytes:
    """Equal for two definitions if they say the same, however they are spelled."""
    return hashlib.sha256(msgspec.json.encode(segment.content, order="sorted")).digest()


async def bring_into_force(segments: Sequence[Segment], store: ContactStore, now_ms: int) -> InForce:
    """Registers the definitions, and compiles them with the numbers that the store gives.

    A feature that no definition has asked for until now is remembered from ``now_ms`` on.
    """
    blueprint = Blueprint(segments)
    versions = await store.register({segment.key: fingerprint(segment) for segment in segments})
    features = await store.enrol("features", list(blueprint.features), now_ms, keep_others=False)
    keys = await store.enrol("segments", blueprint.segment_keys, now_ms, keep_others=True)
    numbering = Numbering(
        features={key: enrolled.number for key, enrolled in features.items()},
        segments={key: enrolled.number for key, enrolled in keys.items()},
        versions=versions,
    )
    since = {key: enrolled.since_ms for key, enrolled in features.items()}
    return InForce(blueprint.catalog(numbering), since)
