"""Single values and single records, far wider than what histories are made of."""

from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.properties import definitions, engine
from tests.properties.times import ORIGIN_MS, durations, iso
from tests.reference import judge

DIGITS = "0123456789"

# Real numbers and near misses of all that is told apart by a number's size or type.
numbers = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-(10**13), 10**13),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-1e12, 1e12),
    st.sampled_from((0, -0.0, 1e11, 1e11 - 1, 99_999_999_999.999, 253_402_300_799, 253_402_300_800, 1e18)),
)
iso_texts = st.builds(
    lambda date, gap, time, digits, zone: f"{date}{gap}{time}{digits}{zone}",
    st.dates().map(str),
    st.sampled_from(("T", " ", "", "t")),
    st.one_of(
        st.times().map(lambda time: time.strftime("%H:%M:%S")),
        st.sampled_from(("10:00", "24:00", "", "23:59:60")),
    ),
    st.one_of(st.just(""), st.text(DIGITS, max_size=9).map(lambda digits: f".{digits}")),
    st.sampled_from(("", "Z", "+02:00", "-0530", "+14", "z", "+2", "-24:00", "+23:59", "+01:60")),
)
json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        numbers,
        iso_texts,
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        st.sampled_from(
            (
                "",
                "0001-01-01T00:00:00+00:01",
                "9999-12-31T23:59:59.999-00:01",
                "\uff11\uff19\uff19\uff19-01-01",
            )
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(("x", "o.x", "")), inner, max_size=2)
    ),
    max_leaves=4,
)
tests_of_values = st.one_of(
    definitions.value_tests,
    st.builds(
        lambda name, bound: {name: bound},
        st.sampled_from(("is", "is_not", "at_least", "at_most", "more_than", "less_than")),
        st.one_of(numbers, st.dates().map(str)),
    ),
    st.builds(
        lambda name, duration: {name: duration},
        st.sampled_from(("within_last", "within_next", "older_than")),
        durations,
    ),
)


@given(
    st.sampled_from(("t", "t.x", "o.x")),
    tests_of_values,
    st.dictionaries(st.sampled_from(("t", "o.x", "o")), json_values),
)
def test_a_value_passes_the_same_tests(path: str, tests: dict[str, Any], traits: dict[str, Any]) -> None:
    segments = engine.accepted(
        [
            {"key": "trait", "when": {"trait": path, **tests}},
            {"key": "where", "when": {"did": "A", "where": {path: tests}}},
            {"key": "latest", "when": {"latest": "A", "property": path, **tests}},
        ]
    )
    assume(segments)
    records = [
        {"type": "identify", "userId": "u", "receivedAt": iso(ORIGIN_MS), "traits": traits},
        {"type": "track", "event": "A", "userId": "u", "receivedAt": iso(ORIGIN_MS), "properties": traits},
    ]
    assert engine.replayed(segments, records, ORIGIN_MS + 2_000) == judge(
        segments, records, ORIGIN_MS + 2_000
    )


FIELDS = (
    "type",
    "userId",
    "anonymousId",
    "event",
    "messageId",
    "timestamp",
    "receivedAt",
    "properties",
    "traits",
    "context",
)
fields = st.one_of(
    json_values,
    st.sampled_from(("track", "page", "identify", "group", "anonymous:x", "x" * 256, "x" * 257, 7, 7.0)),
    st.integers(-1, 300_002).map(lambda ahead: iso(ORIGIN_MS + ahead)),
    st.integers(299_998, 300_002).map(lambda ahead: iso(ORIGIN_MS + ahead)),
)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), fields, max_size=3), min_size=1, max_size=3))
@example([{"userId": True}, {"userId": 2**64}, {"userId": -(2**63) - 1}])
def test_a_record_is_taken_or_has_the_same_reason(changes: list[dict[str, Any]]) -> None:
    usual = {
        "type": "track",
        "userId": "u",
        "event": "A",
        "receivedAt": iso(ORIGIN_MS),
        "properties": {"p": 1},
    }
    records = [{**usual, **change} for change in changes]
    segments = [
        {"key": "any", "when": {"did": "*"}},
        {"key": "named", "when": {"did": ["A", "page"], "where": {"p": 1}, "at_least": 2}},
        {"key": "recent", "when": {"did": "A", "within": "5ms"}},
    ]
    # Far enough for all that is received about now, and not for years of wakes.
    until_ms = ORIGIN_MS + 1_000_000
    assert engine.replayed(segments, records, until_ms) == judge(segments, records, until_ms)
