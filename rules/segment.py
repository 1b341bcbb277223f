"""Segments as written: a condition with a name, and what people say of it (contract, section 4)."""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated

from pydantic import BeforeValidator, Field

from rules.conditions import Condition, places
from rules.fields import DurationMs, FilledText, Key, Text
from rules.kinds import check_list
from rules.policy import Policy
from rules.problems import Problem
from rules.value_tests import IfGiven, Written

MOST_CONDITIONS = 100
MOST_LEVELS = 20


class Segment(Written):
    """A named condition; a contact is a member while it holds."""

    key: Key = Field(description="The segment's name in all that comes out; unique over all files.")
    name: IfGiven[Text] = Field(None, description="A name for people.")
    description: IfGiven[Text] = Field(None, description="Who is in it, and why that matters.")
    owner: IfGiven[Text] = Field(None, description="Who answers for this segment.")
    campaign: IfGiven[Text] = Field(None, description="What the segment is for: the campaign that it drives.")
    tags: Annotated[tuple[FilledText, ...], Field(strict=False), BeforeValidator(check_list)] = Field(
        (), description="Words to find it by."
    )
    when: Condition = Field(description="The condition: who is a member.")
    enter_after_ms: IfGiven[DurationMs] = Field(
        None, alias="enter_after", description="Enter when the condition has held so long without a break."
    )
    exit_after_ms: IfGiven[DurationMs] = Field(
        None, alias="exit_after", description="Exit when it has not held for so long without a break."
    )
    cooldown_ms: IfGiven[DurationMs] = Field(
        None, alias="cooldown", description="After an exit, no enter before so long a time has passed."
    )

    @cached_property
    def policy(self) -> Policy | None:
        """When it follows its condition; None: at once."""
        given = (self.enter_after_ms, self.exit_after_ms, self.cooldown_ms)
        return None if given == (None, None, None) else Policy(*(length or 0 for length in given))

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        for count, (at, level) in enumerate(places(self.when), 1):
            if count == MOST_CONDITIONS + 1:
                yield Problem("too_many", "over 100 conditions in one segment", "split it", ("when", *at))
            if level == MOST_LEVELS + 1:
                yield Problem(
                    "too_deep", "over 20 levels of conditions", "split it, or flatten it", ("when", *at)
                )
