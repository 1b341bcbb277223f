"""Groups of segments that exclude each other (contract, section 4.5)."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field

from rules.fields import Key
from rules.kinds import check_list
from rules.problems import Problem
from rules.value_tests import Written


class Group(Written):
    """Segments of which a contact is a member of the first only whose policy says so."""

    key: Key = Field(description="The group's name; unique over all files, among segments too.")
    exclusive: Annotated[tuple[Key, ...], Field(strict=False), BeforeValidator(check_list)] = Field(
        description="The keys of the segments; the first that matches wins.",
        json_schema_extra={"minItems": 1},
    )

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if not self.exclusive:
            yield Problem("empty", "`exclusive` names no segment", "name the segments", ("exclusive",))
        for key, times in Counter(self.exclusive).items():
            if times > 1:
                place = len(self.exclusive) - 1 - self.exclusive[::-1].index(key)
                reason = f"{key} is named twice"
                yield Problem("two_groups", reason, "name it once", ("exclusive", place))
