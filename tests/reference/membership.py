"""Who is a member, given what the conditions say: policies, groups, references (section 4.5), by the letter."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.reference.moments import duration_ms

Segment = dict[str, Any]
Judge = Callable[[Segment, set[str]], bool]
"""Whether a segment's condition holds, given the segments of which the contact is a member."""


@dataclass(frozen=True)
class Unit:
    """What is judged as one: a group, or a segment that is in none."""

    depth: int
    key: str
    segments: tuple[Segment, ...]
    is_group: bool


def units_of(segments: list[Segment], groups: list[dict[str, Any]]) -> list[Unit]:
    """All units in the order in which they are judged at one moment."""
    by_key = {segment["key"]: segment for segment in segments}
    group_of = {key: group for group in groups for key in group["exclusive"]}
    lone = [segment for segment in segments if segment["key"] not in group_of]

    def depth(key: str) -> int:
        together = group_of[key]["exclusive"] if key in group_of else [key]
        named = {name for each in together for name in named_in(by_key[each]["when"])}
        return 1 + max(depth(name) for name in named) if named else 0

    units = [Unit(depth(segment["key"]), segment["key"], (segment,), False) for segment in lone]
    for group in groups:
        ranked = tuple(by_key[key] for key in group["exclusive"])
        units.append(Unit(depth(group["exclusive"][0]), group["key"], ranked, True))
    return sorted(units, key=lambda unit: (unit.depth, unit.key))


def named_in(condition: Any) -> Iterator[str]:
    """The segments that a condition names."""
    if isinstance(condition, list):
        for inner in condition:
            yield from named_in(inner)
    elif isinstance(condition, dict):
        for key, value in condition.items():
            if key in {"member_of", "not_member_of"}:
                yield value
            else:
                yield from named_in(value)


@dataclass
class Standing:
    """What a segment's policy goes by, for one contact."""

    verdict: bool = False
    since: int | None = None
    """Since when the verdict is what it is; None: it was never yes."""
    says: bool = False
    left: int | None = None
    """When it last left by its own policy."""


class Memberships:
    """One contact's, as of the latest moment at which they were judged."""

    def __init__(self, segments: list[Segment], groups: list[dict[str, Any]]) -> None:
        self.members: set[str] = set()
        self._units = units_of(segments, groups)
        self._segments = {segment["key"]: segment for segment in segments}
        self._standings: dict[str, Standing] = defaultdict(Standing)

    def judge(self, now: int, holds: Judge) -> tuple[list[str], bool]:
        """The segments that the contact enters or leaves at this moment, in order; and whether anything changed of
        verdicts, of what policies say, or of memberships."""
        moved: list[str] = []
        changed = False
        for unit in self._units:
            for segment in unit.segments:
                verdict = holds(segment, self.members)
                changed |= self._note(segment, verdict, now)
            elected = [segment["key"] for segment in unit.segments if self._standings[segment["key"]].says]
            wanted = set(elected[:1])
            for key in [segment["key"] for segment in unit.segments if segment["key"] in self.members]:
                if key not in wanted:
                    self.members.discard(key)
                    moved.append(key)
            for key in sorted(wanted - self.members):
                self.members.add(key)
                moved.append(key)
        return moved, changed or bool(moved)

    def _note(self, segment: Segment, verdict: bool, now: int) -> bool:
        standing = self._standings[segment["key"]]
        flipped = verdict != standing.verdict
        if flipped:
            standing.verdict, standing.since = verdict, now
        due = self._due(segment["key"])
        turned = due is not None and due <= now
        if turned:
            standing.says = not standing.says
            if not standing.says:
                standing.left = now
        return flipped or turned

    def _due(self, key: str) -> int | None:
        """When the policy changes its mind if the verdict stays as it is."""
        segment, standing = self._segments[key], self._standings[key]
        if standing.verdict == standing.says or standing.since is None:
            return None
        if standing.says:
            return standing.since + _length(segment, "exit_after")
        enters = standing.since + _length(segment, "enter_after")
        return enters if standing.left is None else max(enters, standing.left + _length(segment, "cooldown"))

    def next_due(self) -> int | None:
        """The earliest moment at which a policy changes its mind if all verdicts stay as they are."""
        found = [due for key in self._segments if (due := self._due(key)) is not None]
        return min(found, default=None)


def _length(segment: Segment, key: str) -> int:
    return duration_ms(segment[key]) if key in segment else 0
