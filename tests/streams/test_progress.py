"""When a worker is live and ready, as data."""

import pytest

from streams.progress import Progress, Standing


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock) -> Progress:
    return Progress(60, clock)


def test_lag_without_progress_is_not_live_after_a_minute(clock: Clock, progress: Progress) -> None:
    for _ in range(60):
        progress.report({0: Standing(10, 5), 1: Standing(7, 0)})
        assert progress.live().ok
        clock.now += 1
    progress.report({0: Standing(10, 5, "Redis is away"), 1: Standing(7, 0)})
    report = progress.live()
    assert not report.ok
    assert report.body == {
        "ok": False,
        "problems": [{"partition": 0, "why": "no progress for 60 s, 5 records wait: Redis is away"}],
        "partitions": [
            {"partition": 0, "position": 10, "lag": 5, "seconds_without_progress": 60.0},
            {"partition": 1, "position": 7, "lag": 0, "seconds_without_progress": 0.0},
        ],
    }


def test_every_step_forward_counts_however_large_the_lag(clock: Clock, progress: Progress) -> None:
    for position in range(5):
        progress.report({0: Standing(position, 1_000_000)})
        assert progress.live().ok
        clock.now += 59


def test_the_minute_begins_when_records_begin_to_wait(clock: Clock, progress: Progress) -> None:
    progress.report({0: Standing(10, 0)})
    clock.now += 59
    progress.report({0: Standing(10, 0)})
    clock.now += 59
    progress.report({0: Standing(10, 3)})
    assert progress.live().ok
    clock.now += 58
    progress.report({0: Standing(10, 4)})
    assert progress.live().ok
    clock.now += 2
    progress.report({0: Standing(10, 5)})
    assert not progress.live().ok
    progress.report({0: Standing(11, 5)})
    assert progress.live().ok


def test_no_restart_is_asked_for_where_state_is_lost(clock: Clock, progress: Progress) -> None:
    lost = Standing(10, 5, "Redis holds no state of it", "state_lost")
    progress.report({0: lost})
    clock.now += 100
    progress.report({0: lost})
    assert progress.live().ok
    assert not progress.ready().ok


def test_a_partition_that_goes_and_comes_begins_anew(clock: Clock, progress: Progress) -> None:
    progress.report({0: Standing(10, 5)})
    clock.now += 50
    progress.report(None)
    clock.now += 50
    progress.report({0: Standing(10, 5)})
    assert progress.live().ok


def test_an_event_loop_that_does_not_report_is_not_live(clock: Clock, progress: Progress) -> None:
    progress.report({0: Standing(10, 0)})
    clock.now += 59
    assert progress.live().ok
    clock.now += 1
    assert progress.live().body["problems"] == [{"why": "the event loop has not reported for 60 s"}]


def test_is_ready_once_the_group_has_assigned_whatever_it_was(progress: Progress) -> None:
    assert not progress.ready().ok
    progress.report(None)
    assert not progress.ready().ok
    progress.report({})
    assert progress.ready().ok
    progress.report({0: Standing(0, 100)})
    assert progress.ready().ok


def test_is_not_ready_while_a_partition_stands_still_or_a_system_is_away(progress: Progress) -> None:
    progress.report({0: Standing(0, 0), 1: Standing(0, 0, "a bug")})
    progress.not_reached("redis", "connection refused")
    assert progress.ready().body["problems"] == [
        {"system": "redis", "why": "connection refused"},
        {"partition": 1, "why": "a bug"},
    ]
    assert progress.live().ok
    progress.reached("redis")
    progress.report({0: Standing(0, 0), 1: Standing(1, 0)})
    assert progress.ready().ok
