"""What would have to be otherwise for a condition to become true or false, in plain English."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rules.conditions import All, Any_, AtLeast, Condition, Node, None_, Not, Score, ScorePart, told_of
from rules.lacks import IMPOSSIBLE, Sight, lack


def needs(condition: Condition, sights: Sequence[Sight], *, wanted: bool) -> str | None:
    """What is still needed for the condition to be as wanted; None if it is, ``IMPOSSIBLE`` if nothing makes it so.

    ``sights`` has everything that people are told about (``told_of``), in order.
    """
    return _needs(condition, iter(sights), wanted)


def _needs(condition: Node, sights: Iterator[Sight], wanted: bool) -> str | None:
    match condition:
        case All(all=inner):
            return _joined([_needs(child, sights, wanted) for child in inner], "and" if wanted else "or")
        case Any_(any=inner):
            return _joined([_needs(child, sights, wanted) for child in inner], "or" if wanted else "and")
        case None_(none=inner):
            return _joined([_needs(child, sights, not wanted) for child in inner], "and" if wanted else "or")
        case Not(not_=only):
            return _needs(only, sights, not wanted)
        case AtLeast(at_least=number, of=inner):
            found = [_needs(child, sights, wanted) for child in inner]
            return _some(found, int(number) if wanted else len(inner) - int(number) + 1)
        case Score():
            first, *parts = [next(sights) for _ in told_of(condition)]
            return None if first.holds == wanted else lack(replace(first, loses_ms=_loses_ms(parts)))
        case _:  # a leaf
            sight = next(sights)
            return None if sight.holds == wanted else lack(sight)


def _loses_ms(parts: Sequence[Sight]) -> int | None:
    """When a score can lose points first, by what gives it some."""
    moments = [part.loses_ms if isinstance(part.written, ScorePart) else part.turns_ms for part in parts]
    return min((moment for moment in moments if moment is not None), default=None)


def _joined(parts: Sequence[str | None], word: str) -> str | None:
    """``and``: what all the parts still need. ``or``: None if one of them needs nothing."""
    needed = [part for part in parts if part is not None]
    if not needed or (word == "or" and len(needed) < len(parts)):
        return None
    if word == "and" and IMPOSSIBLE in needed:
        return IMPOSSIBLE
    possible = [part for part in needed if part != IMPOSSIBLE]
    if len(possible) < 2:
        return possible[0] if possible else IMPOSSIBLE
    return f" {word} ".join(f"({part})" for part in possible)


def _some(parts: Sequence[str | None], number: int) -> str | None:
    """So many of the parts have to need nothing."""
    needed = [part for part in parts if part is not None]
    missing = number - (len(parts) - len(needed))
    if missing <= 0:
        return None
    possible = [part for part in needed if part != IMPOSSIBLE]
    if missing > len(possible):
        return IMPOSSIBLE
    if missing == len(possible):
        return _joined(possible, "and")
    if missing == 1:
        return _joined(possible, "or")
    return f"{missing} of {', '.join(f'({part})' for part in possible)}"
