"""Steps one after another, and what must not follow them (contract, section 4.3)."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from rules.fields import DurationMs, DurationOrNoneMs, FilledText, Names
from rules.kinds import check_list
from rules.problems import Problem
from rules.value_tests import IfGiven, Where, WhereMapping, Written


class SequenceEvent(Written):
    """Events that a step, or what must not follow, is about."""

    did: Names = Field(description='An event name, a list of names (any of them), or "*" for any event.')
    where: Annotated[tuple[Where, ...], WhereMapping()] = Field(
        (), description="Tests on properties of the event, by path; all must pass."
    )

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        if not self.where:
            found.pop("where", None)
        return found


class SequenceStep(SequenceEvent):
    """One step."""

    within_ms: IfGiven[DurationOrNoneMs] = Field(
        None, alias="within", description="How long after the step before it may come, at most."
    )


class ThenNot(SequenceEvent):
    """What must not follow the last step."""

    within_ms: DurationOrNoneMs = Field(
        alias="within", description="For how long after the last step it must not come."
    )


class Chain(Written):
    """The steps of a sequence, and what goes for all of them."""

    steps: Annotated[tuple[SequenceStep, ...], Field(strict=False), BeforeValidator(check_list)] = Field(
        description="The steps, each a different event, in the order of event times.",
        json_schema_extra={"minItems": 1},
    )
    then_not: IfGiven[ThenNot] = Field(
        None, description="What must not follow the last step: the sequence is complete when it did not come."
    )
    by: IfGiven[FilledText] = Field(
        None, description="The path of a property of which all the steps have the same value."
    )
    within_ms: IfGiven[DurationMs] = Field(
        None, alias="within", description="How long a complete sequence counts; for ever if it is left out."
    )

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if not self.steps:
            yield Problem("empty", "`steps` is empty", "write at least two steps", ("steps",))
            return
        if self.steps[0].within_ms is not None:
            reason = "the first step has no step before it that `within` could count from"
            hint = "move it to the second step, or beside `steps`: how long the sequence counts"
            yield Problem("first_within", reason, hint, ("steps", 0, "within"), on_key=True)
        if len(self.steps) == 1 and self.then_not is None:
            reason = "one step without `then_not` is no sequence"
            yield Problem("one_step", reason, "write did: .., or add a step or then_not", ("steps",))


class Sequence(Written):
    """The steps happened one after another."""

    sequence: Chain = Field(description="The steps, and what goes for all of them.")
