"""What is wrong between definitions: names of segments that are none, two groups for one, and circles."""

from collections.abc import Iterator

from rules.errors import Finding
from rules.layers import Cycle, Unit, in_order
from rules.naming import Naming
from rules.problems import Problem, closest
from rules.reading import Reading, finding_of


def findings_between(reading: Reading) -> Iterator[Finding]:
    """Every error that shows only where all the definitions are known."""
    for naming in reading.namings:
        for key, at in naming.names:
            if key not in reading.keys:
                yield _finding(naming, _unknown(key, at, reading))
    yield from _group_findings(reading)
    yield from _cycles(reading)


def unknown_in_examples(reading: Reading) -> Iterator[Finding]:
    """Examples that name segments that are none."""
    for located in reading.examples:
        for key, at in located.value.named:
            if key not in reading.keys:
                yield located.finding("error", _unknown(key, at, reading))


def _finding(naming: Naming, problem: Problem, *, of_segment: bool = True) -> Finding:
    """A finding at a place of a file, which the problem has whole."""
    place = naming.document.place(problem.at)
    return finding_of("error", problem, naming.file, place, naming.key if of_segment else None)


def _unknown(key: str, at: tuple[str | int, ...], reading: Reading) -> Problem:
    if any(key == group.key for group in reading.group_namings):
        return Problem("unknown_segment", f"{key} is a group", "name one of its segments", at)
    meant = closest(key, sorted(reading.keys))
    hint = f"did you mean {meant}?" if meant else "name the key of a segment"
    return Problem("unknown_segment", f"there is no segment {key}", hint, at)


def _group_findings(reading: Reading) -> Iterator[Finding]:
    first: dict[str, Naming] = {}
    group_of: dict[str, Naming] = {}
    for group in reading.group_namings:
        if group.key is not None:
            reason = None
            if group.key in reading.keys:
                reason = f"the key {group.key} is a segment's"
            elif (other := first.setdefault(group.key, group)) is not group:
                reason = f"the key {group.key} is taken by another group, in {other.file}"
            if reason is not None:
                problem = Problem("duplicate_key", reason, "give it another key", (*group.at, "key"))
                yield _finding(group, problem, of_segment=False)
        for key, at in group.names:
            if key not in reading.keys:
                yield _finding(group, _unknown(key, at, reading), of_segment=False)
            elif (other := group_of.setdefault(key, group)) is not group:
                where = "another group" if other.key is None else f"the group {other.key}"
                reason = f"{key} is in {where} already"
                problem = Problem("two_groups", reason, "leave it in one of them", at)
                yield _finding(group, problem, of_segment=False)


def _cycles(reading: Reading) -> Iterator[Finding]:
    """So many circles that none is left where each is broken at the place that is told."""
    namings: dict[str, Naming] = {}
    for naming in reading.namings:
        if naming.key is not None:
            namings.setdefault(naming.key, naming)
    # Whatever else is wrong has been said: here what is there counts.
    names = {
        key: sorted({named for named, _ in naming.names if named in namings})
        for key, naming in sorted(namings.items())
    }
    groups = _units(reading, names)
    while True:
        try:
            in_order(names, groups)
        except Cycle as cycle:
            key, named = cycle.steps[0]
            at = next(at for each, at in namings[key].names if each == named)
            yield _finding(
                namings[key], Problem("cycle", f"a circle: {cycle}", "leave one of these conditions out", at)
            )
            names[key].remove(named)
        else:
            return


def _units(reading: Reading, names: dict[str, list[str]]) -> list[Unit]:
    taken: set[str] = set()
    units = []
    for number, group in enumerate(reading.group_namings):
        inside = tuple(key for key, _ in group.names if key in names and key not in taken)
        taken.update(inside)
        units.append(Unit(group.key or f"group {number}", inside, is_group=True))
    return units
