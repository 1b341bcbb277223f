"""The JSON Schema of definition files (draft-07), for editors: completion, hover help, and first mistakes.

Generated from the models, so that it says what they take as far as JSON Schema can.
"""

from collections.abc import Container, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from rules.conditions import AMOUNTS, MEASURES, MODELS
from rules.contradictions import COUNT_TESTS
from rules.examples import Example
from rules.group import Group
from rules.segment import Segment
from rules.value_tests import PlainTests, ValueTests

_REF = "#/definitions/"
_TIME_KEYS = ("within", "since", "between")
_NAMES: dict[str, str] = {model.__name__: kind for kind, model in MODELS.items()} | {
    "AtLeast": "at_least",
    "Chain": "steps",
    "SequenceStep": "step",
    "ThenNot": "then_not",
    "Tally": "tally",
    "ScorePart": "part",
    "Each": "each",
    "PlainTests": "tests",
    "Segment": "segment",
    "Group": "group",
    "Example": "test",
    "Step": "test_step",
    "Move": "test_transition",
}
_TITLES = {
    "segment": "a segment",
    "test": "an example of what comes of what happens",
    "test_step": "a step of an example",
    "test_transition": "a transition that is expected",
    "group": "segments that exclude each other",
    "tests": "tests on a value",
    "steps": "the steps of a sequence",
    "step": "a step of a sequence",
    "then_not": "what must not follow",
    "tally": "what gives points, and the test of their sum",
    "part": "what gives points",
    "each": "events of which every one gives points",
}


def json_schema() -> dict[str, Any]:
    """The schema of one definition file, in plain JSON types."""
    models: list[type[BaseModel]] = [Segment, Group, Example, PlainTests, *MODELS.values()]
    _, generated = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF + "{model}"
    )
    definitions = {_NAMES[name]: _cleaned(schema) for name, schema in generated["$defs"].items()}
    for name, schema in definitions.items():
        schema["title"] = _TITLES.get(name, name)
        _restrict(schema)
    kinds = [name for name in definitions if name not in _TITLES]
    definitions["condition"] = {
        "title": "a condition",
        "description": "A mapping; one of its keys says which kind of condition it is.",
        "oneOf": [{"$ref": _REF + name} for name in kinds],
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Segment definitions of livesegments",
        "type": "object",
        "anyOf": [{"required": [key]} for key in ("segments", "groups", "tests")],
        "additionalProperties": False,
        "properties": {
            "segments": {
                "type": "array",
                "description": "The segments.",
                "items": {"$ref": f"{_REF}segment"},
            },
            "groups": {
                "type": "array",
                "description": "Segments that exclude each other.",
                "items": {"$ref": f"{_REF}group"},
            },
            "tests": {
                "type": "array",
                "description": "Examples that `segments test` runs.",
                "items": {"$ref": f"{_REF}test"},
            },
        },
        "definitions": dict(sorted(definitions.items())),
    }


def _cleaned(schema: Any, *, within_properties: bool = False) -> Any:
    """Draft-07, without pydantic's titles and defaults; the union of all conditions becomes a reference."""
    if isinstance(schema, list):
        return [_cleaned(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "oneOf" in schema:
        return _described({"$ref": f"{_REF}condition"}, schema)
    if "$ref" in schema:
        name = _NAMES[schema["$ref"].removeprefix(_REF)]
        return _described({"$ref": _REF + name}, schema)
    left_out = () if within_properties else ("title", "default")
    return {
        key: _cleaned(part, within_properties=key == "properties")
        for key, part in schema.items()
        if key not in left_out
    }


def _described(reference: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Draft-07 ignores what stands beside ``$ref``."""
    if "description" not in schema:
        return reference
    return {"description": schema["description"], "allOf": [reference]}


def _restrict(schema: dict[str, Any]) -> None:
    """What the models check beyond the type of each key, where a schema can say it."""
    keys = schema["properties"]
    tests = [field.alias or name for name, field in ValueTests.model_fields.items()]
    if "exists" in keys:
        schema["anyOf"] = [{"required": [test]} for test in tests if test in keys]
    if "where" in keys:
        short = {"type": ["string", "number", "boolean"], "description": "Short for `is`."}
        keys["where"]["additionalProperties"] = {"anyOf": [short, {"$ref": f"{_REF}tests"}]}
    if "points" in keys:
        schema["oneOf"] = [{"required": ["each"]}, {"required": ["when"]}]
    if "exactly" in keys and "of" in keys:
        schema["anyOf"] = [{"required": [test]} for test in COUNT_TESTS]
    rivals = [*_pairs(keys, _TIME_KEYS), *_pairs(keys, MEASURES)]
    if rivals:
        schema["not"] = {"anyOf": [{"required": pair} for pair in rivals]}
    if "sum" in keys:
        tested = {"anyOf": [{"required": [test]} for test in COUNT_TESTS]}
        schema["dependencies"] = dict.fromkeys(AMOUNTS, tested)


def _pairs(keys: Container[str], rivals: Sequence[str]) -> list[list[str]]:
    """Every two of the keys that do not go together."""
    there = [key for key in rivals if key in keys]
    return [[one, other] for number, one in enumerate(there) for other in there[number + 1 :]]
