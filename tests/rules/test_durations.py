"""Durations and moments are read exactly as the contract has them, and nothing else is."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.durations import (
    DAY_MS,
    FIRST_MS,
    LAST_MS,
    _parse_any_moment,
    format_duration,
    format_moment,
    moment_of_number,
    parse_duration,
    parse_moment,
)

ANY_MOMENT = st.integers(FIRST_MS, LAST_MS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05", "2026-01-05T00:00:00.000Z"),
        ("2026-01-05 10:00", "2026-01-05T10:00:00.000Z"),
        ("2026-01-05T10:00Z", "2026-01-05T10:00:00.000Z"),
        ("2026-01-05T10:00:01", "2026-01-05T10:00:01.000Z"),
        ("2026-01-05T10:00:01.5", "2026-01-05T10:00:01.500Z"),
        ("2026-01-05T10:00:01.123456Z", "2026-01-05T10:00:01.123Z"),
        ("2026-01-05T10:00:01.9999999999+00:00", "2026-01-05T10:00:01.999Z"),
        ("2026-01-05T10:00:00+02", "2026-01-05T08:00:00.000Z"),
        ("2026-01-05T10:00:00+0230", "2026-01-05T07:30:00.000Z"),
        ("2026-01-05 10:00-02:30", "2026-01-05T12:30:00.000Z"),
        ("2026-01-05T10:00:00.123-00:00", "2026-01-05T10:00:00.123Z"),
        ("2024-02-29", "2024-02-29T00:00:00.000Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000Z"),
        ("0000-12-31T23:30-01:00", "0001-01-01T00:30:00.000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_moment_is_read_to_the_millisecond(text: str, expected: str) -> None:
    assert format_moment(parse_moment(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "2026", "2026-01", "20260105", "2026-1-5", "2026-W01-1", "2026-005", "2026-02-29", "2026-13-01", "0000-01-01",
        "2026-01-05Z", "2026-01-05+02:00", "2026-01-05T", "2026-01-05T10", "2026-01-05t10:00", "2026-01-05T10:00z",
        "2026-01-05T24:00", "2026-01-05T10:60", "2026-01-05T10:00:60Z", "2026-01-05T10:00:00.", "2026-01-05T10:00:00,5",
        "2026-01-05T10:00:00.Z", "2026-01-05  10:00", "2026-01-05T10:00 Z", "2026-01-05T10:00:00+2", "2026-01-05T10:00:00+24:00",
        "2026-01-05T10:00:00+02:60", "2026-01-05T10:00:00+02:0", " 2026-01-05", "2026-01-05 ", "2026-01-05\n",
        "2026-01-05T10:00:00Z\n", "\u0662026-01-05", "2026-01-05T10:00:0\u0660Z", "+2026-01-05", "-2026-01-05", "12026-01-05",
        "0001-01-01T00:00+00:01", "9999-12-31T23:59-00:01", "2026-01-05T1:00:00.000Z", "2026-01-05T10:00:00.+0Z",
    ],
)  # fmt: skip
def test_what_the_grammar_has_not_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match="is no moment"):
        parse_moment(text)


@given(ANY_MOMENT)
def test_a_moment_written_is_read_back(moment_ms: int) -> None:
    assert parse_moment(format_moment(moment_ms)) == moment_ms


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),  # noqa: DTZ001 - the zone is added below
    st.sampled_from("T "),
    st.integers(0, 9),
    st.one_of(st.sampled_from(["", "Z"]), st.tuples(st.integers(-1439, 1439), st.sampled_from(["", ":"]))),
)
def test_every_form_says_what_the_calendar_says(
    when: datetime, mark: str, digits: int, zone: str | tuple[int, str]
) -> None:
    fraction = f".{when.microsecond:06}000"[: digits + 1] if digits else ""
    offset = 0 if isinstance(zone, str) else zone[0]
    if not isinstance(zone, str):
        hours, minutes = divmod(abs(offset), 60)
        zone = f"{'-' if offset < 0 else '+'}{hours:02}{zone[1]}{minutes:02}"
    cut = when.microsecond // 10 ** max(6 - digits, 0) * 10 ** max(6 - digits, 0) // 1000 * 1000
    expected = when.replace(microsecond=cut, tzinfo=UTC) - timedelta(minutes=offset)
    text = f"{when.year:04}-{when:%m-%d}{mark}{when:%H:%M:%S}{fraction}{zone}"
    assert parse_moment(text) == (expected - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def test_every_second_of_an_hour_is_written_and_read() -> None:
    start = datetime(2024, 2, 29, 23, tzinfo=UTC)
    for second in range(3600):
        when = start + timedelta(seconds=second)
        text = f"{when:%Y-%m-%dT%H:%M:%S}.007Z"
        moment_ms = (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) + 7
        assert parse_moment(text) == moment_ms
        assert format_moment(moment_ms) == text


def by_the_pattern(text: str) -> int | None:
    try:
        return _parse_any_moment(text)
    except ValueError:
        return None


@given(
    st.one_of(
        ANY_MOMENT.map(format_moment),
        st.sampled_from(
            ["0001-01-01T00:00:00.000Z", "2026-01-05T23:59:59", "2026-01-05 10:00:00.123456+00:00"]
        ),
    ),
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from("0123456789 TZtz:-+.,W_\n\u0662"), st.integers(0, 1)),
        max_size=2,
    ),
)
def test_the_tables_say_what_the_pattern_says(text: str, changes: list[tuple[int, str, int]]) -> None:
    for at, character, cut in changes:
        text = text[:at] + character + text[at + cut :]
    expected = by_the_pattern(text)
    try:
        assert parse_moment(text) == expected
    except ValueError:
        assert expected is None


GRAMMAR = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?"
)


@given(
    st.sampled_from(["2026-01-05T10:00:00.123Z", "2026-01-05T10:00:00.123456+00:00", "2026-01-05 10:00"]),
    st.data(),
)
def test_one_wrong_character_never_slips_through(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    character = data.draw(st.sampled_from("0123456789 TZtz:-+.,W_\n\u0662"))
    cut = data.draw(st.integers(0, 1))
    changed = text[:at] + character + text[at + cut :]
    try:
        parse_moment(changed)
    except ValueError:
        return
    assert GRAMMAR.fullmatch(changed)


@pytest.mark.parametrize(
    ("number", "expected_ms"),
    [
        (0, 0),
        (1767571200, 1767571200_000),
        (1767571200.123, 1767571200_123),
        (1767571200123, 1767571200_123),
        (1767571200123.9, 1767571200_123),
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
        (-1.0005, -1000),
        (-100_000_000_000, -100_000_000_000),
        ("1.7675712e9", 1767571200_000),
        ("1767571200.12399999999999999999999999999999999999", 1767571200_123),
        ("99999999999.999999999999999999999999999", 99_999_999_999_999),
        ("1e-99999999999999999999", 0),
    ],
)
def test_a_number_is_seconds_or_milliseconds_by_its_size(number: float | str, expected_ms: int) -> None:
    assert moment_of_number(number) == expected_ms


@pytest.mark.parametrize(
    "number",
    [
        1e300,
        -1e300,
        10**400,
        float("nan"),
        float("inf"),
        True,
        -62_135_596_801,
        253_402_300_800_000,
        "1e999999",
        "x",
        "1_0",
        "0x1",
    ],
)
def test_a_number_beyond_the_calendar_is_no_moment(number: float | str) -> None:
    with pytest.raises(ValueError, match="is no moment"):
        moment_of_number(number)


@pytest.mark.parametrize(
    ("text", "duration_ms", "shown"),
    [("500ms", 500, "500ms"), ("90s", 90_000, "90s"), ("90m", 5_400_000, "90m"), ("24h", DAY_MS, "1d"), ("30d", 30 * DAY_MS, "30d"),
     ("2w", 14 * DAY_MS, "14d"), ("0d", 0, "0s"), ("1500ms", 1500, "1500ms"), ("007d", 7 * DAY_MS, "7d")],
)  # fmt: skip
def test_a_duration_is_a_whole_number_and_a_unit(text: str, duration_ms: int, shown: str) -> None:
    assert parse_duration(text) == duration_ms
    assert format_duration(duration_ms) == shown


@pytest.mark.parametrize(
    "text",
    ["", "7", "d", "7 d", "7D", "1.5d", "-7d", "+7d", "7days", "\u0667d", "7d\n", "1d12h", "9" * 5000 + "d"],
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"no duration|longer than"):
        parse_duration(text)


@given(st.integers(0, 400 * 366 * DAY_MS))
def test_a_duration_written_is_read_back(duration_ms: int) -> None:
    assert parse_duration(format_duration(duration_ms)) == duration_ms
