"""Examples beside definitions, and what is said of those that come out otherwise."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.catalog import Blueprint
from rules.checker import check
from rules.loading import load, read
from streams.examples import run, scope_of

CLICKER = {"key": "clicker", "campaign": "c", "when": {"did": "Click", "at_least": 2, "within": "1d"}}
BUYER = {"key": "buyer", "campaign": "c", "when": {"did": "Order"}}


def write(folder: Path, name: str = "a.yaml", **content: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")


def outcome(folder: Path) -> list[list[str]]:
    """What is wrong with each example."""
    reading = read(folder)
    assert [str(found) for found in (*reading.errors, *reading.example_findings)] == []
    catalog = Blueprint(reading.definitions).catalog()
    return [run(each.value, catalog, scope_of(each, reading)) for each in reading.examples]


def wrong(folder: Path, *steps: dict[str, Any], **rest: Any) -> list[str]:
    write(folder, segments=[CLICKER, BUYER], tests=[{"name": "it", "steps": list(steps), **rest}])
    return outcome(folder)[0]


CLICKS = [{"track": "Click"}, {"wait": "12h"}, {"track": "Click"}]


def test_members_are_those_at_that_moment_of_the_files_segments(tmp_path: Path) -> None:
    assert wrong(tmp_path, *CLICKS, {"members": ["clicker"]}, {"wait": "12h"}, {"members": []}) == []
    assert wrong(tmp_path, *CLICKS, {"track": "Order"}, {"members": ["clicker"]}) == [
        "step 5, at 12h: somebody is in buyer, clicker",
        "+ buyer: not expected",
    ]
    assert wrong(tmp_path, {"members": ["buyer"]}) == [
        "step 1, at 0s: somebody is in no segment",
        "- buyer: expected",
    ]


def test_transitions_are_all_of_them_in_the_order_of_each_contact(tmp_path: Path) -> None:
    enter, leave = {"enter": "clicker", "at": "12h"}, {"exit": "clicker", "at": "1d"}
    steps = [*CLICKS, {"track": "Order", "who": "ann"}, {"wait": "1d 12h"}]
    ann = {"enter": "buyer", "at": "12h", "who": "ann"}
    assert wrong(tmp_path, *steps, transitions=[ann, enter, leave]) == []
    assert wrong(tmp_path, *steps, transitions=[enter, {**leave, "at": "2d"}, ann]) == [
        "the transitions of somebody:",
        "  enter clicker at 12h",
        "+ exit clicker at 1d  not expected",
        "- exit clicker at 2d  expected",
    ]
    assert wrong(tmp_path, *steps, transitions=[leave, enter, ann]) == [
        "the transitions of somebody:",
        "  enter clicker at 12h",
        "  exit clicker at 1d",
        "  came in another order",
    ]
    assert wrong(tmp_path, *steps, transitions=[enter, leave]) == [
        "the transitions of ann:",
        "+ enter buyer at 12h  not expected",
    ]


def test_events_may_be_late_or_repeated_and_an_event_is_judged_with_a_wake_of_its_moment(
    tmp_path: Path,
) -> None:
    late = [{"track": "Click", "ago": "23h"}, {"track": "Click", "id": "m"}, {"track": "Click", "id": "m"}]
    moves = [{"enter": "clicker", "at": "0s"}, {"exit": "clicker", "at": "1h"}]
    assert wrong(tmp_path, *late, {"wait": "2h"}, transitions=moves) == []
    both = [*CLICKS, {"wait": "12h"}, {"track": "Click"}]
    assert wrong(tmp_path, *both, transitions=[{"enter": "clicker", "at": "12h"}]) == []


def test_a_refused_event_is_named_with_its_reason(tmp_path: Path) -> None:
    [line] = wrong(
        tmp_path,
        {"track": "Click", "properties": {"p": "x" * 2_000_000}},
        transitions=[],
    )
    assert line.startswith("step 1: the event is refused: too_large: ")


def test_a_file_of_examples_is_about_the_file_that_it_is_named_for(tmp_path: Path) -> None:
    example = {"name": "it", "steps": [{"track": "Order"}, *CLICKS, {"members": ["clicker"]}]}
    write(tmp_path, "clicks.yaml", segments=[CLICKER])
    write(tmp_path, "orders.yaml", segments=[BUYER])
    write(tmp_path, "clicks.test.yaml", tests=[example])
    assert outcome(tmp_path) == [[]]
    write(tmp_path, "all.test.yaml", tests=[example])
    assert [bool(lines) for lines in outcome(tmp_path)] == [True, False]


@pytest.mark.parametrize(
    ("example", "finding"),
    [
        ({"steps": [{"members": []}]}, "missing_key: an example needs `name`"),
        ({"name": "x", "transitions": []}, "missing_key: an example needs `steps`"),
        ({"name": "x", "steps": [], "transitions": []}, "empty: the list is empty (write at least one step)"),
        (
            {"name": "x", "steps": [{"wait": "3 days"}], "transitions": []},
            'bad_duration: "3 days" is no duration (did you mean 3d?)',
        ),
        ({"name": "x", "steps": []}, "empty: the list is empty"),
        ({"name": "x", "steps": [{"track": "A"}]}, "missing_key: the example expects nothing"),
        ({"name": "x", "steps": [{}, {"members": []}]}, "no_kind: nothing happens in this step"),
        ({"name": "x", "steps": [5, {"members": []}]}, "wrong_type: a step is a mapping, not 5"),
        ({"name": "x", "steps": [{"track": "A", "page": "b"}, {"members": []}]}, "two_kinds: `track` and"),
        ({"name": "x", "steps": [{"trak": "A"}, {"members": []}]}, "unknown_key: unknown key `trak`"),
        ({"name": "x", "steps": [{"wait": "3"}, {"members": []}]}, "bad_duration: "),
        (
            {"name": "x", "steps": [{"wait": "1d", "ago": "1d"}, {"members": []}]},
            "unknown_key: `ago` does not",
        ),
        ({"name": "x", "steps": [{"members": ["clickr"]}]}, "unknown_segment: there is no segment clickr"),
        (
            {"name": "x", "steps": [{"wait": "1d"}], "transitions": [{"enter": "clickr", "at": "0s"}]},
            "unknown_segment: there is no segment clickr",
        ),
        ({"name": "x", "steps": [{"wait": "1d"}], "transitions": [{"at": "0s"}]}, "missing_key: `enter` or"),
        (
            {"name": "x", "steps": [{"wait": "1d"}], "transitions": [{"enter": "clicker"}]},
            "missing_key: a transition needs `at`",
        ),
    ],
)
def test_what_is_wrong_with_an_example_is_found_and_keeps_nobody_from_using_the_definitions(
    tmp_path: Path, example: dict[str, Any], finding: str
) -> None:
    write(tmp_path, segments=[CLICKER], tests=[example])
    found = [f"{each.code}: {each.message} ({each.hint})" for each in check(tmp_path)]
    assert [each for each in found if each.startswith(finding)], found
    assert load(tmp_path).segments[0].key == "clicker"


def test_a_file_of_examples_holds_examples_alone(tmp_path: Path) -> None:
    write(tmp_path, segments=[CLICKER])
    write(tmp_path, "a.test.yaml", segments=[BUYER])
    assert [each.message for each in check(tmp_path)] == [
        "a file of examples is a mapping with `tests` alone"
    ]
    assert [segment.key for segment in load(tmp_path).segments] == ["clicker"]
