"""What would have to be otherwise."""

from typing import Any

import pytest

from rules.needs import needs
from rules.segment import Segment

A, B, C = {"did": "A"}, {"did": "B"}, {"did": "C"}


def told(when: Any, holds: list[bool], *, wanted: bool) -> str | None:
    segment = Segment.model_validate({"key": "s", "when": when})
    return needs(segment.when, holds, wanted=wanted)


@pytest.mark.parametrize(
    ("when", "holds", "wanted", "answer"),
    [
        (A, [False], True, "did A"),
        (A, [True], False, "no longer: did A"),
        (A, [True], True, None),
        ({"all": [A, B, C]}, [True, False, False], True, "(did B) and (did C)"),
        ({"all": [A, B]}, [True, True], False, "(no longer: did A) or (no longer: did B)"),
        ({"any": [A, B]}, [False, False], True, "(did A) or (did B)"),
        ({"any": [A, B]}, [True, False], False, "no longer: did A"),
        ({"none": [A, B]}, [True, False], True, "no longer: did A"),
        ({"none": [A, B]}, [False, False], False, "(did A) or (did B)"),
        ({"not": A}, [True], True, "no longer: did A"),
        ({"at_least": 2, "of": [A, B, C]}, [True, False, False], True, "(did B) or (did C)"),
        ({"at_least": 2, "of": [A, B, C]}, [False, False, False], True, "2 of (did A), (did B), (did C)"),
        ({"at_least": 3, "of": [A, B, C]}, [True, False, False], True, "(did B) and (did C)"),
        (
            {"at_least": 2, "of": [A, B, C]},
            [True, True, False],
            False,
            "(no longer: did A) or (no longer: did B)",
        ),
        ({"all": [{"any": [A, B]}, C]}, [True, False, False], True, "did C"),
        ({"all": [{"any": [A, B]}, C]}, [False, False, False], True, "((did A) or (did B)) and (did C)"),
    ],
)
def test_it_is_what_still_speaks_against_it(
    when: Any, holds: list[bool], wanted: bool, answer: str | None
) -> None:
    assert told(when, holds, wanted=wanted) == answer
