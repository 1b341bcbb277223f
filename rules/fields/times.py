"""Durations and moments: texts in the file, milliseconds inside."""

import re
from typing import Annotated, Any, TypeAlias

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rules.durations import UNITS_MS, format_duration, format_moment, parse_duration, parse_moment
from rules.problems import Problem, problems_of, refuse, shown

_DURATION_SCHEMA = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d|w)$", "examples": ["30d", "90m"]}
_POSITIVE_SCHEMA = _DURATION_SCHEMA | {"pattern": "^0*[1-9][0-9]*(ms|s|m|h|d|w)$"}


MOMENT_SCHEMA = {
    "type": "string",
    "pattern": (
        "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
        r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
        "(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?)?$"
    ),
    "examples": ["2026-01-05", "2026-01-05T10:00:00Z"],
}


_LONG_UNITS = {
    "sec": "s",
    "min": "m",
    "hour": "h",
    "hr": "h",
    "day": "d",
    "week": "w",
    "wk": "w",
    "ms": "ms",
    "milli": "ms",
}


def duration_hint(text: str) -> str:
    """What was probably meant by a text that is no duration."""
    found = re.fullmatch(r"\s*\+?([0-9]+)\s*([A-Za-z]+)\s*", text)
    if found is not None:
        number, unit = int(found[1][:9]), found[2].lower()
        if unit.startswith("mo"):
            return f"a month has no fixed length: write {number * 30}d"
        if unit.startswith("y"):
            return f"a year has no fixed length: write {number * 365}d"
        for long, short in _LONG_UNITS.items():
            if unit.startswith(long) or unit == short:
                return f"did you mean {number}{short}?"
    return "write a whole number and one of ms, s, m, h, d, w, such as 90m or 30d"


def _duration(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        refuse(
            Problem("bad_duration", f"{value} has no unit", f"write {value}d, {value}h, {value}m or {value}s")
        )
    if not isinstance(value, str):
        refuse(Problem("bad_duration", f"wants a duration, not {shown(value)}", duration_hint("")))
    try:
        return parse_duration(value)
    except ValueError:
        if re.fullmatch(r"-[0-9]+(ms|s|m|h|d|w)", value):
            refuse(Problem("bad_duration", f"{value} is negative", f"write {value[1:]}"))
        if re.fullmatch(r"[0-9]+(ms|s|m|h|d|w)", value):
            refuse(Problem("bad_duration", f"{shown(value)} is longer than the years 1 to 9999"))
        refuse(Problem("bad_duration", f"{shown(value)} is no duration", duration_hint(value)))


def _positive_duration(value: Any) -> int:
    duration_ms = _duration(value)
    if duration_ms == 0:
        refuse(
            Problem(
                "bad_duration", f"{value} is no time at all", "write a duration longer than 0, such as 7d"
            )
        )
    return duration_ms


def _moment(value: Any) -> int:
    if not isinstance(value, str):
        refuse(
            Problem("bad_moment", f"wants a moment, not {shown(value)}", "write it like 2026-01-05T10:00:00Z")
        )
    try:
        return parse_moment(value)
    except ValueError as error:
        reason = str(error).partition(" is no moment: ")[2]
        if reason.startswith("write"):
            refuse(Problem("bad_moment", f"{shown(value)} is no moment", reason))
        refuse(Problem("bad_moment", f"{shown(value)} is no moment: {reason}"))


def _two_moments(value: Any) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        refuse(Problem("wrong_type", "wants two moments", "write between: [2026-01-05, 2026-02-01]"))
    problems = []
    moments: list[int] = []
    for place, moment in enumerate(value):
        try:
            moments.append(_moment(moment))
        except ValueError as error:
            problems += problems_of(error, place)
    if problems:
        refuse(*problems)
    if moments[0] >= moments[1]:
        refuse(
            Problem(
                "never_passes",
                f"{value[0]} is not before {value[1]}: nothing lies between",
                "write the earlier first",
            )
        )
    return moments[0], moments[1]


def _as_duration(value: Any) -> Any:
    return value if value is None else format_duration(value)


def _as_moments(value: Any) -> Any:
    return (
        [format_moment(ms) for ms in value]
        if isinstance(value, tuple)
        else value
        if value is None
        else format_moment(value)
    )


DurationMs: TypeAlias = Annotated[
    int, PlainValidator(_positive_duration), PlainSerializer(_as_duration), WithJsonSchema(_POSITIVE_SCHEMA)
]


DurationOrNoneMs: TypeAlias = Annotated[
    int, PlainValidator(_duration), PlainSerializer(_as_duration), WithJsonSchema(_DURATION_SCHEMA)
]


MomentMs: TypeAlias = Annotated[
    int, PlainValidator(_moment), PlainSerializer(_as_moments), WithJsonSchema(MOMENT_SCHEMA)
]


TwoMoments: TypeAlias = Annotated[
    tuple[int, int],
    PlainValidator(_two_moments),
    PlainSerializer(_as_moments),
    WithJsonSchema({"type": "array", "items": MOMENT_SCHEMA, "minItems": 2, "maxItems": 2}),
]


def _offset(value: Any) -> int:
    if not isinstance(value, str):
        return _duration(value)
    parts = value.split()
    if not parts or len(parts) != sum(map(_begins_with_a_digit, parts)):
        parts = [value]  # such as "3 days": told as a whole
    return sum(_duration(part) for part in parts)


def _begins_with_a_digit(part: str) -> bool:
    return part[0].isdigit()


def format_offset(offset_ms: int) -> str:
    """Milliseconds -> ``1d 12h``; what is negative has a minus in front."""
    parts, rest = [], abs(offset_ms)
    for unit in ("d", "h", "m", "s", "ms"):
        number, rest = divmod(rest, UNITS_MS[unit])
        if number:
            parts.append(f"{number}{unit}")
    return ("-" if offset_ms < 0 else "") + (" ".join(parts) or "0s")


OffsetMs: TypeAlias = Annotated[
    int,
    PlainValidator(_offset),
    PlainSerializer(format_offset),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h|d|w)( +[0-9]+(ms|s|m|h|d|w))*$",
            "examples": ["3d", "1d 12h"],
        }
    ),
]
"""Durations in a row, added."""
