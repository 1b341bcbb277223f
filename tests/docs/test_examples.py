"""What the reference of definitions shows of each condition is what happens."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from rules.catalog import Blueprint, Catalog
from rules.checker import check
from rules.conditions import MODELS
from rules.documents import read_document
from rules.loading import load
from streams.replay import replay_lines
from tests.docs.pages import ROOT
from tests.properties.engine import by_contact, expected_of
from tests.reference import Expected, judge
from tests.scenarios.scenario import Scenario

SHOWN: dict[str, Any] = read_document((ROOT / "docs" / "reference" / "conditions.yaml").read_bytes()).value
EXAMPLES: list[dict[str, Any]] = [
    example
    for entry in (*SHOWN["conditions"], SHOWN["times"], SHOWN["where"], SHOWN["policy"], SHOWN["groups"])
    for example in entry["examples"]
]
VALUES = [
    pytest.param(row["test"], value, passes, id=f"{row['test']} {value} {passes}")
    for row in SHOWN["values"]
    for passes in (True, False)
    for value in row["passes" if passes else "fails"]
]
HAPPENING = ("track", "page", "screen", "identify")


def test_every_condition_is_shown() -> None:
    assert {entry["kind"] for entry in SHOWN["conditions"]} == set(MODELS)


def test_every_value_test_is_shown_passing_and_failing() -> None:
    model = MODELS["trait"]
    tests = {field.alias or name for name, field in model.model_fields.items()} - {"trait"}
    assert {next(iter(row["test"])) for row in SHOWN["values"] if row["passes"] and row["fails"]} == tests


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_an_example_comes_out_as_shown(example: dict[str, Any], tmp_path: Path) -> None:
    text = example["file"] if "file" in example else definition(example["when"])
    scenario = scenario_of(example, read_document(text.encode()).value)
    assert replayed(catalog(text, tmp_path), scenario.records) == scenario.expected
    judged = judge(scenario.segments, scenario.records, groups=scenario.groups)
    assert judged.transitions == scenario.expected


@pytest.mark.parametrize(("test", "value", "passes"), VALUES)
def test_a_value_passes_or_fails_as_shown(
    test: dict[str, Any], value: object, passes: bool, tmp_path: Path
) -> None:
    when = json.dumps({"trait": "value", **test})
    step = {"at": "0d", "identify": {"value": None if value == "missing" else value}}
    scenario = scenario_of({"name": str(test), "steps": [step], "expect": {}}, {"segments": []})
    entered = replayed(catalog(definition(when), tmp_path), scenario.records).get("u", [])
    assert len(entered) == int(passes)


def definition(when: str) -> str:
    """A file with one segment, whose condition is written as it is shown."""
    indented = "\n".join(f"      {line}" for line in when.strip().splitlines())
    return f"segments:\n  - key: example\n    campaign: none\n    when:\n{indented}\n"


def catalog(text: str, folder: Path) -> Catalog:
    (folder / "example.yaml").write_text(text, encoding="utf-8")
    assert [finding for finding in check(folder) if finding.severity == "error"] == []
    return Blueprint(load(folder)).catalog()


def scenario_of(example: dict[str, Any], definitions: dict[str, Any]) -> Scenario:
    """The example with a message id for each event, and with the segment's key."""
    numbers = itertools.count(1)
    happens = [kind for step in example["steps"] for kind in HAPPENING if kind in step]
    steps = [
        {**step, "id": f"m{next(numbers)}"} if set(step) & set(HAPPENING) else step
        for step in example["steps"]
    ]
    assert len(happens) == next(numbers) - 1
    expect = {
        who: [re.sub("(enter|exit) by", r"\1 example by", line) for line in lines]
        for who, lines in example["expect"].items()
    }
    return Scenario(example["name"], {**definitions, "steps": steps, "expect": expect})


def replayed(under: Catalog, records: list[dict[str, Any]]) -> dict[str, list[Expected]]:
    lines = [json.dumps(record).encode() for record in records]
    found = replay_lines(under, lines, until_ms=None, max_future_skew_ms=300_000, reject=unwanted)
    return by_contact([expected_of(transition) for transition in found])


def unwanted(line: int, rejected: object) -> None:
    pytest.fail(f"record {line}: {rejected}")
