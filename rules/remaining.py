"""All that is wrong with a segment or a group: also what shows only where each key by itself is right.

Tests that contradict each other are looked for when all the keys of their condition can be read. So what has been told
of is taken out, and the rest is judged again, until nothing is left to tell. Of the rest only such problems are told as
no mending of what was taken out can solve.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from rules.conditions import MEASURES
from rules.group import Group
from rules.messages import problems_in
from rules.problems import Problem
from rules.segment import Segment

MOST_ROUNDS = 40
"""More than a segment has levels, so that at worst it is taken out whole."""
_LASTING = frozenset(
    ("never_passes", "time_keys", "two_measures", "too_many", "too_deep", "first_within", "bad_max")
) | {"two_groups"}
"""What more keys, or other values of those that were taken out, cannot solve."""
_ANY_CONDITION = {"known_for": "1d"}
_ANY_PART = {"points": 1, "when": _ANY_CONDITION}
_LISTS = ("all", "any", "none", "of")

_At = tuple[str | int, ...]


def all_problems_in(value: Any, error: ValidationError, root: type[Segment | Group]) -> Iterator[Problem]:
    """Every problem of a value that was refused with ``error``."""
    rest, changed = value, set[_At]()
    problems = list(problems_in(error, root))
    yield from problems
    told = set(problems)
    for _ in range(MOST_ROUNDS):
        before = rest
        for problem in problems:
            at = _to_take_out(problem.at)
            rest = _without(rest, at, changed) if at else _filled(rest, root)
        if rest == before:
            return
        try:
            root.model_validate(rest)
        except ValidationError as further:
            problems = list(problems_in(further, root))
        else:
            return
        found = [problem for problem in problems if problem not in told and _is_lasting(problem, changed)]
        yield from found
        told.update(found)


def _is_lasting(problem: Problem, changed: set[_At]) -> bool:
    if problem.code not in _LASTING:
        return problem.code == "never_fails" and problem.at not in changed
    # The bounds of a score are those of all its parts.
    return problem.at[-1:] != ("score",) or problem.at not in changed


def _to_take_out(at: _At) -> _At:
    """The condition of a list, or the key, that goes with a problem."""
    while at and isinstance(at[-1], int) and at[-2] not in _LISTS:
        at = at[:-1]
    # Without its measure, a number would be judged as a count.
    return _to_take_out(at[:-1]) if at and at[-1] in MEASURES else at


def _filled(value: Any, root: type[Segment | Group]) -> Any:
    """A copy in which no key is missing."""
    if not isinstance(value, dict):
        return value
    return {"key": "x", **({"when": _ANY_CONDITION} if root is Segment else {"exclusive": ["x"]}), **value}


def _without(value: Any, at: _At, changed: set[_At], above: _At = ()) -> Any:
    """A copy in which what stands at a place is gone; in a list of conditions another stands there."""
    changed.add(above)
    if not at:
        return _ANY_PART if above[-3:-1] == ("score", "of") else _ANY_CONDITION
    step, below = at[0], at[1:]
    if isinstance(value, dict) and step in value:
        if not below and step != "when":
            return {key: inner for key, inner in value.items() if key != step}
        return {**value, step: _without(value[step], below, changed, (*above, step))}
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return [
            _without(inner, below, changed, (*above, step)) if number == step else inner
            for number, inner in enumerate(value)
        ]
    return value
