"""What ``did`` can measure over matching events besides their number (contract, section 4.2)."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from rules.contradictions import exact, listed
from rules.durations import DAY_MS, HOUR_MS
from rules.fields import FilledText, Zone
from rules.problems import Problem
from rules.value_tests import IfGiven, Written

MeasureKind = Literal["sum", "average", "minimum", "maximum", "distinct", "days"]

AMOUNTS: tuple[MeasureKind, ...] = ("sum", "average", "minimum", "maximum")
"""Measures over numbers, which are tested against numbers of any kind."""
MEASURES: tuple[MeasureKind, ...] = (*AMOUNTS, "distinct", "days")
"""The last two are whole numbers, as a count is."""
_ZONE_DAY_MS = 23 * HOUR_MS
"""A date in a zone can be an hour shorter than others."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Which measure; and the path that it is of, or for days the zone."""

    kind: MeasureKind
    of: str

    @property
    def is_amount(self) -> bool:
        return self.kind in AMOUNTS


@dataclass(frozen=True, slots=True)
class AmountTest:
    """``low <= amount <= high``, where an open end excludes its own value; None: no such end."""

    low: Fraction | None = None
    low_is_open: bool = False
    high: Fraction | None = None
    high_is_open: bool = False

    def passes(self, amount: Fraction | int) -> bool:
        low, high = self.low, self.high
        if low is not None and (amount < low or (self.low_is_open and amount == low)):
            return False
        return high is None or not (amount > high or (self.high_is_open and amount == high))

    @property
    def is_empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_is_open or self.high_is_open))

    def in_units(self, unit: Fraction) -> tuple[int | None, int | None]:
        """The least and the greatest number of whole units that pass."""
        low = high = None
        if self.low is not None:
            low = math.floor(self.low / unit) + 1 if self.low_is_open else math.ceil(self.low / unit)
        if self.high is not None:
            high = math.ceil(self.high / unit) - 1 if self.high_is_open else math.floor(self.high / unit)
        return low, high


class Measured(Written):
    """The keys that say what is measured."""

    sum: IfGiven[FilledText] = Field(None, description="Measure the sum of this property's numbers.")
    average: IfGiven[FilledText] = Field(None, description="Measure the average of this property's numbers.")
    minimum: IfGiven[FilledText] = Field(None, description="Measure the least of this property's numbers.")
    maximum: IfGiven[FilledText] = Field(None, description="Measure the greatest of this property's numbers.")
    distinct: IfGiven[FilledText] = Field(
        None, description="Measure how many different values this property has."
    )
    days: IfGiven[Zone] = Field(
        None,
        description="Measure on how many dates it happened: true for UTC's, or a zone such as Europe/Berlin.",
    )

    @cached_property
    def measure(self) -> Measure | None:
        """What is measured; None: the number of events."""
        for kind in MEASURES:
            if (of := getattr(self, kind)) is not None:
                return Measure(kind, of)
        return None

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        given = [kind for kind in MEASURES if getattr(self, kind) is not None]
        if len(given) > 1:
            said = " and ".join(f"`{kind}`" for kind in given)
            hint = "keep one of them, or write a condition for each"
            yield Problem("two_measures", f"{said} in one condition", hint, (given[1],), on_key=True)


def amount_test(given: Mapping[str, float]) -> AmountTest:
    """All the given tests in one."""
    low: tuple[Fraction, bool] | None = None
    high: tuple[Fraction, bool] | None = None
    for test, number in given.items():
        bound = exact(number)
        if test in {"at_least", "more_than", "exactly"}:
            found = (bound, test == "more_than")
            low = found if low is None else max(low, found)
        if test in {"at_most", "less_than", "exactly"}:
            open_ = test == "less_than"
            if high is None or bound < high[0] or (bound == high[0] and open_):
                high = (bound, open_)
    return AmountTest(
        *(low if low is not None else (None, False)), *(high if high is not None else (None, False))
    )


def binding_tests(test: AmountTest, given: Mapping[str, float]) -> dict[str, float]:
    """The given tests that bind, each end in one spelling."""
    found = dict[str, float]()
    for end, is_open, keys in (
        (test.low, test.low_is_open, ("at_least", "more_than")),
        (test.high, test.high_is_open, ("at_most", "less_than")),
    ):
        if end is not None:
            found[keys[is_open]] = next(number for number in given.values() if exact(number) == end)
    return found


def amount_problems(measure: Measure, given: Mapping[str, float]) -> Iterator[Problem]:
    """What is wrong with the tests of an amount."""
    if not given:
        hint = f"write for example at_least: {100 if measure.kind == 'sum' else 10}"
        yield Problem("missing_key", f"`{measure.kind}` needs a test", hint, (measure.kind,), on_key=True)
    elif amount_test(given).is_empty:
        yield Problem("never_passes", f"{listed(given)} can never pass: no number is both")


def most_dates(within_ms: int, zone: str) -> int:
    """How many dates a window can touch at most."""
    return math.ceil(within_ms / (DAY_MS if zone == "UTC" else _ZONE_DAY_MS)) + 1


def dates_problem(low: int, high: int | None, most: int, given: Mapping[str, Any]) -> Problem | None:
    """What is wrong with the tests of a number of dates of which there can be only so many."""
    if low > most:
        reason = f"{listed(given)} can never pass: the window touches {most} dates at most"
        return Problem("never_passes", reason, "ask for fewer days, or for a longer window")
    if low == 0 and high is not None and high >= most:
        reason = f"{listed(given)} can never fail: the window touches {most} dates at most"
        return Problem("never_fails", reason, "ask for fewer days, or for a longer window")
    return None
