"""Points for what holds and for how often something was done (contract, section 4.4)."""

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from rules.conditions.events import RollingEvents
from rules.conditions.measures import AmountTest, amount_test, binding_tests
from rules.contradictions import COUNT_TESTS, exact, listed, number_text
from rules.fields import Names, Number
from rules.kinds import check_filled_list
from rules.problems import Problem
from rules.value_tests import IfGiven, Written

if TYPE_CHECKING:
    # `rules.conditions.tree` completes what names it.
    from rules.conditions.tree import Condition

MOST_COUNTED = 1000
"""At which number of events the count of an ``each`` stops, so that its state stays bounded."""


class Each(RollingEvents):
    """Events of which every one gives points."""

    did: Names = Field(description='An event name, a list of names (any of them), or "*" for any event.')


class ScorePart(Written):
    """What gives points."""

    points: Number = Field(description="The points that it gives; they may be negative.")
    when: "IfGiven[Condition]" = Field(
        None, description="The condition that gives the points while it holds."
    )
    each: IfGiven[Each] = Field(
        None, description="The events of which every one gives the points, up to 1,000 of them."
    )
    max: IfGiven[Number] = Field(None, description="The most points that all these events give together.")

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.each is None and self.when is None:
            hint = "write each: {did: ..} or when: {..}"
            yield Problem("missing_key", "nothing says what the points are for", hint)
        elif self.each is not None and self.when is not None:
            hint = "keep one of them, or write a part for each"
            yield Problem("two_kinds", "`each` and `when` in one part", hint, ("when",), on_key=True)
        if self.max is None:
            return
        if self.when is not None:
            hint = "leave it out: the points of `when` are given once"
            yield Problem("unknown_key", "`max` does not go with `when`", hint, ("max",), on_key=True)
        elif self.points <= 0:
            hint = "leave it out"
            yield Problem("bad_max", "`max` is for positive points alone", hint, ("max",), on_key=True)
        elif self.max <= 0:
            yield Problem("bad_max", f"`max: {self.max}` lets nothing count", "write more than 0", ("max",))

    @property
    def range(self) -> tuple[Fraction, Fraction]:
        """The fewest and the most points that it can give."""
        full = exact(self.points) * (1 if self.each is None else MOST_COUNTED)
        if self.max is not None:
            full = min(full, exact(self.max))
        return min(full, Fraction(0)), max(full, Fraction(0))


class Tally(Written):
    """Parts that give points, and the test of their sum."""

    at_least: IfGiven[Number] = Field(None, description="So many points, or more.")
    at_most: IfGiven[Number] = Field(None, description="So many points, or fewer.")
    more_than: IfGiven[Number] = Field(None, description="More points than this.")
    less_than: IfGiven[Number] = Field(None, description="Fewer points than this.")
    exactly: IfGiven[Number] = Field(None, description="Exactly so many points.")
    of: Annotated[tuple[ScorePart, ...], Field(strict=False), BeforeValidator(check_filled_list("part"))] = (
        Field(description="What gives points.", json_schema_extra={"minItems": 1})
    )

    @cached_property
    def given_tests(self) -> dict[str, float]:
        """The tests that were written."""
        return {key: value for key in COUNT_TESTS if (value := getattr(self, key)) is not None}

    @cached_property
    def test(self) -> AmountTest:
        """All the tests in one."""
        return amount_test(self.given_tests)

    @cached_property
    def unit(self) -> Fraction:
        """The greatest number of points of which every possible score is a multiple; 0 if all of them are 0."""
        amounts = [exact(part.points) for part in self.of]
        amounts += [exact(part.max) for part in self.of if part.max is not None]
        bottom = math.lcm(*(amount.denominator for amount in amounts))
        return Fraction(math.gcd(*(int(amount * bottom) for amount in amounts)), bottom)

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if not self.given_tests:
            yield Problem("missing_key", "a score needs a test", "write for example at_least: 50")
            return
        if self.test.is_empty:
            yield Problem("never_passes", f"{listed(self.given_tests)} can never pass: no number is both")
            return
        low = sum((part.range[0] for part in self.of), Fraction(0))
        high = sum((part.range[1] for part in self.of), Fraction(0))
        why = f"the score is between {number_text(low)} and {number_text(high)}"
        if self.test.passes(low) and self.test.passes(high):
            yield Problem("never_fails", f"{listed(self.given_tests)} can never fail: {why}")
        elif not self._is_reached(low, high):
            if self.unit > 1:
                why += f", a multiple of {number_text(self.unit)}"
            yield Problem("never_passes", f"{listed(self.given_tests)} can never pass: {why}")

    def _is_reached(self, low: Fraction, high: Fraction) -> bool:
        """Whether a multiple of the unit between the two passes."""
        test = self.test
        if test.low is not None and test.low > low:
            low = test.low
        if test.high is not None and test.high < high:
            high = test.high
        if not self.unit:
            return test.passes(Fraction(0))
        first = math.ceil(low / self.unit)
        return any(
            number * self.unit <= high and test.passes(number * self.unit) for number in (first, first + 1)
        )

    @model_serializer(mode="wrap")
    def _tests_normalized(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found = {key: value for key, value in handler(self).items() if key not in COUNT_TESTS}
        return found | binding_tests(self.test, self.given_tests)


class Score(Written):
    """The sum of points passes its test."""

    score: Tally = Field(description="What gives points, and the test of their sum.")
