"""Verdicts as moments with a sign."""

import pytest

from rules.durations import LAST_MS
from rules.verdict import ALWAYS, NEVER, SHIFT_MS, at_least, change_ms, holds_between, holds_from


@pytest.mark.parametrize(
    ("k", "verdicts", "expected"),
    [
        (1, [5, -7], 5),
        (2, [5, -7], -7),
        (1, [-5, -7], -5),
        (2, [-5, -7, NEVER], -7),
        (2, [9, 5, 7], 7),
        (3, [9, 5, 7], 5),
        (3, [9, 5], NEVER),
    ],
)
def test_so_many_of_several_hold_until_too_few_do_and_fail_until_enough_do(
    k: int, verdicts: list[int], expected: int
) -> None:
    assert at_least(k, verdicts) == expected


def test_a_span_holds_from_its_start_and_no_longer_at_its_end() -> None:
    assert [holds_between(now, 10, 12) for now in (9, 10, 11, 12)] == [-10, 12, 12, NEVER]
    assert [holds_from(now, 10) for now in (9, 10)] == [-10, ALWAYS]


def test_a_change_that_no_clock_reaches_is_none() -> None:
    assert change_ms(-(LAST_MS + SHIFT_MS)) == LAST_MS
    assert [change_ms(verdict) for verdict in (LAST_MS + SHIFT_MS + 1, ALWAYS, NEVER)] == [None, None, None]
