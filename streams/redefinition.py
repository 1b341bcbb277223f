"""Definitions that changed between two starts: what a partition's state was made by, and what is still to be judged.

Each partition remembers the definitions that its memberships follow. When it is taken under others, it gets a new
*epoch*: the segments that are new, changed or gone are judged for every stored contact, as of the partition's clock
at that moment. A contact is brought through when its record is next read, or by a sweep in the background, whichever
comes first; its record says by its epoch that it has been.
"""

from collections.abc import Mapping
from dataclasses import astuple
from hashlib import sha256
from typing import Any

import msgspec

from rules.catalog import Catalog
from rules.conditions import canonical
from rules.program import Program
from rules.step import Change, Gone

META_FIELD = "definitions"


class Pending(msgspec.Struct, frozen=True):
    """A change that not every stored contact has been brought through."""

    at_ms: int
    changed: list[str]
    gone: list[str]


class Follows(msgspec.Struct, array_like=True, frozen=True):
    """The definition of one segment that memberships follow."""

    number: int
    version: int
    condition: bytes
    """A digest of what decides who is a member: another name or campaign is no reason to judge anybody anew."""


class Epoch(msgspec.Struct, frozen=True):
    """The definitions that a partition's state follows."""

    number: int
    segments: dict[str, Follows]
    """By segment key: the segments in force, and those still to be left."""
    pending: Pending | None = None

    def encode(self) -> bytes:
        """What is stored among the partition's metadata."""
        return msgspec.msgpack.encode(self)

    def finished(self) -> "Epoch":
        """The same epoch, when every contact has been brought through."""
        gone = set() if self.pending is None else set(self.pending.gone)
        return Epoch(self.number, {key: value for key, value in self.segments.items() if key not in gone})

    def change(self, catalog: Catalog) -> Change | None:
        """What the contacts still have to be brought through."""
        if self.pending is None:
            return None
        numbers = {program.key: program.number for program in catalog.programs}
        return Change(
            self.pending.at_ms,
            frozenset(numbers[key] for key in self.pending.changed),
            tuple(
                Gone(self.segments[key].number, key, self.segments[key].version) for key in self.pending.gone
            ),
        )


def next_epoch(stored: bytes | None, catalog: Catalog, clock_ms: int | None) -> Epoch:
    """The epoch of a partition that was made by what is ``stored`` and is taken under ``catalog``.

    The same epoch comes back where nothing has changed. A partition without a clock has no contacts yet, so nothing
    has to be judged anew.
    """
    current = {program.key: _follows(program, catalog) for program in catalog.programs}
    if stored is None:
        return Epoch(1, current)
    epoch = msgspec.msgpack.decode(stored, type=Epoch)
    gone_before = set() if epoch.pending is None else set(epoch.pending.gone)
    in_force = {key: value for key, value in epoch.segments.items() if key not in gone_before}
    if in_force == current:
        return epoch
    if clock_ms is None:
        return Epoch(epoch.number + 1, current)
    return _changed(epoch, in_force, current, clock_ms)


def followed(stored: bytes | None, catalog: Catalog) -> set[str]:
    """The keys of the segments whose memberships, in a partition with what is ``stored``, follow the definitions of the
    catalog, or are being brought to them."""
    if stored is None:
        return set()
    epoch = msgspec.msgpack.decode(stored, type=Epoch)
    gone = set() if epoch.pending is None else set(epoch.pending.gone)
    return {
        program.key
        for program in catalog.programs
        if program.key in epoch.segments.keys() - gone
        and epoch.segments[program.key].condition == _follows(program, catalog).condition
    }


def _follows(program: Program, catalog: Catalog) -> Follows:
    decides: Any = canonical(program.segment.when)
    if program.policy is not None:
        together = [each.key for each in catalog.units[program.unit]]
        decides = [decides, astuple(program.policy), together]
    condition = msgspec.json.encode(decides, order="sorted")
    return Follows(program.number, program.version, sha256(condition).digest()[:8])


def _changed(
    epoch: Epoch, before: Mapping[str, Follows], current: Mapping[str, Follows], clock_ms: int
) -> Epoch:
    changed = {
        key for key, value in current.items() if key not in before or before[key].condition != value.condition
    }
    gone = before.keys() - current.keys()
    if epoch.pending is not None:
        # A change that came before the last one was done: judging a segment twice does no harm.
        changed |= current.keys() & set(epoch.pending.changed)
        gone |= set(epoch.pending.gone) - current.keys()
    segments = {**{key: epoch.segments[key] for key in gone}, **current}
    if not changed and not gone:
        return Epoch(epoch.number, segments)
    return Epoch(epoch.number + 1, segments, Pending(clock_ms, sorted(changed), sorted(gone)))
