"""Conditions that together can never hold, or always do, whatever happens.

What cannot be decided surely is let through.
"""

import json
import math
from collections.abc import Iterator

from rules.conditions import AMOUNTS, Condition, ScorePart, children
from rules.durations import parse_duration
from rules.meaning import Form, form_of, opposite
from rules.problems import Problem

_AMOUNT_KEYS = frozenset(AMOUNTS)
Place = tuple[str | int, ...]


def never_or_always(condition: Condition, segment: str, at: Place) -> Iterator[Problem]:
    """The smallest conditions that cannot change, with their places; ``segment``: the key of the segment."""
    inner = [(place, child) for place, child in children(condition) if not isinstance(child, ScorePart)]
    found = [problem for place, child in inner for problem in never_or_always(child, segment, (*at, *place))]
    if not found and inner:
        match _constant(form_of(condition, segment)):
            case True:
                reason = "these conditions together always hold, whatever happens"
                found.append(Problem("always", reason, "take one of them away", at))
            case False:
                reason = "these conditions can never hold together"
                found.append(Problem("never", reason, "take one of them away", at))
            case _:
                pass
    yield from found


def _constant(form: Form) -> bool | None:
    """What it is, whatever happens; None: now so, now so."""
    match form[0]:
        case "not":
            inner = _constant(form[1])
            return None if inner is None else not inner
        case "all":
            return False if _is_impossible(form[1:]) else None
        case "any":
            return True if _is_impossible([opposite(part) for part in form[1:]]) else None
        case _:
            return None


def _is_impossible(parts: list[Form]) -> bool:
    """Whether two of the parts say the opposite of each other."""
    positive = [part for part in parts if part[0] != "not"]
    negative = [opposite(part) for part in parts if part[0] in ("not", "at_least")]
    return any(_implies(one, other) for one in positive for other in negative)


def _implies(one: Form, other: Form) -> bool:
    """Whether the one cannot hold without the other: they are the same, or it is more of the same in less time."""
    if one == other:
        return True
    if one[0] != "leaf" or other[0] != "leaf" or "did" not in one[1] or "did" not in other[1]:
        return False
    number, within_ms, rest = _counted(one[1])
    other_number, other_within_ms, other_rest = _counted(other[1])
    if rest != other_rest or not number >= other_number:
        return False
    # Of more events there are as many or more, but their amounts may add up, or come out on average, to less.
    return within_ms == other_within_ms or (
        within_ms < other_within_ms and not _AMOUNT_KEYS.intersection(one[1])
    )


def _counted(content: dict[str, object]) -> tuple[float, float, str]:
    """How many are asked for, within how many milliseconds, and of what."""
    number = content.get("at_least")
    within = content.get("within")
    rest = {key: value for key, value in content.items() if key not in ("at_least", "within")}
    return (
        number if isinstance(number, int) else math.nan,
        parse_duration(str(within)) if within is not None else math.inf,
        json.dumps(rest, sort_keys=True),
    )
