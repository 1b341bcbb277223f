"""Segments and conditions as written: the one tree that everything else reads (contract, sections 4.1 and 4.2).

A model that exists is sound: whatever the contract refuses of a single segment is refused while it is read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, TypeAlias

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    Tag,
    TypeAdapter,
    WithJsonSchema,
    model_serializer,
)

from rules.contradictions import COUNT_TESTS, count_bounds, count_conflict
from rules.durations import Moment
from rules.fields import DurationMs, FilledText, MomentMs, Names, Number, Percent, Text, TwoMoments
from rules.kinds import check_filled_list, check_kind, check_list, kind_of
from rules.problems import Problem, refuse, shown
from rules.value_tests import IfGiven, ValueTests, Where, WhereMapping, Written

__all__ = [
    "MODELS",
    "All",
    "Any_",
    "AtLeast",
    "Condition",
    "CountTest",
    "Did",
    "DidNot",
    "First",
    "KnownFor",
    "Latest",
    "Moment",
    "None_",
    "Not",
    "Sample",
    "Segment",
    "TraitIs",
    "ValueTests",
    "Where",
    "canonical",
    "children",
    "parse_condition",
    "places",
]

MOST_CONDITIONS = 100
MOST_LEVELS = 20
MOST_ROLLING = 1000
"""The largest number that a rolling count is tested against, so that its state stays bounded."""


@dataclass(frozen=True, slots=True)
class CountTest:
    """``low <= count <= high``; no ``high``: any number from ``low`` on."""

    low: int
    high: int | None


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


class Did(RollingEvents):
    """The number of matching events passes its test."""

    did: Names = Field(description='An event name, a list of names (any of them), or "*" for any event.')
    at_least: IfGiven[Number] = Field(None, description="So many events, or more; without any test: 1.")
    at_most: IfGiven[Number] = Field(None, description="So many events, or fewer.")
    more_than: IfGiven[Number] = Field(None, description="More events than this.")
    less_than: IfGiven[Number] = Field(None, description="Fewer events than this.")
    exactly: IfGiven[Number] = Field(None, description="Exactly so many events.")

    @cached_property
    def test(self) -> CountTest:
        return CountTest(*count_bounds(self.given_counts))

    @cached_property
    def given_counts(self) -> dict[str, float]:
        """The count tests that were written."""
        return {key: value for key in COUNT_TESTS if (value := getattr(self, key)) is not None}

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if conflict := count_conflict(self.given_counts):
            yield Problem(*conflict)
        if self.within_ms is not None:
            for key, number in self.given_counts.items():
                if number > MOST_ROLLING:
                    reason = f"a count within a window is tested against 1,000 at most, not {number}"
                    yield Problem("too_many", reason, at=(key,))

    @model_serializer(mode="wrap")
    def _counts_normalized(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found = {key: value for key, value in handler(self).items() if key not in COUNT_TESTS}
        if not self.where:
            found.pop("where", None)
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


class TraitIs(ValueTests):
    """A trait of the contact passes its tests."""

    trait: FilledText = Field(description="The path of the trait to test.")


class KnownFor(Written):
    """The contact has been known for some time."""

    known_for_ms: DurationMs = Field(
        alias="known_for", description="The contact's first event is so long ago."
    )


class Sample(Written):
    """A stable percentage of contacts."""

    sample: Percent = Field(description="Percent of contacts, with at most two decimals.")
    seed: IfGiven[Text] = Field(
        None, description="Equal seeds choose the same contacts; the segment's key if absent."
    )


MODELS: dict[str, type[Written]] = {
    "all": All,
    "any": Any_,
    "none": None_,
    "not": Not,
    "of": AtLeast,
    "did": Did,
    "did_not": DidNot,
    "latest": Latest,
    "first": First,
    "trait": TraitIs,
    "known_for": KnownFor,
    "sample": Sample,
}
"""The model of each kind of condition, by the key that tells the kind."""

Condition: TypeAlias = Annotated[
    Annotated[All, Tag("<all>")]
    | Annotated[Any_, Tag("<any>")]
    | Annotated[None_, Tag("<none>")]
    | Annotated[Not, Tag("<not>")]
    | Annotated[AtLeast, Tag("<of>")]
    | Annotated[Did, Tag("<did>")]
    | Annotated[DidNot, Tag("<did_not>")]
    | Annotated[Latest, Tag("<latest>")]
    | Annotated[First, Tag("<first>")]
    | Annotated[TraitIs, Tag("<trait>")]
    | Annotated[KnownFor, Tag("<known_for>")]
    | Annotated[Sample, Tag("<sample>")],
    # Tags are in brackets so that, in the place of an error, none is taken for a key of the file.
    Discriminator(lambda value: f"<{kind_of(value)}>"),
    BeforeValidator(check_kind),
]
Conditions: TypeAlias = Annotated[
    tuple[Condition, ...],
    Field(strict=False, json_schema_extra={"minItems": 1}),
    BeforeValidator(check_filled_list),
]


def _key(value: Any) -> str:
    if not isinstance(value, str):
        refuse(
            Problem("wrong_type", f"wants a text, not {shown(value)}", "write for example hot-mobile-buyers")
        )
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", value):
        hint = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-0123456789")[:63]
        rule = "a key is a small letter, then up to 62 small letters, digits and hyphens"
        refuse(Problem("bad_key", f"{shown(value)} is no key: {rule}", f"write {hint}" if hint else ""))
    return value


Key: TypeAlias = Annotated[
    str, PlainValidator(_key), WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$"})
]


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

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        for count, (at, level) in enumerate(places(self.when), 1):
            if count == MOST_CONDITIONS + 1:
                yield Problem("too_many", "over 100 conditions in one segment", "split it", ("when", *at))
            if level == MOST_LEVELS + 1:
                yield Problem(
                    "too_deep", "over 20 levels of conditions", "split it, or flatten it", ("when", *at)
                )


def children(condition: Condition) -> tuple[tuple[tuple[str | int, ...], Condition], ...]:
    """The conditions directly inside one, each with its place below it."""
    match condition:
        case All(all=inner):
            key = "all"
        case Any_(any=inner):
            key = "any"
        case None_(none=inner):
            key = "none"
        case AtLeast(of=inner):
            key = "of"
        case Not(not_=only):
            return ((("not",), only),)
        case _:
            return ()
    return tuple(((key, number), child) for number, child in enumerate(inner))


def places(
    condition: Condition, at: tuple[str | int, ...] = (), level: int = 1
) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """The place and level of a condition and all in it, in the order of the file."""
    yield at, level
    for place, child in children(condition):
        yield from places(child, (*at, *place), level + 1)


def canonical(condition: Condition) -> dict[str, Any]:
    """The condition in the file's words and JSON's types: equal whatever the order of keys or the short forms."""
    return condition.content


_CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)


def parse_condition(value: Any) -> Condition:
    """A condition from plain data. Raises pydantic's ValidationError."""
    return _CONDITION.validate_python(value)
