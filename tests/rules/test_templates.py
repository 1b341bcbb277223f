"""The starter segments: sound together, with a campaign and examples for each."""

from pathlib import Path

import pytest

from rules.catalog import Blueprint
from rules.checker import check
from rules.loading import read
from streams.examples import run, scope_of

FOLDER = Path(__file__).parents[2] / "rules" / "templates"
READING = read(FOLDER)
TEMPLATES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def test_they_are_sound_beside_each_other() -> None:
    assert [str(found) for found in check(FOLDER)] == []


def test_there_is_one_for_every_starting_point() -> None:
    assert TEMPLATES == [
        "abandoned", "b2b", "buyers", "churn", "engagement", "lifecycle", "mobile", "proposal", "refill",
        "subscription", "trial",
    ]  # fmt: skip


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_set_is_small_and_every_segment_says_what_it_is_for(name: str) -> None:
    segments = [each.value for each in READING.located if Path(each.file).stem == name]
    assert 1 <= len(segments) <= 5
    assert all(segment.name and segment.description and segment.campaign for segment in segments)
    assert len({segment.campaign for segment in segments}) == len(segments)
    assert (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("example", READING.examples, ids=lambda each: each.value.name)
def test_its_examples_pass(example: object) -> None:
    catalog = Blueprint(READING.definitions).catalog()
    assert run(example.value, catalog, scope_of(example, READING)) == []  # type: ignore[attr-defined, arg-type]


def test_every_segment_is_shown_in_an_example_entered_by_it() -> None:
    entered = set()
    for located in READING.examples:
        for step in located.value.steps:
            entered |= set(step.members or ())
        entered |= {move.enter for move in located.value.transitions or () if move.enter}
    assert {each.value.key for each in READING.located} <= entered
