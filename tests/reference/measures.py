"""Measures of matching events (section 4.2), with exact fractions and whole lists."""

import datetime as dt
import math
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.records import Taken
from tests.reference.values import of_event

NUMERIC = ("sum", "average", "minimum", "maximum")
MEASURES = (*NUMERIC, "distinct", "days")


def measured(leaf: dict[str, Any], events: list[Taken]) -> Fraction | None:
    """What a `did` measures of its matching events; None where there is nothing to measure."""
    kind = next((name for name in MEASURES if name in leaf), None)
    if kind is None:
        return Fraction(len(events))
    if kind == "days":
        zone = dt.UTC if leaf["days"] is True else ZoneInfo(leaf["days"])
        return Fraction(len({_date(event.time_ms, zone) for event in events}))
    values = [value for event in events for value in of_event(leaf[kind], event.properties, event.context)]
    if kind == "distinct":
        different: list[Any] = []
        for value in values:
            if not isinstance(value, dict) and not any(_is_same(value, other) for other in different):
                different.append(value)
        return Fraction(len(different))
    numbers = [_to_six_decimals(value) for value in values if _is_number(value)]
    if kind == "sum":
        return sum(numbers, Fraction(0))
    if not numbers:
        return None
    if kind == "average":
        return sum(numbers, Fraction(0)) / len(numbers)
    return min(numbers) if kind == "minimum" else max(numbers)


def passes(tests: dict[str, Any], amount: Fraction | None) -> bool:
    """Whether all of the tests pass; of nothing none does."""
    outcomes: dict[str, Callable[[Fraction, Fraction], bool]] = {
        "at_least": lambda found, bound: found >= bound,
        "at_most": lambda found, bound: found <= bound,
        "more_than": lambda found, bound: found > bound,
        "less_than": lambda found, bound: found < bound,
        "exactly": lambda found, bound: found == bound,
    }
    given = {name: Fraction(str(tests[name])) for name in outcomes if name in tests} or {
        "at_least": Fraction(1)
    }
    return amount is not None and all(outcomes[name](amount, bound) for name, bound in given.items())


def _date(time_ms: int, zone: dt.tzinfo) -> dt.date:
    return dt.datetime.fromtimestamp(math.floor(time_ms / 1000), tz=zone).date()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _to_six_decimals(value: float) -> Fraction:
    with localcontext() as context:
        context.prec = 500
        return Fraction(Decimal(str(value)).quantize(Decimal("0.000001"), rounding=ROUND_HALF_EVEN))


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return isinstance(one, bool) and isinstance(other, bool) and one == other
    return bool(one == other)
