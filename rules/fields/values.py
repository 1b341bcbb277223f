"""What values are compared with: texts, numbers, truths, moments."""

import math
import re
from decimal import Decimal
from typing import Annotated, Any, TypeAlias

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rules.durations import Moment, format_moment, parse_moment
from rules.fields.times import MOMENT_SCHEMA
from rules.problems import Problem, problems_of, refuse, shown

INT64_MIN, UINT64_MAX = -(2**63), 2**64 - 1


_SCALAR_SCHEMA = {"type": ["string", "number", "boolean"]}


def plain_number(value: float) -> float:
    """A number in one form: 3.0 is 3, and an integer over 64 bits is a double, as in events."""
    if isinstance(value, int):
        return value if INT64_MIN <= value <= UINT64_MAX else float(value)
    return int(value) if value.is_integer() and INT64_MIN <= value <= UINT64_MAX else value


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:
    if not is_number(value) or not math.isfinite(value):
        hint = (
            "write it without quotes"
            if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value)
            else ""
        )
        refuse(Problem("wrong_type", f"wants a number, not {shown(value)}", hint))
    return plain_number(value)


def _bound(value: Any) -> float | Moment:
    if not isinstance(value, str):
        if not is_number(value):
            refuse(Problem("wrong_type", f"wants a number or a moment, not {shown(value)}"))
        return _number(value)
    try:
        return Moment(parse_moment(value))
    except ValueError:
        if re.fullmatch(r"-?\d+(\.\d+)?", value):
            refuse(
                Problem(
                    "wrong_type", f"{shown(value)} is a text, not a number", f"write {value} without quotes"
                )
            )
        hint = "write a number, or a moment like 2026-01-05T10:00:00Z"
        refuse(Problem("bad_moment", f"{shown(value)} is neither a number nor a moment", hint))


def _scalar(value: Any) -> str | float | bool:
    if isinstance(value, str | bool):
        return value
    if is_number(value):
        return _number(value)
    if value is None:
        refuse(
            Problem(
                "wrong_type",
                "wants a text, a number, true or false, not null",
                "write exists: false for what is missing",
            )
        )
    hint = "write in: [..] or not_in: [..]" if isinstance(value, list | tuple) else ""
    return refuse(Problem("wrong_type", f"wants a text, a number, true or false, not {shown(value)}", hint))


def scalar_order(value: str | float | bool) -> tuple[str, str | float | bool]:
    """A sorting key by which values of several types have one order, and 1 and true differ."""
    if isinstance(value, bool | str):
        return type(value).__name__, value
    return "number", value


def _scalars(value: Any) -> tuple[str | float | bool, ...]:
    if not isinstance(value, list | tuple):
        refuse(
            Problem(
                "wrong_type",
                f"wants a list, not {shown(value)}",
                f"write [{shown(value)}]" if value is not None else "",
            )
        )
    if not value:
        refuse(Problem("empty", "the list is empty", "write at least one value"))
    problems = []
    found: dict[Any, str | float | bool] = {}
    for place, element in enumerate(value):
        try:
            scalar = _scalar(element)
            found[scalar_order(scalar)] = scalar
        except ValueError as error:
            problems += problems_of(error, place)
    if problems:
        refuse(*problems)
    return tuple(found[order] for order in sorted(found))


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        refuse(Problem("wrong_type", f"wants true or false, not {shown(value)}"))
    return value


def _percent(value: Any) -> Decimal:
    number = _number(value)
    hint = "write more than 0 and less than 100"
    if number == 0:
        refuse(Problem("never_passes", "a sample of 0 percent has nobody in it", hint))
    if number == 100:
        refuse(Problem("never_fails", "a sample of 100 percent has everybody in it", hint))
    if not 0 < number < 100:
        refuse(Problem("wrong_type", f"{shown(value)} is no percentage", hint))
    percent = Decimal(repr(number))
    if percent != percent.quantize(Decimal("0.01")):
        refuse(Problem("wrong_type", f"{shown(value)} has more than two decimals", "round it to two"))
    return percent


def _flat(value: Any) -> Any:
    return (
        format_moment(value.ms)
        if isinstance(value, Moment)
        else list(value)
        if isinstance(value, tuple)
        else value
    )


Number: TypeAlias = Annotated[
    float, PlainValidator(_number), PlainSerializer(_flat), WithJsonSchema({"type": "number"})
]


Bound: TypeAlias = Annotated[
    int | float | Moment,
    PlainValidator(_bound),
    PlainSerializer(_flat),
    WithJsonSchema({"anyOf": [{"type": "number"}, MOMENT_SCHEMA]}),
]


Scalar: TypeAlias = Annotated[
    str | int | float | bool, PlainValidator(_scalar), PlainSerializer(_flat), WithJsonSchema(_SCALAR_SCHEMA)
]


Scalars: TypeAlias = Annotated[
    tuple[str | int | float | bool, ...],
    PlainValidator(_scalars),
    PlainSerializer(_flat),
    WithJsonSchema({"type": "array", "items": _SCALAR_SCHEMA, "minItems": 1}),
]


Flag: TypeAlias = Annotated[bool, PlainValidator(_flag), WithJsonSchema({"type": "boolean"})]


Percent: TypeAlias = Annotated[
    Decimal,
    PlainValidator(_percent),
    PlainSerializer(float),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}),
]
