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
    return in_order(names, [Unit(group.key, group.exclusive, is_group=True) for group in groups])


def in_order(names: Mapping[str, Iterable[str]], groups: Sequence[Unit]) -> list[Unit]:
    """The same, from the keys that each segment names."""
    taken = {key for unit in groups for key in unit.segments}
    units = [*groups, *(Unit(key, (key,)) for key in names if key not in taken)]
    depths = _Depths(names, units)
    return sorted(units, key=lambda unit: (depths.of(unit), unit.key))


@dataclass
class _Visit:
    """A unit whose depth is being found."""

    unit: Unit
    edges: list[tuple[str, str]]
    """A segment of it, and one that this names: each once."""
    followed: int = 0
    """How many of them are done with; the next one is being followed."""
    depth: int = 0


@dataclass
class _Depths:
    names: Mapping[str, Iterable[str]]
    units: Sequence[Unit]
    unit_of: dict[str, Unit] = field(init=False)
    known: dict[Unit, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.unit_of = {key: unit for unit in self.units for key in unit.segments}

    def of(self, unit: Unit) -> int:
        """The depth of a unit. With a stack of its own: segments may name each other in rows longer than Python's."""
        visits: dict[Unit, _Visit] = {} if unit in self.known else {unit: self._visit(unit)}
        while visits:
            visit = next(reversed(visits.values()))
            below = self._next_below(visit)
            if below is None:
                self.known[visit.unit] = visit.depth
                visits.popitem()
            elif below in visits:
                circle = list(visits.values())[list(visits).index(below) :]
                raise Cycle([each.edges[each.followed] for each in circle])
            else:
                visits[below] = self._visit(below)
        return self.known[unit]

    def _visit(self, unit: Unit) -> _Visit:
        return _Visit(unit, [(key, named) for key in unit.segments for named in self.names.get(key, ())])

    def _next_below(self, visit: _Visit) -> Unit | None:
        """The next unit that it names and of which the depth is not known; those that are known count at once."""
        while visit.followed < len(visit.edges):
            below = self.unit_of[visit.edges[visit.followed][1]]
            if below not in self.known:
                return below
            visit.depth = max(visit.depth, 1 + self.known[below])
            visit.followed += 1
        return None
