"""Random definitions in the spelling of definition files, from pools so small that conditions share what they read."""

from typing import Any

from hypothesis import strategies as st

from tests.properties.times import durations, moment_texts

Mapping = dict[str, Any]

NAMES = ("A", "B", "C", "page", "screen")
PROPERTY_PATHS = ("p", "q", "o.x", "items.k", "o", "name", "context.d.t", "context.c")
TRAITS = ("t", "u", "o.x", "tags")

numbers = st.sampled_from((-1, 0, 1, 1.0, 1.5, 2, 3))
texts = st.sampled_from(("a", "b", "ab", "A", "1", ""))
scalars = st.one_of(numbers, texts, st.booleans())
PATTERNS = ("a", "^a", "b$", "^(a|b)$", "[0-9]", "(?i)^A")


def _joined(strategies: list[st.SearchStrategy[Mapping]]) -> st.SearchStrategy[Mapping]:
    """One or two of these mappings in one."""
    one = st.one_of(strategies)
    return st.one_of(one, one, st.tuples(one, one).map(lambda pair: {**pair[0], **pair[1]}))


STILL_TESTS: list[st.SearchStrategy[Mapping]] = [
    st.builds(lambda value: {"is": value}, scalars),
    st.builds(lambda value: {"is_not": value}, scalars),
    st.builds(lambda values: {"in": values}, st.lists(scalars, min_size=1, max_size=3)),
    st.builds(lambda values: {"not_in": values}, st.lists(scalars, min_size=1, max_size=3)),
    st.builds(
        lambda name, bound: {name: bound},
        st.sampled_from(("at_least", "at_most", "more_than", "less_than")),
        st.one_of(numbers, moment_texts),
    ),
    st.builds(
        lambda name, text: {name: text},
        st.sampled_from(("contains", "starts_with", "ends_with")),
        st.sampled_from(("a", "b", "ab", "A", "1")),
    ),
    st.builds(lambda pattern: {"matches": pattern}, st.sampled_from(PATTERNS)),
    st.builds(lambda wanted: {"exists": wanted}, st.booleans()),
]
RELATIVE_TESTS: list[st.SearchStrategy[Mapping]] = [
    st.builds(
        lambda name, duration: {name: duration},
        st.sampled_from(("within_last", "within_next", "older_than")),
        durations,
    )
]
still_tests = _joined(STILL_TESTS)
value_tests = st.one_of(_joined(STILL_TESTS), _joined(RELATIVE_TESTS), _joined(STILL_TESTS + RELATIVE_TESTS))

names = st.one_of(
    st.sampled_from((*NAMES, "A", "A", "B", "*")),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
)
wheres = st.one_of(
    st.just({}),
    st.just({}),
    st.just({}),
    st.builds(
        lambda where: {"where": where},
        st.dictionaries(
            st.sampled_from(PROPERTY_PATHS), st.one_of(scalars, still_tests), min_size=1, max_size=2
        ),
    ),
)
fixed_times = st.one_of(
    st.just({}),
    st.builds(lambda moment: {"since": moment}, moment_texts),
    st.builds(
        lambda pair: {"between": sorted(pair)}, st.lists(moment_texts, min_size=2, max_size=2, unique=True)
    ),
)
windows = st.builds(lambda duration: {"within": duration}, durations)
times = st.one_of(windows, windows, fixed_times)


@st.composite
def count_tests(draw: st.DrawFn) -> Mapping:
    low = draw(st.integers(0, 3))
    return draw(
        st.sampled_from(
            (
                {},
                {"at_least": low + 1},
                {"more_than": low},
                {"more_than": low + 0.5},
                {"at_most": low},
                {"less_than": low + 1},
                {"exactly": low},
                {"at_least": low, "at_most": low + 1},
                {"more_than": low, "less_than": low + 3},
            )
        )
    )


def _merged(*parts: Mapping) -> Mapping:
    return {key: value for part in parts for key, value in part.items()}


counted = st.builds(_merged, st.builds(lambda n: {"did": n}, names), times, wheres, count_tests())
amounts = st.builds(
    lambda kind, path, bound, test: {kind: path, test: bound},
    st.sampled_from(("sum", "sum", "average", "minimum", "maximum")),
    st.sampled_from(PROPERTY_PATHS),
    st.sampled_from((-1, 0, 0.5, 1, 1.5, 2, 3, 5.000001)),
    st.sampled_from(("at_least", "at_most", "more_than", "less_than", "exactly")),
)
key_counts = st.builds(
    _merged,
    st.one_of(
        st.builds(lambda path: {"distinct": path}, st.sampled_from(PROPERTY_PATHS)),
        st.sampled_from(({"days": True}, {"days": "Asia/Kathmandu"})),
    ),
    count_tests(),
)
measured = st.builds(
    _merged, st.builds(lambda n: {"did": n}, names), times, wheres, st.one_of(amounts, amounts, key_counts)
)
uncounted = st.builds(_merged, st.builds(lambda n: {"did_not": n}, names), times, wheres)
valued = st.one_of(
    st.builds(_merged, st.builds(lambda n: {"latest": n}, names), times, wheres),
    st.builds(_merged, st.builds(lambda n: {"first": n}, names), fixed_times, wheres),
)
picked = st.builds(
    lambda event, path, tests: {**event, "property": path, **tests},
    valued,
    st.sampled_from(PROPERTY_PATHS),
    value_tests,
)
traited = st.builds(lambda path, tests: {"trait": path, **tests}, st.sampled_from(TRAITS), value_tests)
known = st.builds(lambda duration: {"known_for": duration}, durations)
sampled = st.builds(
    lambda percent, seed: {"sample": percent, **seed},
    st.sampled_from((10, 33.33, 50, 99.99)),
    st.sampled_from(({}, {"seed": "s"})),
)
plain_leaves = st.one_of(
    counted, counted, counted, measured, measured, uncounted, picked, picked, traited, traited, known, sampled
)


few_names = st.one_of(st.sampled_from(("A", "A", "B", "*")), st.just(["A", "B"]))
few_wheres: st.SearchStrategy[Mapping] = st.one_of(st.just({}), st.just({}), st.just({}), wheres)
steps = st.builds(_merged, st.builds(lambda n: {"did": n}, few_names), few_wheres)
gaps = st.one_of(st.just({}), windows, windows)
delays = st.one_of(windows, windows, windows, st.just({"within": "0s"}))
step_gaps: st.SearchStrategy[Mapping] = st.one_of(st.just({}), delays, delays)


@st.composite
def _sequences(draw: st.DrawFn) -> Mapping:
    later = draw(st.lists(st.builds(_merged, steps, step_gaps), max_size=2))
    sequence: Mapping = {"steps": [draw(steps), *later]}
    if not later or draw(st.booleans()):
        sequence["then_not"] = {**draw(steps), **draw(delays)}
    if draw(st.integers(0, 2)) == 0:
        sequence["by"] = draw(st.sampled_from(PROPERTY_PATHS))
    return {"sequence": {**sequence, **draw(gaps)}}


sequences = _sequences()
points = st.sampled_from((-2, -1, 0.1, 0.5, 1, 1, 2, 3, 5))
eaches = st.builds(_merged, st.builds(lambda n: {"did": n}, few_names), times, few_wheres)
limits = st.one_of(st.just({}), st.sampled_from(({"max": 1}, {"max": 2.5}, {"max": 4})))
parts = st.one_of(
    st.builds(lambda number, each: {"points": number, "each": each}, points, eaches),
    st.builds(
        lambda number, each, limit: {"points": number, "each": each, **limit},
        st.sampled_from((0.5, 1, 2, 3)),
        eaches,
        limits,
    ),
    st.builds(lambda number, condition: {"points": number, "when": condition}, points, plain_leaves),
)
scores = st.builds(
    lambda tested, of: {"score": {**tested, "of": of}},
    st.one_of(
        st.builds(
            lambda test, bound: {test: bound},
            st.sampled_from(("at_least", "at_least", "at_most", "more_than", "less_than", "exactly")),
            st.sampled_from((-1, 0, 0.5, 1, 2, 3, 4, 5)),
        ),
        st.sampled_from(({"at_least": 1, "less_than": 3}, {"more_than": 0, "at_most": 2})),
    ),
    st.lists(parts, min_size=1, max_size=3),
)
# Of a choice of choices hypothesis makes one flat choice, in which sequences would be rare.
leaves = st.integers(0, 6).flatmap(
    lambda chosen: sequences if chosen == 0 else scores if chosen == 1 else plain_leaves
)


def composed_of(inner: st.SearchStrategy[Mapping]) -> st.SearchStrategy[Mapping]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(
            lambda kind, conditions: {kind: conditions},
            st.sampled_from(("all", "all", "any", "none")),
            several,
        ),
        st.builds(lambda condition: {"not": condition}, inner),
        several.flatmap(
            lambda conditions: st.integers(1, len(conditions)).map(
                lambda least: {"at_least": least, "of": conditions}
            )
        ),
    )


conditions = st.recursive(leaves, composed_of, max_leaves=5)
segments = st.lists(conditions, min_size=1, max_size=4).map(
    lambda found: [{"key": f"s{number}", "when": condition} for number, condition in enumerate(found)]
)
"""The list under `segments:` of a definition file."""
