"""How a model says what is wrong with a definition: in the words of the file, and with the place."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    code: str
    message: str
    hint: str = ""
    """What to write instead."""
    at: tuple[str | int, ...] = ()
    """Where, below the value that is judged: keys and positions in lists."""
    on_key: bool = False
    """The key itself is wrong, not the value beside it."""


def refuse(*problems: Problem) -> NoReturn:
    """Raises the problems all at once; for use in pydantic validators, which add where they stand."""
    raise ValidationError.from_exception_data("definition", [_detail(problem) for problem in problems])


def problems_of(error: Any, place: int) -> list[Problem]:
    """The problems that ``refuse`` raised for the element at ``place`` of a list."""
    return [
        Problem(found["type"], found["ctx"]["message"], found["ctx"]["hint"], (place, *found["loc"]))
        for found in error.errors()
    ]


def _detail(problem: Problem) -> InitErrorDetails:
    context = {"message": problem.message, "hint": problem.hint, "on_key": problem.on_key}
    # The text goes in as a value: as a template, a brace in what the user wrote would be a placeholder.
    return InitErrorDetails(
        type=PydanticCustomError(problem.code, "{message}", context), loc=problem.at, input=None
    )


def shown(value: Any) -> str:
    """A value as the file has it, short enough for a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping"
        case str():
            return f'"{value}"' if len(value) <= 60 else f'"{value[:40]}..."'
        case _:
            text = str(value)
            return text if len(text) <= 30 else f"{text[:20]}..."


def closest(word: object, words: Iterable[str]) -> str | None:
    """The one of ``words`` that was probably meant."""
    if not isinstance(word, str):
        return None
    spelled = word.strip().lower().replace("-", "_").replace(" ", "_")
    found = difflib.get_close_matches(spelled, list(words), n=1, cutoff=0.65)
    return found[0] if found else None
