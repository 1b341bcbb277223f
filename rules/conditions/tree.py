"""All kinds of conditions, as one type; and the way through a condition of conditions."""

from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, Tag, TypeAdapter

from rules.conditions.events import Did, DidNot, First, Latest
from rules.conditions.facts import KnownFor, Sample, TraitIs
from rules.conditions.logic import All, Any_, AtLeast, None_, Not
from rules.conditions.references import MemberOf, NotMemberOf
from rules.conditions.scores import Score, ScorePart, Tally
from rules.conditions.sequences import Sequence
from rules.kinds import check_filled_list, check_kind, kind_of
from rules.value_tests import Written

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
    "sequence": Sequence,
    "score": Score,
    "member_of": MemberOf,
    "not_member_of": NotMemberOf,
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
    | Annotated[Sample, Tag("<sample>")]
    | Annotated[Sequence, Tag("<sequence>")]
    | Annotated[Score, Tag("<score>")]
    | Annotated[MemberOf, Tag("<member_of>")]
    | Annotated[NotMemberOf, Tag("<not_member_of>")],
    # Tags are in brackets so that, in the place of an error, none is taken for a key of the file.
    Discriminator(lambda value: f"<{kind_of(value)}>"),
    BeforeValidator(check_kind),
]
Conditions: TypeAlias = Annotated[
    tuple[Condition, ...],
    Field(strict=False, json_schema_extra={"minItems": 1}),
    BeforeValidator(check_filled_list("condition")),
]

for _model in (All, Any_, None_, Not, AtLeast, ScorePart, Tally, Score):
    _model.model_rebuild(_types_namespace={"Condition": Condition, "Conditions": Conditions})


Node: TypeAlias = Condition | ScorePart
"""A condition, or a part of a score that counts events."""


def children(condition: Node) -> tuple[tuple[tuple[str | int, ...], Node], ...]:
    """The conditions directly inside one, each with its place below it."""
    match condition:
        case Score(score=tally):
            return tuple(_of_part(part, ("score", "of", number)) for number, part in enumerate(tally.of))
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


def _of_part(part: ScorePart, at: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], Node]:
    if part.each is not None:
        return (*at, "each"), part
    assert part.when is not None
    return (*at, "when"), part.when


def places(
    condition: Node, at: tuple[str | int, ...] = (), level: int = 1
) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """The place and level of a condition and all in it, in the order of the file."""
    yield at, level
    for place, child in children(condition):
        yield from places(child, (*at, *place), level + 1)


def nodes(condition: Node, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    """A condition and all in it, each with its place."""
    yield at, condition
    for place, child in children(condition):
        yield from nodes(child, (*at, *place))


def leaves_of(condition: Node) -> Iterator[Node]:
    """The leaf conditions in the order in which they are written."""
    inner = children(condition)
    if not inner:
        yield condition
    for _, child in inner:
        yield from leaves_of(child)


def told_of(condition: Node) -> Iterator[Node]:
    """What people are told about: the leaf conditions in the order in which they are written, and every score before
    what gives it points."""
    inner = children(condition)
    if not inner or isinstance(condition, Score):
        yield condition
    for _, child in inner:
        yield from told_of(child)


def canonical(condition: Condition) -> dict[str, Any]:
    """The condition in the file's words and JSON's types: equal whatever the order of keys or the short forms."""
    return condition.content


_CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)


def parse_condition(value: Any) -> Condition:
    """A condition from plain data. Raises pydantic's ValidationError."""
    return _CONDITION.validate_python(value)
