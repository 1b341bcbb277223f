"""How fast, and how long: the arithmetic."""

from math import inf

import pytest

from streams.pace import Pace, Sight, Track, in_all, left, spelled


def test_what_comes_is_what_was_taken_and_by_how_much_more_waits() -> None:
    pace = Pace.between(Sight(100, 5_000, 40_000), Sight(102, 15_000, 34_000))
    assert pace == Pace(34_000, 5000, 2000)
    assert pace.left_s == pytest.approx(34_000 / 3000)


def test_the_time_left_counts_what_keeps_coming() -> None:
    assert Pace(1_234_000, 31_000, 0).left_s == pytest.approx(39.8, abs=0.1)
    assert Pace(1_234_000, 31_000, 15_500).left_s == pytest.approx(79.6, abs=0.1)


@pytest.mark.parametrize(
    ("pace", "left_s", "said"),
    [
        (Pace(0, 0, 0), 0, "caught up"),
        (Pace(0, 500, 500), 0, "caught up"),
        (Pace(5000, 0, 0), inf, "stands still"),
        (Pace(5000, 0, 10), inf, "stands still"),
        (Pace(5000, 100, 110), inf, "grows"),
        (Pace(5000, 100, 100), inf, "stays"),
        # On its way: less than two seconds' work, whatever comes.
        (Pace(200, 1000, 1000), 0.2, "0.2 s left"),
        (Pace(2000, 1000, 1100), 2, "2.0 s left"),
        (Pace(2001, 1000, 1100), inf, "grows"),
        (Pace(60_000, 1000, 500), 120, "2 min left"),
        (Pace(60_000, 1000, 200), 75, "75 s left"),
        (Pace(10_000_000, 1000, 0), 10_000, "3 h left"),
        (Pace(1_000_000_000, 1000, 0), 1_000_000, "12 d left"),
    ],
)
def test_how_long_and_how_it_is_said(pace: Pace, left_s: float, said: str) -> None:
    assert pace.left_s == pytest.approx(left_s)
    assert left(pace) == said


def test_a_pace_is_one_line() -> None:
    assert (
        spelled(Pace(1_234_000, 31_000, 1_150))
        == "1,234,000 records wait, 31,000/s taken, 1,150/s come, 41 s left"
    )
    assert spelled(Pace(1, 0, 0)) == "1 record waits, 0/s taken, 0/s come, stands still"
    assert spelled(Pace(0, 0, 0)) == "no records wait, 0/s taken, 0/s come, caught up"


def test_partitions_together_are_summed_up() -> None:
    assert in_all([Pace(10, 1, 2), Pace(20, 3, 4)]) == Pace(30, 4, 6)
    assert in_all([]) == Pace(0, 0, 0)


def test_a_track_forgets_what_is_older_than_its_window() -> None:
    track = Track(10)
    assert track.saw(Sight(0, 0, 1_000_000)) is None
    for second in range(1, 11):
        pace = track.saw(Sight(second, 1000 * second, 1_000_000 - 1000 * second))
        assert pace is not None
        assert pace.taken_per_s == pytest.approx(1000)
    pace = None
    for second in range(11, 21):
        pace = track.saw(Sight(second, 10_000 + 3000 * (second - 10), 500_000))
    assert pace is not None
    assert pace.taken_per_s == pytest.approx(3000)


def test_looks_farther_apart_than_the_window_still_give_a_pace() -> None:
    track = Track(10)
    track.saw(Sight(0, 0, 100))
    track.saw(Sight(60, 60, 100))
    pace = track.saw(Sight(120, 180, 100))
    assert pace is not None
    assert pace.taken_per_s == pytest.approx(2)


def test_a_state_that_was_put_back_begins_a_new_track() -> None:
    track = Track(10)
    track.saw(Sight(0, 5000, 0))
    assert track.saw(Sight(1, 2000, 3000)) is None
    assert track.saw(Sight(2, 2500, 2500)) == Pace(2500, 500, 0)


def test_two_looks_at_one_moment_give_no_pace() -> None:
    track = Track(10)
    track.saw(Sight(1, 5, 5))
    assert track.saw(Sight(1, 6, 4)) is None
