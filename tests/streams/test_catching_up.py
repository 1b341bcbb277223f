"""What a worker says while it is far behind."""

from collections.abc import Callable
from math import inf

import pytest

from streams.catching_up import CatchingUp
from streams.pace import Pace


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


Said = Callable[[], list[str]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    caplog.set_level("INFO", "streams.catching_up")
    return lambda: [record.getMessage() for record in caplog.records]


def works_off(
    catching_up: CatchingUp, clock: Clock, seconds: int, waiting: int, per_s: int, position: int = 0
) -> tuple[int, int]:
    """Both partitions take their part of it, once a second."""
    for _ in range(seconds):
        catching_up.report({0: (position // 2, waiting // 2), 1: (position // 2, waiting // 2)})
        clock.now_s += 1
        taken = min(per_s, waiting)
        position, waiting = position + taken, waiting - taken
    return position, waiting


def test_a_line_every_ten_seconds_while_it_is_far_behind_and_one_at_the_end(clock: Clock, said: Said) -> None:
    catching_up = CatchingUp(clock)
    works_off(catching_up, clock, 60, 1_240_000, 31_000)
    assert said() == [
        "catching up: 1,085,000 records wait, 31,000/s taken, 0/s come, 35 s left",
        "catching up: 775,000 records wait, 31,000/s taken, 0/s come, 25 s left",
        "catching up: 465,000 records wait, 31,000/s taken, 0/s come, 15 s left",
        "catching up: 155,000 records wait, 31,000/s taken, 0/s come, 5.0 s left",
        "caught up: no records wait, 31,000/s taken, 0/s come, caught up",
    ]


def test_a_lag_that_is_soon_worked_off_is_not_worth_a_line(clock: Clock, said: Said) -> None:
    works_off(CatchingUp(clock), clock, 10, 140_000, 20_000)
    works_off(CatchingUp(clock), clock, 20, 9_000, 100)
    assert said() == []


def test_a_lag_that_does_not_become_less_is_told_as_such(clock: Clock, said: Said) -> None:
    catching_up = CatchingUp(clock)
    paces: dict[int, Pace] = {}
    for second in range(6):
        paces = catching_up.report({3: (1000 * second, 50_000 + 500 * second)})
        clock.now_s += 1
    assert paces[3].left_s == inf
    assert said() == ["behind: 52,500 records wait, 1,000/s taken, 1,500/s come, grows"]


def test_partitions_that_go_to_another_worker_have_not_caught_up(clock: Clock, said: Said) -> None:
    catching_up = CatchingUp(clock)
    works_off(catching_up, clock, 6, 1_240_000, 31_000)
    assert len(said()) == 1
    assert catching_up.report({}) == {}
    clock.now_s += 1
    # And where they come again they are seen anew.
    assert catching_up.report({0: (5, 0)}) == {}
    clock.now_s += 1
    assert catching_up.report({0: (6, 0)})[0].left_s == 0
    assert len(said()) == 1
