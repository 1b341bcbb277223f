"""Who does what an explanation asks for gets what it says, and a little less is not enough."""

import copy
import json
import re
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from rules.durations import DAY_MS, HOUR_MS, parse_moment
from rules.explanation import views
from streams.replay import Replay
from streams.wire import Rejected, decode_line
from tests.properties import engine

START_MS = parse_moment("2026-01-05T10:00:00Z")
WINDOWS = ("2h", "10h", "1d", "3d")
MORE = re.compile(
    r"(?P<open>more than )?(?P<number>[\d.]+) (?:more )?(?P<of>different p of |p of )?A"
    r"(?: within (?P<within>\w+)| before (?P<before>.* UTC))?"
)
UNTIL = re.compile(r"no A until (.* UTC)")

tests = st.tuples(st.sampled_from(["at_least", "at_most", "exactly"]), st.integers(1, 3)).map(
    lambda test: {test[0]: test[1]}
)
measures = st.one_of(
    tests,
    tests.map(lambda test: {"distinct": "p", **test}),
    st.sampled_from(["at_least", "more_than", "at_most", "less_than"]).map(lambda key: {"sum": "p", key: 4}),
)
windows: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just({}), st.sampled_from(WINDOWS).map(lambda window: {"within": window})
)
leaves = st.builds(lambda window, measure: {"did": "A", **window, **measure}, windows, measures)
conditions = st.one_of(leaves, leaves.map(lambda leaf: {"not": leaf}))
happened = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 3)), max_size=5)


def take(replay: Replay, at_ms: int, name: str = "A", **properties: Any) -> None:
    record = {"type": "track", "event": name, "userId": "u", "timestamp": at_ms, "properties": properties}
    event = decode_line(json.dumps(record).encode(), max_future_skew_ms=0)
    assert not isinstance(event, Rejected)
    replay.take(event)


def is_member(replay: Replay) -> bool:
    return any(each.is_member for each in replay.contacts["u"].memberships.values())


def moment(spoken: str) -> int:
    return parse_moment(re.sub(r"\w+ (\S+) (\S+) UTC", r"\1T\2Z", spoken))


def done(replay: Replay, at_ms: int, of: str | None, number: float) -> bool:
    """The membership after that many events, different values, or so large a sum."""
    replay = copy.deepcopy(replay)
    for count in range(1 if of == "p of " else int(number)):
        take(replay, at_ms, p=number if of == "p of " else 100 + count)
    replay.finish(at_ms)
    return is_member(replay)


@given(conditions, happened, st.integers(0, 30))
def test_doing_what_is_missing_is_enough_and_less_is_not(
    when: dict[str, Any], events: list[tuple[int, int]], hours: int
) -> None:
    segment = {"key": "s", "when": when}
    assume(engine.accepted([segment]))
    replay = Replay(engine.catalog_of([segment]))
    take(replay, START_MS, "Other")
    for half_hours, value in sorted(events):
        take(replay, START_MS + half_hours * HOUR_MS // 2, p=value)
    now_ms = START_MS + 6 * HOUR_MS + hours * HOUR_MS
    replay.finish(now_ms)
    [view] = views(replay.catalog, replay.contacts["u"], now_ms, ["s"])
    assert view.needs is not None
    for part in view.needs.split(" or "):
        if until := UNTIL.fullmatch(part):
            later = copy.deepcopy(replay)
            later.finish(moment(until[1]) - 1)
            assert is_member(later) is view.member
            later.finish(moment(until[1]))
            assert is_member(later) is not view.member
        elif more := MORE.fullmatch(part):
            number, of = float(more["number"]), more["of"]
            at_ms = moment(more["before"]) - 1 if more["before"] else now_ms + 1
            moments = [at_ms] if more["before"] or more["within"] else [at_ms, now_ms + 9 * DAY_MS]
            for moment_ms in moments:
                assert done(replay, moment_ms, of, number + bool(more["open"]) / 1000) is not view.member
                less = number - 0.001 if of == "p of " and not more["open"] else number - (of != "p of ")
                if view.changes_ms is None or view.changes_ms > moment_ms:
                    assert done(replay, moment_ms, of, less) is view.member
