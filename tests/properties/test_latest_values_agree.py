"""Values that stay the same, or only look the same: the engine leaves out judging that cannot change a verdict."""

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.properties import engine
from tests.properties.times import ORIGIN_MS, iso
from tests.reference import judge

TESTS: tuple[dict[str, Any], ...] = ({"is": "x"}, {"is_not": "x"}, {"is": 1}, {"is": True})
# "q" is always the same as "p". What is asked of one of them within a window is told from what is asked of it at all.
CONDITIONS: list[dict[str, Any]] = [
    {order: name, "property": "p", **tests}
    for order, name, tests in product(("latest", "first"), "A*", TESTS)
]
CONDITIONS += [
    {"latest": name, "property": "q", "within": window, **tests}
    for name, window, tests in product("A*", ("2ms", "7ms"), TESTS[:2])
]
CONDITIONS += [
    {"all": [CONDITIONS[0], {"did": "B", "within": "4ms"}]},
    {"any": [CONDITIONS[2], {"not": {"did": "B", "within": "4ms"}}]},
    {"all": [CONDITIONS[0], CONDITIONS[-1]]},
    {"latest": "A", "property": "p", "older_than": "5ms"},
]
SEGMENTS = [{"key": f"s{number}", "when": condition} for number, condition in enumerate(CONDITIONS)]

values = st.sampled_from(("x", "x", "x", "y", 1, 1.0, True, None, ["x"], ["x", "y"], "1970-01-01"))
steps = st.tuples(st.sampled_from("AAB"), values, st.sampled_from((0, 0, 0, 1, 6)), st.integers(0, 12))


@given(st.lists(steps, min_size=2, max_size=12))
def test_of_values_that_come_again_every_transition_is_that_of_a_rescan(
    steps: list[tuple[str, Any, int, int]],
) -> None:
    assert engine.accepted(SEGMENTS) == SEGMENTS
    now_ms, records = ORIGIN_MS, []
    for name, value, late_ms, pause_ms in steps:
        now_ms += pause_ms
        records.append(
            {
                "type": "track",
                "event": name,
                "userId": "u",
                "receivedAt": iso(now_ms),
                "timestamp": iso(now_ms - late_ms),
                "properties": {"p": value, "q": value},
            }
        )
    until_ms = now_ms + 20
    assert engine.replayed(SEGMENTS, records, until_ms) == judge(SEGMENTS, records, until_ms)
