"""What would have to be otherwise."""

from typing import Any

import pytest

from rules.conditions import leaves_of
from rules.lacks import Sight
from rules.needs import needs
from rules.segment import Segment
from rules.text import describe

A, B, C = ({"trait": name, "exists": True} for name in "ABC")


def told(when: Any, holds: list[bool], *, wanted: bool) -> str | None:
    segment = Segment.model_validate({"key": "s", "when": when})
    leaves = leaves_of(segment.when)
    sights = [
        Sight(leaf, describe(leaf), int(holds_), holds_, None, None)
        for leaf, holds_ in zip(leaves, holds, strict=True)
    ]
    return needs(segment.when, sights, wanted=wanted)


@pytest.mark.parametrize(
    ("when", "holds", "wanted", "answer"),
    [
        (A, [False], True, "trait A exists"),
        (A, [True], False, "no longer: trait A exists"),
        (A, [True], True, None),
        ({"all": [A, B, C]}, [True, False, False], True, "(trait B exists) and (trait C exists)"),
        ({"all": [A, B]}, [True, True], False, "(no longer: trait A exists) or (no longer: trait B exists)"),
        ({"any": [A, B]}, [False, False], True, "(trait A exists) or (trait B exists)"),
        ({"any": [A, B]}, [True, False], False, "no longer: trait A exists"),
        ({"none": [A, B]}, [True, False], True, "no longer: trait A exists"),
        ({"none": [A, B]}, [False, False], False, "(trait A exists) or (trait B exists)"),
        ({"not": A}, [True], True, "no longer: trait A exists"),
        (
            {"at_least": 2, "of": [A, B, C]},
            [True, False, False],
            True,
            "(trait B exists) or (trait C exists)",
        ),
        (
            {"at_least": 2, "of": [A, B, C]},
            [False, False, False],
            True,
            "2 of (trait A exists), (trait B exists), (trait C exists)",
        ),
        (
            {"at_least": 3, "of": [A, B, C]},
            [True, False, False],
            True,
            "(trait B exists) and (trait C exists)",
        ),
        (
            {"at_least": 2, "of": [A, B, C]},
            [True, True, False],
            False,
            "(no longer: trait A exists) or (no longer: trait B exists)",
        ),
        ({"all": [{"any": [A, B]}, C]}, [True, False, False], True, "trait C exists"),
        (
            {"all": [{"any": [A, B]}, C]},
            [False, False, False],
            True,
            "((trait A exists) or (trait B exists)) and (trait C exists)",
        ),
    ],
)
def test_it_is_what_still_speaks_against_it(
    when: Any, holds: list[bool], wanted: bool, answer: str | None
) -> None:
    assert told(when, holds, wanted=wanted) == answer
