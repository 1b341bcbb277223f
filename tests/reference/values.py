"""Paths into events and traits, and the value tests (section 4.2)."""

from typing import Any

import re2

from tests.reference.moments import duration_ms, moment_ms

# The exact opposites: beside other tests they look at all the elements of a list.
OPPOSITES = {"is_not": "is", "not_in": "in"}


def found_at(path: str, holder: Any) -> list[Any]:
    """All the values that the path meets: none where it is missing, several where it meets lists."""
    if isinstance(holder, dict) and holder.get(path) is not None:
        return _elements(holder[path])
    head, dot, rest = path.partition(".")
    if not dot or not isinstance(holder, dict):
        return []
    return [value for inner in _elements(holder.get(head)) for value in _nested(rest, inner)]


def _nested(path: str, holder: Any) -> list[Any]:
    head, dot, rest = path.partition(".")
    if not isinstance(holder, dict):
        return []
    values = _elements(holder.get(head))
    return [value for inner in values for value in _nested(rest, inner)] if dot else values


def _elements(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list):
        return [element for inner in value for element in _elements(inner)]
    return [value]


def of_event(path: str, properties: dict[str, Any], context: dict[str, Any]) -> list[Any]:
    if path.startswith("context."):
        return found_at(path.removeprefix("context."), context)
    return found_at(path, properties)


def passes(tests: Any, values: list[Any], now: int) -> bool:
    """Whether what was found passes all the tests (a mapping, or the value itself as the short form of `is`)."""
    if not isinstance(tests, dict):
        tests = {"is": tests}
    wanted: dict[str, Any] = {}
    unwanted: dict[str, Any] = {}
    for name, operand in tests.items():
        if name in OPPOSITES:
            unwanted[OPPOSITES[name]] = operand
        elif name == "exists":
            (wanted if operand else unwanted)["exists"] = True
        else:
            wanted[name] = operand
    if any(_passes_one(name, operand, value, now) for name, operand in unwanted.items() for value in values):
        return False
    if not wanted:
        return True
    return any(
        all(_passes_one(name, operand, value, now) for name, operand in wanted.items()) for value in values
    )


def _passes_one(name: str, operand: Any, value: Any, now: int) -> bool:
    if name == "exists":
        return True
    if name == "is":
        return _same(operand, value)
    if name == "in":
        return any(_same(one, value) for one in operand)
    if name in {"at_least", "at_most", "more_than", "less_than"}:
        return _compares(name, operand, value)
    if name in {"within_last", "within_next", "older_than"}:
        return _relative(name, duration_ms(operand), moment_ms(value), now)
    return isinstance(value, str) and _passes_text(name, operand, value)


def _passes_text(name: str, operand: str, value: str) -> bool:
    if name == "contains":
        return operand in value
    if name == "starts_with":
        return value.startswith(operand)
    if name == "ends_with":
        return value.endswith(operand)
    assert name == "matches", name
    return re2.search(operand, value) is not None


def _same(operand: Any, value: Any) -> bool:
    if _is_number(operand) and _is_number(value):
        return bool(operand == value)
    return type(operand) is type(value) and bool(operand == value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _compares(name: str, operand: Any, value: Any) -> bool:
    bound: Any
    measured: Any
    if isinstance(operand, str):
        bound, measured = moment_ms(operand), moment_ms(value)
    else:
        bound, measured = operand, value if _is_number(value) else None
    if measured is None:
        return False
    return bool(
        {
            "at_least": measured >= bound,
            "at_most": measured <= bound,
            "more_than": measured > bound,
            "less_than": measured < bound,
        }[name]
    )


def _relative(name: str, duration: int, moment: int | None, now: int) -> bool:
    if moment is None:
        return False
    if name == "within_last":
        return now - duration < moment <= now
    if name == "within_next":
        return now < moment <= now + duration
    return moment <= now - duration
