"""Value tests as written: what ``where``, ``trait``, ``latest`` and ``first`` ask of a value (contract, section 4.2)."""

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from rules.contradictions import values_conflict
from rules.fields import Bound, DurationMs, DurationOrNoneMs, Flag, Pattern, Scalar, Scalars, Text
from rules.problems import Problem, refuse, shown


class Written(BaseModel):
    """Something that a definition states. Equal models mean the same; 1 and true are not equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def problems(self) -> Iterator[Problem]:
        """What is wrong although each key by itself is right."""
        yield from ()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        found = list(self.problems())
        if found:
            refuse(*found)
        return self

    @cached_property
    def content(self) -> dict[str, Any]:
        """What was written, in the file's own words and JSON's types, in one spelling for each meaning."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @cached_property
    def _identity(self) -> str:
        return json.dumps(self.content, sort_keys=True)

    def __eq__(self, other: object) -> bool:
        # Python's own equality takes True for 1, which here would make two conditions one.
        return isinstance(other, Written) and type(self) is type(other) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


class _NotNull:
    """Lets a key be left out, but not be given as null: `within:` with nothing behind it is a mistake."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        assert schema["type"] == "nullable"
        inner: CoreSchema = schema["schema"]
        return inner


_Given = TypeVar("_Given")
IfGiven: TypeAlias = Annotated[_Given | None, _NotNull()]
"""A value that may be left out; None where it is."""


class PlainTests(Written):
    """Value tests whose outcome does not change with time."""

    is_: IfGiven[Scalar] = Field(
        None, alias="is", description="The value is exactly this, in type too; 1 = 1.0."
    )
    in_: IfGiven[Scalars] = Field(None, alias="in", description="The value is one of these.")
    is_not: IfGiven[Scalar] = Field(
        None, description="The opposite of `is`: passes too if the value is missing."
    )
    not_in: IfGiven[Scalars] = Field(
        None, description="The opposite of `in`: passes too if the value is missing."
    )
    at_least: IfGiven[Bound] = Field(None, description="A number, or a moment such as 2026-01-05.")
    at_most: IfGiven[Bound] = Field(None, description="A number, or a moment such as 2026-01-05.")
    more_than: IfGiven[Bound] = Field(None, description="A number, or a moment such as 2026-01-05.")
    less_than: IfGiven[Bound] = Field(None, description="A number, or a moment such as 2026-01-05.")
    contains: IfGiven[Text] = Field(None, description="The value is a text with this in it; case matters.")
    starts_with: IfGiven[Text] = Field(None, description="The value is a text that starts so; case matters.")
    ends_with: IfGiven[Text] = Field(None, description="The value is a text that ends so; case matters.")
    matches: IfGiven[Pattern] = Field(
        None, description="The value is a text in which this RE2 pattern is found; anchor it with ^ and $."
    )
    exists: IfGiven[Flag] = Field(None, description="true: there is a value; false: there is none.")

    @cached_property
    def given(self) -> dict[str, Any]:
        """The tests that were written, under the file's keys."""
        fields = ValueTests.model_fields.items()
        found = {field.alias or name: getattr(self, name, None) for name, field in fields}
        return {test: value for test, value in found.items() if value is not None}

    @cached_property
    def tests(self) -> "ValueTests":
        """The value tests alone, without the keys of the condition that they stand in."""
        return ValueTests.model_construct(
            **{name: getattr(self, name, None) for name in ValueTests.model_fields}
        )

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if not self.given:
            yield Problem("missing_key", "a test is missing", "write for example is: .. or exists: true")
        elif reason := values_conflict(self.given):
            yield Problem("never_passes", reason)


class ValueTests(PlainTests):
    """Value tests, also those on a moment relative to now."""

    within_last_ms: IfGiven[DurationMs] = Field(
        None, alias="within_last", description="The value is a moment at most so long ago."
    )
    within_next_ms: IfGiven[DurationMs] = Field(
        None, alias="within_next", description="The value is a moment to come within this time."
    )
    older_than_ms: IfGiven[DurationOrNoneMs] = Field(
        None,
        alias="older_than",
        description="The value is a moment at least so long ago; 0d: any that is past.",
    )


class Where(Written):
    """The tests on one path of an event."""

    path: str
    plain: PlainTests

    @cached_property
    def tests(self) -> ValueTests:
        return self.plain.tests


def _expand_short(value: Any) -> Any:
    """``skincare`` is short for ``{is: skincare}``."""
    if isinstance(value, str | bool | int | float):
        return {"is": value}
    if isinstance(value, dict | PlainTests):
        return value
    hint = "write exists: false for what is missing" if value is None else "write {in: [..]}"
    return refuse(Problem("wrong_type", f"wants a value or tests, not {shown(value)}", hint))


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value:
        refuse(
            Problem("wrong_type", f"a path is a text, not {shown(value)}", "put it in quotes", on_key=True)
        )
    return value


class WhereMapping:
    """Reads ``{path: test, ..}`` into ``Where``s, sorted by path."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        tests = core_schema.no_info_before_validator_function(
            _expand_short, handler.generate_schema(PlainTests)
        )
        paths = core_schema.no_info_plain_validator_function(_path)
        return core_schema.no_info_after_validator_function(
            self._collect,
            core_schema.dict_schema(paths, tests),
            serialization=core_schema.plain_serializer_function_ser_schema(self._spread),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # The paths' own validator cannot say what it takes. What stands at a path is added by rules.schema.
        return {"type": "object", "propertyNames": {"minLength": 1}}

    @staticmethod
    def _collect(tests: dict[str, PlainTests]) -> tuple[Where, ...]:
        return tuple(Where.model_construct(path=path, plain=tests[path]) for path in sorted(tests))

    @staticmethod
    def _spread(where: tuple[Where, ...]) -> dict[str, Any]:
        return {one.path: one.tests.content for one in where}
