"""Examples beside definitions: what happens to a contact, and what is to come of it (contract, section 7)."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from rules.fields import FilledText, Key, MomentMs, OffsetMs, Text
from rules.kinds import check_filled_list, check_list
from rules.problems import Problem
from rules.value_tests import IfGiven, Written

EVENTS = ("track", "page", "screen", "identify")
KINDS = (*EVENTS, "wait", "members")
SOMEBODY = "somebody"
"""The contact of steps that name none."""

Keys = Annotated[tuple[Key, ...], Field(strict=False), BeforeValidator(check_list)]


class Step(Written):
    """Something that happens, time that passes, or who is a member by then."""

    track: IfGiven[FilledText] = Field(None, description="The name of an event that happens.")
    page: IfGiven[Text] = Field(None, description="The name of a page that is seen.")
    screen: IfGiven[Text] = Field(None, description="The name of a screen that is seen.")
    identify: IfGiven[dict[str, Any]] = Field(None, description="Traits that become known.")
    wait: IfGiven[OffsetMs] = Field(None, description="How much time passes, such as 3d or 1d 12h.")
    members: IfGiven[Keys] = Field(
        None, description="The segments that the contact is in by then, and it is in no other of this file."
    )
    who: FilledText = Field(SOMEBODY, description="The contact; one and the same where it is left out.")
    properties: IfGiven[dict[str, Any]] = Field(None, description="The event's properties.")
    context: IfGiven[dict[str, Any]] = Field(None, description="The event's context.")
    ago: IfGiven[OffsetMs] = Field(None, description="How long ago the event was: it arrives late by this.")
    id: IfGiven[FilledText] = Field(
        None, description="The event's message id; an id seen before is a repetition."
    )

    @property
    def kind(self) -> str:
        """Which of ``KINDS`` it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if not given:
            yield Problem("no_kind", "nothing happens in this step", f"write one of {', '.join(KINDS)}")
            return
        if len(given) > 1:
            said = " and ".join(f"`{kind}`" for kind in given)
            yield Problem(
                "two_kinds", f"{said} in one step", "write a step for each", (given[1],), on_key=True
            )
        for key, kinds in (
            ("properties", ("track", "page", "screen")),
            ("context", EVENTS),
            ("ago", EVENTS),
            ("id", EVENTS),
        ):
            if getattr(self, key) is not None and given[0] not in kinds:
                reason = f"`{key}` does not go with `{given[0]}`"
                yield Problem("unknown_key", reason, "leave it out", (key,), on_key=True)


class Move(Written):
    """A transition that is expected."""

    enter: IfGiven[Key] = Field(None, description="The segment that the contact enters.")
    exit: IfGiven[Key] = Field(None, description="The segment that the contact leaves.")
    at: OffsetMs = Field(description="When, counted from the start, such as 0s or 7d 2h.")
    who: FilledText = Field(SOMEBODY, description="The contact; one and the same where it is left out.")

    @property
    def segment(self) -> str:
        return str(self.enter if self.enter is not None else self.exit)

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.enter is None and self.exit is None:
            yield Problem(
                "missing_key", "`enter` or `exit` is missing", "write enter: or exit: and a segment"
            )
        elif self.enter is not None and self.exit is not None:
            reason = "`enter` and `exit` in one transition"
            yield Problem("two_kinds", reason, "write a line for each", ("exit",), on_key=True)


class Example(Written):
    """A story of one or a few contacts, with what is expected of the segments."""

    name: FilledText = Field(description="What it shows.")
    start: IfGiven[MomentMs] = Field(
        None,
        description="The moment at which the first step happens; 2026-01-05T10:00:00Z if it is left out.",
    )
    steps: Annotated[tuple[Step, ...], Field(strict=False), BeforeValidator(check_filled_list("step"))] = (
        Field(description="What happens, one after the other.", json_schema_extra={"minItems": 1})
    )
    transitions: IfGiven[Annotated[tuple[Move, ...], Field(strict=False), BeforeValidator(check_list)]] = (
        Field(None, description="All the transitions of this file's segments up to the last step, in order.")
    )

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.transitions is None and not any(step.members is not None for step in self.steps):
            hint = "add transitions: [..], or a step members: [..]"
            yield Problem("missing_key", "the example expects nothing", hint, ("name",))

    @property
    def named(self) -> Iterator[tuple[str, tuple[str | int, ...]]]:
        """The segments that it names, each with its place."""
        for number, step in enumerate(self.steps):
            for place, key in enumerate(step.members or ()):
                yield key, ("steps", number, "members", place)
        for number, move in enumerate(self.transitions or ()):
            yield move.segment, ("transitions", number, "enter" if move.enter is not None else "exit")
