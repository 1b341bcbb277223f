"""What would have to be otherwise for a condition to become true or false, in plain English."""

from collections.abc import Iterator, Sequence

from rules.conditions import All, Any_, AtLeast, Condition, Node, None_, Not, Score, told_of
from rules.text import describe


def needs(condition: Condition, holds: Sequence[bool], *, wanted: bool) -> str | None:
    """What is still needed for the condition to be as wanted; None if it is.

    ``holds`` says of each that people are told about (``told_of``) whether it holds.
    """
    return _needs(condition, iter(holds), wanted)


def _needs(condition: Node, holds: Iterator[bool], wanted: bool) -> str | None:
    match condition:
        case All(all=inner):
            return _joined([_needs(child, holds, wanted) for child in inner], "and" if wanted else "or")
        case Any_(any=inner):
            return _joined([_needs(child, holds, wanted) for child in inner], "or" if wanted else "and")
        case None_(none=inner):
            return _joined([_needs(child, holds, not wanted) for child in inner], "and" if wanted else "or")
        case Not(not_=only):
            return _needs(only, holds, not wanted)
        case AtLeast(at_least=number, of=inner):
            found = [_needs(child, holds, wanted) for child in inner]
            return _some(found, int(number) if wanted else len(inner) - int(number) + 1)
        case Score():
            holding, *_ = [next(holds) for _ in told_of(condition)]
            return None if holding == wanted else _said(condition, wanted)
        case _:  # a leaf
            if next(holds) == wanted:
                return None
            return _said(condition, wanted)


def _said(condition: Node, wanted: bool) -> str:
    return describe(condition) if wanted else f"no longer: {describe(condition)}"


def _joined(parts: Sequence[str | None], word: str) -> str | None:
    """``and``: what all the parts still need. ``or``: None if one of them needs nothing."""
    needed = [part for part in parts if part is not None]
    if not needed or (word == "or" and len(needed) < len(parts)):
        return None
    return needed[0] if len(needed) == 1 else f" {word} ".join(f"({part})" for part in needed)


def _some(parts: Sequence[str | None], number: int) -> str | None:
    """So many of the parts have to need nothing."""
    needed = [part for part in parts if part is not None]
    missing = number - (len(parts) - len(needed))
    if missing <= 0:
        return None
    if missing == len(needed):
        return _joined(needed, "and")
    if missing == 1:
        return _joined(needed, "or")
    return f"{missing} of {', '.join(f'({part})' for part in needed)}"
