"""What is wrong between definitions: names of segments that are none, two groups for one, and circles."""

from collections.abc import Iterator

from rules.conditions import MemberOf, NotMemberOf, nodes
from rules.errors import Finding
from rules.group import Group
from rules.layers import Cycle, named_by, units_of
from rules.problems import Problem, closest
from rules.reading import Located, Reading
from rules.segment import Segment


def findings_between(reading: Reading) -> Iterator[Finding]:
    """Every error that shows only where all the definitions are known."""
    for located in reading.located:
        for problem in _unknown_members(located.value, reading):
            yield located.finding("error", problem)
    yield from _group_findings(reading)
    yield from _cycles(reading)


def unknown_in_examples(reading: Reading) -> Iterator[Finding]:
    """Examples that name segments that are none."""
    for located in reading.examples:
        for key, at in located.value.named:
            if key not in reading.keys:
                yield located.finding("error", _unknown(key, at, reading))


def _unknown_members(segment: Segment, reading: Reading) -> Iterator[Problem]:
    for at, node in nodes(segment.when, ("when",)):
        match node:
            case MemberOf(member_of=key):
                place = (*at, "member_of")
            case NotMemberOf(not_member_of=key):
                place = (*at, "not_member_of")
            case _:
                continue
        if key not in reading.keys:
            yield _unknown(key, place, reading)


def _unknown(key: str, at: tuple[str | int, ...], reading: Reading) -> Problem:
    if any(key == group.value.key for group in reading.groups):
        return Problem("unknown_segment", f"{key} is a group", "name one of its segments", at)
    meant = closest(key, sorted(reading.keys))
    hint = f"did you mean {meant}?" if meant else "name the key of a segment"
    return Problem("unknown_segment", f"there is no segment {key}", hint, at)


def _group_findings(reading: Reading) -> Iterator[Finding]:
    first: dict[str, Located[Group]] = {}
    group_of: dict[str, Located[Group]] = {}
    for located in reading.groups:
        group = located.value
        if group.key in reading.keys:
            reason = f"the key {group.key} is a segment's"
            yield located.finding("error", Problem("duplicate_key", reason, "give it another key", ("key",)))
        elif (other := first.setdefault(group.key, located)) is not located:
            reason = f"the key {group.key} is taken by another group, in {other.file}"
            yield located.finding("error", Problem("duplicate_key", reason, "give it another key", ("key",)))
        for number, key in enumerate(group.exclusive):
            at = ("exclusive", number)
            if key not in reading.keys:
                yield located.finding("error", _unknown(key, at, reading))
            elif (other := group_of.setdefault(key, located)) is not located:
                reason = f"{key} is in the group {other.value.key} already"
                yield located.finding("error", Problem("two_groups", reason, "leave it in one of them", at))


def _cycles(reading: Reading) -> Iterator[Finding]:
    """One circle at a time is told of: the rest may be gone with it."""
    segments = {located.value.key: located for located in reading.located}
    taken: set[str] = set()
    groups = []
    for group in reading.groups:
        # Whatever else is wrong has been said: here what is there counts.
        inside = tuple(key for key in group.value.exclusive if key in segments and key not in taken)
        taken.update(inside)
        groups.append(group.value.model_copy(update={"exclusive": inside}))
    known = [located.value for located in segments.values()]
    if any(named not in segments for segment in known for named in named_by(segment)):
        return
    try:
        units_of(known, groups)
    except Cycle as cycle:
        key, named = cycle.steps[0]
        at = next(
            (*at, word)
            for at, node in nodes(segments[key].value.when, ("when",))
            for word in ("member_of", "not_member_of")
            if getattr(node, word, None) == named
        )
        problem = Problem("cycle", f"a circle: {cycle}", "leave one of these conditions out", at)
        yield segments[key].finding("error", problem)
