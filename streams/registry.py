"""Definitions into force: versions of segments, and the numbers under which contacts keep what they need."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from rules.catalog import Blueprint, Catalog
from rules.definitions import Definitions
from rules.numbering import Numbering
from rules.segment import Segment
from streams.store import ContactStore


@dataclass(frozen=True)
class InForce:
    """A catalog with what the store knows about it."""

    catalog: Catalog
    counted_since_ms: Mapping[str, int]
    """``LeafProgram.memory`` -> the moment, in milliseconds UTC, since which it is remembered."""


def fingerprint(segment: Segment) -> bytes:
    """Equal for two definitions if they say the same, however they are spelled."""
    return hashlib.sha256(msgspec.json.encode(segment.content, order="sorted")).digest()


async def bring_into_force(definitions: Definitions, store: ContactStore, now_ms: int) -> InForce:
    """Registers the definitions, and compiles them with the numbers that the store gives.

    A feature that no definition has asked for until now is remembered from ``now_ms`` on.
    """
    blueprint = Blueprint(definitions)
    versions = await store.register({segment.key: fingerprint(segment) for segment in definitions.segments})
    features = await store.enrol("features", list(blueprint.features), now_ms, keep_others=False)
    keys = await store.enrol("segments", blueprint.segment_keys, now_ms, keep_others=True)
    numbering = Numbering(
        features={key: enrolled.number for key, enrolled in features.items()},
        segments={key: enrolled.number for key, enrolled in keys.items()},
        versions=versions,
    )
    catalog = blueprint.catalog(numbering)
    return InForce(catalog, await _enrol_memories(catalog, store, now_ms))


async def remembered_since_ms(store: ContactStore) -> dict[str, int]:
    """``LeafProgram.memory`` -> since when it is remembered, in milliseconds UTC. Changes nothing."""
    return {memory: enrolled.since_ms for memory, enrolled in (await store.enrolled("memories")).items()}


async def _enrol_memories(catalog: Catalog, store: ContactStore, now_ms: int) -> dict[str, int]:
    """Since when each leaf has all that it needs.

    A leaf that needs more of a feature's past than any did before, such as a count that was raised, has it from now
    on; one that needs no more than another did has it since then.
    """
    stored = await remembered_since_ms(store)
    wanted = {
        leaf.memory for program in catalog.programs for leaf in program.leaves if leaf.memory is not None
    }
    since_ms = {memory: _since_ms(memory, stored, now_ms) for memory in wanted}
    for moment_ms in sorted(set(since_ms.values())):
        names = sorted(memory for memory, since in since_ms.items() if since == moment_ms)
        await store.enrol("memories", names, moment_ms, keep_others=True)
    await store.enrol("memories", sorted(wanted), now_ms, keep_others=False)
    return since_ms


def _since_ms(memory: str, stored: Mapping[str, int], now_ms: int) -> int:
    feature, _, needs = memory.rpartition("\n")
    enough = [
        since
        for other, since in stored.items()
        if other.rpartition("\n")[0] == feature and int(other.rpartition("\n")[2]) >= int(needs)
    ]
    return min(enough, default=now_ms)
