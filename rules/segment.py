"""Segments as written: a condition with a name, and what people say of it (contract, section 4)."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from rules.conditions import Condition, places
from rules.fields import FilledText, Text
from rules.kinds import check_list
from rules.problems import Problem, refuse, shown
from rules.value_tests import IfGiven, Written

MOST_CONDITIONS = 100
MOST_LEVELS = 20


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
