"""The JSON Schema of definition files takes what the models take."""

from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft7Validator

from rules.documents import read_document
from rules.schema import json_schema
from tests.rules.condition_findings import KEYS, SOUND, TYPES
from tests.rules.written import CONDITIONS

SCHEMA = json_schema()
VALIDATOR = Draft7Validator(SCHEMA)
BEYOND_SCHEMA = (
    "bad_pattern", "bad_zone", "no such day", "years 1 to 9999", "two decimals", "duplicate_key", "surrogate", "yaml: ",
    'wrong_type: write "5"', "a key is a text", "too large",
)  # fmt: skip
"""What no schema can say, or what only YAML has."""
SHAPES = [
    marked.replace("▸", "")
    for marked, expected in [*KEYS, *TYPES]
    if not any(word in finding for finding in expected for word in BEYOND_SCHEMA)
]


def with_condition(when: Any) -> dict[str, Any]:
    return {"segments": [{"key": "a", "when": when}]}


def test_it_is_a_valid_draft_07_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_every_key_has_a_description_for_hover_help() -> None:
    for name, definition in SCHEMA["definitions"].items():
        assert definition["description"], name
        for key, schema in definition.get("properties", {}).items():
            assert schema["description"], f"{name}.{key}"


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if "$ref" in value else set()
            return own.union(*(references(part) for part in value.values()))
        return set().union(*(references(part) for part in value)) if isinstance(value, list) else set()

    assert references(SCHEMA) <= {f"#/definitions/{name}" for name in SCHEMA["definitions"]}


@given(CONDITIONS)
def test_it_takes_every_sound_condition(written: dict[str, Any]) -> None:
    VALIDATOR.validate(with_condition(written))


@pytest.mark.parametrize("text", SOUND)
def test_it_takes_what_check_finds_sound(text: str) -> None:
    VALIDATOR.validate(with_condition(read_document(text.encode()).value))


@pytest.mark.parametrize("text", SHAPES)
def test_it_refuses_what_has_a_wrong_shape(text: str) -> None:
    assert not VALIDATOR.is_valid(with_condition(read_document(text.encode()).value))


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"segments": {}},
        {"segments": [], "segmnts": []},
        {"segments": [{"key": "A", "when": {"did": "A"}}]},
        {"segments": [{"key": "a"}]},
        {"segments": [{"when": {"did": "A"}}]},
        {"segments": [{"key": "a", "when": {"did": "A"}, "tags": "x"}]},
        {"segments": [{"key": "a", "when": {"did": "A", "within": "1d", "since": "2026-01-05"}}]},
    ],
)
def test_it_refuses_files_of_a_wrong_shape(document: Any) -> None:
    assert not VALIDATOR.is_valid(document)
