"""Conditions as written: what is the same is equal, and what is not is not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.conditions import CountTest, Did, Latest, canonical, parse_condition
from rules.durations import DAY_MS, Moment
from rules.meaning import meaning
from rules.segment import Segment
from rules.text import describe
from tests.rules.written import CONDITIONS


@pytest.mark.parametrize(
    ("tests", "low", "high"),
    [
        ({}, 1, None),
        ({"at_least": 3}, 3, None),
        ({"at_least": 2.5}, 3, None),
        ({"more_than": 2}, 3, None),
        ({"more_than": 2.5}, 3, None),
        ({"at_most": 2.5}, 0, 2),
        ({"less_than": 3}, 0, 2),
        ({"less_than": 2.5}, 0, 2),
        ({"exactly": 2.0}, 2, 2),
        ({"at_least": 1, "more_than": 4, "less_than": 8, "at_most": 9}, 5, 7),
        ({"at_least": -5, "at_most": 5}, 0, 5),
    ],
)
def test_count_tests_become_a_lowest_and_a_highest_count(
    tests: dict[str, float], low: int, high: int | None
) -> None:
    condition = parse_condition({"did": "A", **tests})
    assert isinstance(condition, Did)
    assert condition.test == CountTest(low, high)


def test_a_condition_has_its_times_in_milliseconds_and_its_names_in_order() -> None:
    condition = parse_condition(
        {
            "latest": ["B", "A", "B"],
            "property": "p",
            "within": "7d",
            "where": {"b": 1.0, "a": {"in": [2, "x", 2.0]}},
            "at_least": "2026-01-05",
        }
    )
    assert isinstance(condition, Latest)
    assert (condition.latest, condition.within_ms) == (("A", "B"), 7 * DAY_MS)
    assert [(where.path, where.tests.given) for where in condition.where] == [
        ("a", {"in": (2, "x")}),
        ("b", {"is": 1}),
    ]
    assert condition.tests.given == {"at_least": Moment(1767571200000)}


@pytest.mark.parametrize("other", [True, "1", 2])
def test_one_is_neither_true_nor_a_text(other: Any) -> None:
    one, two = (parse_condition({"did": "A", "where": {"a": value}}) for value in (1, other))
    assert one != two
    assert len({one, two, parse_condition({"where": {"a": {"is": 1.0}}, "did": ["A"]})}) == 2


def shuffled(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, dict):
        keys = data.draw(st.permutations(list(value)))
        return {key: shuffled(value[key], data) for key in keys}
    return [shuffled(one, data) for one in value] if isinstance(value, list) else value


@given(CONDITIONS, st.data())
def test_the_order_of_keys_changes_nothing(written: dict[str, Any], data: st.DataObject) -> None:
    one, other = parse_condition(written), parse_condition(shuffled(written, data))
    assert canonical(one) == canonical(other)
    assert one == other
    assert hash(one) == hash(other)


@given(CONDITIONS)
def test_the_canonical_form_is_a_definition_of_the_same_condition(written: dict[str, Any]) -> None:
    condition = parse_condition(written)
    again = json.loads(json.dumps(canonical(condition)))
    assert parse_condition(again) == condition
    assert canonical(parse_condition(again)) == again


@given(CONDITIONS, st.data())
def test_the_order_of_conditions_does_not_change_their_meaning(
    written: dict[str, Any], data: st.DataObject
) -> None:
    def reordered(value: Any) -> Any:
        if isinstance(value, list):
            return data.draw(st.permutations([reordered(one) for one in value]))
        return (
            {key: value[key] if key == "between" else reordered(value[key]) for key in value}
            if isinstance(value, dict)
            else value
        )

    one, other = (
        Segment.model_validate({"key": "a", "when": when}) for when in (written, reordered(written))
    )
    assert meaning(one) == meaning(other)
    assert meaning(one) == meaning(Segment.model_validate({"key": "a", "when": {"not": {"none": [written]}}}))


@given(CONDITIONS)
def test_every_condition_has_one_line_of_english(written: dict[str, Any]) -> None:
    text = describe(parse_condition(written))
    assert text.strip() == text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (
            {"did": "Email Clicked", "at_least": 3, "within": "7d"},
            "did Email Clicked at least 3 times within 7d",
        ),
        ({"did": "A"}, "did A"),
        ({"did": "*", "at_most": 1}, "did any event at most once"),
        (
            {"did": ["B", "A"], "exactly": 2, "since": "2026-01-05"},
            "did A or B exactly twice since 2026-01-05",
        ),
        ({"did": "A", "more_than": 2, "at_most": 5}, "did A 3 to 5 times"),
        ({"did_not": "Order Completed", "within": "2w"}, "did not do Order Completed within 14d"),
        (
            {"did": "A", "where": {"b": "c", "a": {"in": [1, "1", True]}}},
            'did A where a is one of true, 1, "1" and b is c',
        ),
        ({"trait": "device_type", "is": "mobile"}, "trait device_type is mobile"),
        ({"trait": "t", "exists": False}, "trait t is missing"),
        ({"trait": "t", "is_not": "true"}, 'trait t is not "true"'),
        ({"trait": "t", "older_than": "0d"}, "trait t is past"),
        (
            {"trait": "t", "within_next": "3d", "at_least": "2026-01-05T10:00"},
            "trait t is at or after 2026-01-05T10:00:00Z and is within the next 3d",
        ),
        (
            {"latest": "A", "property": "total", "at_least": 100, "within": "30d"},
            "total of the latest A within 30d is at least 100",
        ),
        ({"first": "A", "property": "p", "matches": "^a"}, 'p of the first A matches "^a"'),
        ({"known_for": "30d"}, "known for 30d or longer"),
        ({"sample": 12.50}, "in a sample of 12.5 %"),
        ({"all": [{"did": "A"}, {"not": {"did": "B"}}]}, "all of (did A; not (did B))"),
        (
            {"at_least": 1, "of": [{"none": [{"did": "A"}]}, {"any": [{"did": "B"}]}]},
            "at least 1 of (none of (did A); any of (did B))",
        ),
    ],
)
def test_a_condition_reads_as_plain_english(written: dict[str, Any], text: str) -> None:
    assert describe(parse_condition(written)) == text
