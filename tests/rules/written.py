"""Random sound conditions, as plain data."""

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["A", "Order Completed", "é", "page"])
PATHS = st.sampled_from(["a", "a.b", "context.app", "x y"])
SCALARS = st.one_of(
    st.booleans(), st.integers(-3, 3), st.floats(-3, 3), st.sampled_from(["", "x", "1", "true", "a\nb"])
)
DURATIONS = st.sampled_from(["1ms", "90m", "7d", "168h", "1w"])
MOMENTS = st.sampled_from(["2026-01-05", "2026-01-05T10:00:00.5Z", "2026-01-05 12:00+02"])

EVENTS = st.one_of(NAMES, st.just("*"), st.lists(NAMES, min_size=1, max_size=3))
PLAIN_TESTS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"is": SCALARS}),
    st.fixed_dictionaries({"in": st.lists(SCALARS, min_size=1, max_size=3)}),
    st.fixed_dictionaries(
        {"is_not": SCALARS}, optional={"not_in": st.lists(SCALARS, min_size=1, max_size=3)}
    ),
    st.fixed_dictionaries({"at_least": st.integers(-3, 3)}, optional={"less_than": st.integers(4, 6)}),
    st.fixed_dictionaries({"more_than": MOMENTS}),
    st.fixed_dictionaries(
        {"contains": st.text(max_size=3)}, optional={"matches": st.just("^a|b$"), "ends_with": st.just("z")}
    ),
    st.fixed_dictionaries({"exists": st.booleans()}),
)
TESTS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    PLAIN_TESTS,
    st.fixed_dictionaries({"within_last": DURATIONS}),
    st.fixed_dictionaries({"older_than": DURATIONS}, optional={"starts_with": st.just("2")}),
)
WHERE = st.dictionaries(PATHS, st.one_of(SCALARS, PLAIN_TESTS), max_size=3)
FIXED_TIMES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}), st.fixed_dictionaries({"since": MOMENTS}), st.just({"between": ["2026-01-05", "2026-01-06"]})
)
TIMES = st.one_of(FIXED_TIMES, st.fixed_dictionaries({"within": DURATIONS}))
COUNTS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"at_least": st.integers(1, 5)}, optional={"at_most": st.integers(5, 9)}),
    st.fixed_dictionaries({"exactly": st.integers(0, 3)}),
    st.fixed_dictionaries({"less_than": st.floats(0.5, 9)}),
)


def _joined(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


LEAVES = st.one_of(
    _joined(st.fixed_dictionaries({"did": EVENTS}, optional={"where": WHERE}), TIMES, COUNTS),
    _joined(st.fixed_dictionaries({"did_not": EVENTS}, optional={"where": WHERE}), TIMES),
    _joined(
        st.fixed_dictionaries({"latest": EVENTS, "property": PATHS}, optional={"where": WHERE}), TIMES, TESTS
    ),
    _joined(
        st.fixed_dictionaries({"first": EVENTS, "property": PATHS}, optional={"where": WHERE}),
        FIXED_TIMES,
        TESTS,
    ),
    _joined(st.fixed_dictionaries({"trait": PATHS}), TESTS),
    st.fixed_dictionaries({"known_for": DURATIONS}),
    st.fixed_dictionaries(
        {"sample": st.sampled_from([1, 0.01, 99.99])}, optional={"seed": st.text(max_size=3)}
    ),
)


def _groups(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({"all": some}),
        st.fixed_dictionaries({"any": some}),
        st.fixed_dictionaries({"none": some}),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"at_least": st.just(1), "of": some}),
    )


CONDITIONS: st.SearchStrategy[dict[str, Any]] = st.recursive(LEAVES, _groups, max_leaves=6)
