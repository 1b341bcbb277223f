"""Conditions that are made of conditions (contract, section 4.1)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from rules.fields import Number
from rules.problems import Problem
from rules.value_tests import Written

if TYPE_CHECKING:
    # Everything that is a condition, these among it: `rules.conditions.tree` completes them.
    from rules.conditions.tree import Condition, Conditions


class All(Written):
    """All of the conditions hold."""

    all: "Conditions" = Field(description="Conditions that must all hold.")


class Any_(Written):  # noqa: N801 - `Any` is typing's
    """At least one of the conditions holds."""

    any: "Conditions" = Field(description="Conditions of which at least one must hold.")


class None_(Written):  # noqa: N801 - `None` is Python's
    """None of the conditions holds."""

    none: "Conditions" = Field(description="Conditions of which none may hold.")


class Not(Written):
    """The condition does not hold."""

    not_: "Condition" = Field(alias="not", description="The condition that must not hold.")


class AtLeast(Written):
    """A number of the conditions, or more, hold."""

    at_least: Number = Field(
        json_schema_extra={"type": "integer", "minimum": 1},
        description="How many of the conditions must hold.",
    )
    of: "Conditions" = Field(description="The conditions to count.")

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        number, most = self.at_least, len(self.of)
        if not isinstance(number, int):
            yield Problem("wrong_type", f"wants a whole number, not {number}", at=("at_least",))
        elif number > most:
            hint = f"write {most} or less"
            yield Problem(
                "never_passes", f"{number} of {most} conditions can never hold", hint, ("at_least",)
            )
        elif number < 1:
            yield Problem(
                "never_fails", f"{number} of the conditions always hold", "write 1 or more", ("at_least",)
            )
