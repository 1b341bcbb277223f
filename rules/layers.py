"""The order in which segments of one moment are judged: those that name others come after them.

What is judged at one time is a *unit*: a group, or a segment that is in none. A unit's depth is 0 where it names no
other, else one more than that of the deepest unit that it names (contract, section 4.5).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rules.conditions import MemberOf, NotMemberOf, leaves_of
from rules.group import Group
from rules.segment import Segment


@dataclass(frozen=True, slots=True)
class Unit:
    """Segments that are judged as one."""

    key: str
    segments: tuple[str, ...]
    """Of a group: the first that matches wins."""
    is_group: bool = False


class Cycle(ValueError):
    """Segments that name each other in a circle: ``a -> b, in a group with c -> a``."""

    def __init__(self, steps: Sequence[tuple[str, str]]) -> None:
        words = [steps[0][0]]
        for (_, named), (following, _) in zip(steps, [*steps[1:], steps[0]], strict=True):
            words.append(named if named == following else f"{named}, in a group with {following}")
        super().__init__(" -> ".join(words))
        self.steps = tuple(steps)
        """Each segment of the circle that names another, with that one."""


def named_by(segment: Segment) -> tuple[str, ...]:
    """The keys of the segments that a segment's condition names, each once, sorted."""
    leaves = leaves_of(segment.when)
    found = {leaf.member_of for leaf in leaves if isinstance(leaf, MemberOf)}
    found |= {leaf.not_member_of for leaf in leaves_of(segment.when) if isinstance(leaf, NotMemberOf)}
    return tuple(sorted(found))


def units_of(segments: Iterable[Segment], groups: Iterable[Group]) -> list[Unit]:
    """All units in the order in which they are judged. Raises Cycle; whatever is named must be there."""
    names = {segment.key: named_by(segment) for segment in segments}
    grouped = [Unit(group.key, group.exclusive, is_group=True) for group in groups]
    taken = {key for unit in grouped for key in unit.segments}
    units = [*grouped, *(Unit(key, (key,)) for key in names if key not in taken)]
    depths = _Depths(names, units)
    return sorted(units, key=lambda unit: (depths.of(unit, []), unit.key))


@dataclass
class _Depths:
    names: Mapping[str, tuple[str, ...]]
    units: Sequence[Unit]
    unit_of: dict[str, Unit] = field(init=False)
    known: dict[Unit, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.unit_of = {key: unit for unit in self.units for key in unit.segments}

    def of(self, unit: Unit, path: list[tuple[Unit, str, str]]) -> int:
        """The depth of a unit; ``path``: the units that led here, each with the segment in it that names another, and
        that one."""
        if unit not in self.known:
            depth = 0
            for key in unit.segments:
                for named in self.names[key]:
                    depth = max(depth, 1 + self._of_named(named, [*path, (unit, key, named)]))
            self.known[unit] = depth
        return self.known[unit]

    def _of_named(self, named: str, path: list[tuple[Unit, str, str]]) -> int:
        unit = self.unit_of[named]
        for place, (earlier, _, _) in enumerate(path):
            if earlier == unit:
                raise Cycle([(key, other) for _, key, other in path[place:]])
        return self.of(unit, path)
