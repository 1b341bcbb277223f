"""Conditions on what a contact did (contract, section 4.2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from rules.conditions.measures import (
    AmountTest,
    Measured,
    amount_problems,
    amount_test,
    binding_tests,
    dates_problem,
    most_dates,
)
from rules.contradictions import COUNT_TESTS, count_bounds, count_conflict
from rules.fields import DurationMs, FilledText, MomentMs, Names, Number, TwoMoments
from rules.problems import Problem
from rules.value_tests import IfGiven, ValueTests, Where, WhereMapping, Written

MOST_ROLLING = 1000
"""The largest number that a rolling count is tested against, so that its state stays bounded."""


@dataclass(frozen=True, slots=True)
class CountTest:
    """``low <= count <= high``; no ``high``: any number from ``low`` on."""

    low: int
    high: int | None


class Events(Written):
    """Which events a condition is about, apart from their names."""

    where: Annotated[tuple[Where, ...], WhereMapping()] = Field(
        (),
        description="Tests on properties of the event, by path; all must pass. `context.` reads its context.",
    )
    since_ms: IfGiven[MomentMs] = Field(None, alias="since", description="Events from this moment on.")
    between_ms: IfGiven[TwoMoments] = Field(
        None, alias="between", description="Events from the first moment on and before the second."
    )

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        given = [
            key for key in ("within", "since", "between") if getattr(self, f"{key}_ms", None) is not None
        ]
        if len(given) > 1:
            listed = " and ".join(f"`{key}`" for key in given)
            hint = "keep one of them" + (", or write between: [M1, M2]" if "within" not in given else "")
            yield Problem("time_keys", f"{listed} do not go together", hint, (given[-1],), on_key=True)

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        if not self.where:
            found.pop("where", None)
        return found


class RollingEvents(Events):
    """Events that may be asked for by a window that ends now."""

    within_ms: IfGiven[DurationMs] = Field(
        None,
        alias="within",
        description="Events of this last while: an event leaves at exactly its time plus this.",
    )

    @property
    def window_ms(self) -> int | None:
        """How far apart matching events lie at most; None: as far as they like."""
        if self.between_ms is None:
            return self.within_ms
        return self.between_ms[1] - self.between_ms[0]


class Did(RollingEvents, Measured):
    """The number of matching events, or what else is measured of them, passes its test."""

    did: Names = Field(description='An event name, a list of names (any of them), or "*" for any event.')
    at_least: IfGiven[Number] = Field(None, description="So many, or more; a count without any test: 1.")
    at_most: IfGiven[Number] = Field(None, description="So many, or fewer.")
    more_than: IfGiven[Number] = Field(None, description="More than this.")
    less_than: IfGiven[Number] = Field(None, description="Less than this.")
    exactly: IfGiven[Number] = Field(None, description="Exactly so many.")

    @cached_property
    def test(self) -> CountTest:
        """The test of a count, or of another measure that is a whole number."""
        return CountTest(*count_bounds(self.given_tests))

    @cached_property
    def amount_test(self) -> AmountTest:
        """The test of a sum, an average, a minimum or a maximum."""
        return amount_test(self.given_tests)

    @cached_property
    def given_tests(self) -> dict[str, float]:
        """The tests that were written."""
        return {key: value for key in COUNT_TESTS if (value := getattr(self, key)) is not None}

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.measure is not None and self.measure.is_amount:
            yield from amount_problems(self.measure, self.given_tests)
            return
        if conflict := count_conflict(self.given_tests):
            yield Problem(*conflict)
        elif self.window_ms is not None and self.measure is not None and self.measure.kind == "days":
            most = most_dates(self.window_ms, self.measure.of)
            if problem := dates_problem(self.test.low, self.test.high, most, self.given_tests):
                yield problem
        if self.within_ms is not None and self.measure is None:
            for key, number in self.given_tests.items():
                if number > MOST_ROLLING:
                    reason = f"a count within a window is tested against 1,000 at most, not {number}"
                    yield Problem("too_many", reason, at=(key,))

    @model_serializer(mode="wrap")
    def _tests_normalized(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = handler(self)
        found = {key: value for key, value in written.items() if key not in COUNT_TESTS}
        if not self.where:
            found.pop("where", None)
        if self.measure is not None and self.measure.is_amount:
            return found | binding_tests(self.amount_test, self.given_tests)
        bounds = {"at_least": self.test.low, "at_most": self.test.high}
        return found | {key: bound for key, bound in bounds.items() if bound is not None}


class DidNot(RollingEvents):
    """There is no matching event."""

    did_not: Names = Field(description='An event name, a list of names (none of them), or "*" for any event.')


class Latest(RollingEvents, ValueTests):
    """A property of the latest matching event passes its tests."""

    latest: Names = Field(
        description='An event name, a list of names, or "*"; the latest by event time counts.'
    )
    property: FilledText = Field(description="The path of the property to test.")


class First(Events, ValueTests):
    """A property of the first matching event passes its tests."""

    first: Names = Field(
        description='An event name, a list of names, or "*"; the first by event time counts.'
    )
    property: FilledText = Field(description="The path of the property to test.")
