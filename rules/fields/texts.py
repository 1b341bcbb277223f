"""Texts: names of events, paths, patterns."""

import re
from typing import Annotated, Any, TypeAlias

import re2
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rules.problems import Problem, refuse, shown

ANY_EVENT = "*"
MOST_STEPS = 10_000
"""Of a compiled pattern: the time for a text is at worst its length times this."""
_KEY = re.compile(r"[a-z][a-z0-9-]{0,62}")
_TEXT_SCHEMA = {"type": "string", "minLength": 1}


def _not_quoted(value: Any) -> str:
    return "put it in quotes" if isinstance(value, bool | int | float) else "write a text"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        refuse(Problem("wrong_type", f"wants a text, not {shown(value)}", _not_quoted(value)))
    return value


def _filled_text(value: Any) -> str:
    if _text(value) == "":
        refuse(Problem("empty", "wants a text that is not empty"))
    return str(value)


def _names(value: Any) -> tuple[str, ...]:
    if value == ANY_EVENT:
        return (ANY_EVENT,)
    if not isinstance(value, list | tuple):
        if not isinstance(value, str):
            hint = _not_quoted(value) if isinstance(value, bool | int | float) else 'or "*" for any event'
            refuse(Problem("wrong_type", f"wants an event name or a list of names, not {shown(value)}", hint))
        return (_filled_text(value),)
    if not value:
        refuse(Problem("empty", "names no event", 'write an event name, or "*" for any event'))
    problems = []
    for place, name in enumerate(value):
        if not isinstance(name, str) or not name:
            problems.append(
                Problem(
                    "wrong_type", f"an event name is a text, not {shown(name)}", _not_quoted(name), (place,)
                )
            )
        elif name == ANY_EVENT:
            problems.append(
                Problem(
                    "wrong_type",
                    '"*" stands alone, not in a list',
                    'write "*" in place of the list',
                    (place,),
                )
            )
    if problems:
        refuse(*problems)
    return tuple(sorted(set(value)))


def compiled(pattern: str) -> Any:
    """The pattern, ready to search with: in time linear in the text, whatever it is. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False  # it would write to stderr by itself
    return re2.compile(pattern, options)


def _pattern(value: Any) -> str:
    pattern = _text(value)
    try:
        steps = compiled(pattern).programsize
    except re2.error as error:
        reason = (
            error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error.args[0])
        )
        hint = (
            "patterns are RE2's: no look-around, no back-references"
            if "(?" in pattern or "\\" in pattern
            else ""
        )
        refuse(Problem("bad_pattern", f"the pattern does not compile: {reason}", hint))
    if steps > MOST_STEPS:
        refuse(
            Problem(
                "bad_pattern",
                f"the pattern is too large: {steps:,} steps, and {MOST_STEPS:,} are the most",
                "repeat less often",
            )
        )
    return pattern


def _as_written(names: tuple[str, ...]) -> str | list[str]:
    return ANY_EVENT if names == (ANY_EVENT,) else list(names)


Text: TypeAlias = Annotated[str, PlainValidator(_text), WithJsonSchema({"type": "string"})]


FilledText: TypeAlias = Annotated[str, PlainValidator(_filled_text), WithJsonSchema(_TEXT_SCHEMA)]


Names: TypeAlias = Annotated[
    tuple[str, ...],
    PlainValidator(_names),
    PlainSerializer(_as_written),
    WithJsonSchema(
        {
            "anyOf": [
                _TEXT_SCHEMA,
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "minLength": 1, "not": {"const": ANY_EVENT}},
                },
            ]
        }
    ),
]
"""Event names, sorted; ``("*",)``: any track, page or screen."""


Pattern: TypeAlias = Annotated[str, PlainValidator(_pattern), WithJsonSchema({"type": "string"})]


def is_key(value: Any) -> bool:
    """Whether it is a key of a segment or a group."""
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def _key(value: Any) -> str:
    if not isinstance(value, str):
        refuse(
            Problem("wrong_type", f"wants a text, not {shown(value)}", "write for example hot-mobile-buyers")
        )
    if not is_key(value):
        hint = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-0123456789")[:63]
        rule = "a key is a small letter, then up to 62 small letters, digits and hyphens"
        refuse(Problem("bad_key", f"{shown(value)} is no key: {rule}", f"write {hint}" if hint else ""))
    return value


Key: TypeAlias = Annotated[
    str, PlainValidator(_key), WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$"})
]
