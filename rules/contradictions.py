"""Tests of one condition that together can never pass or never fail.

What cannot be decided surely is let through. ``given`` is what a definition states, under its own keys, already read.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

from rules.durations import Moment, format_duration, moment_of_number, parse_moment
from rules.fields import compiled, is_number
from rules.problems import shown

COUNT_TESTS = ("at_least", "at_most", "more_than", "less_than", "exactly")
NEGATIVE_TESTS = ("is_not", "not_in")
_TEXT_TESTS = ("contains", "starts_with", "ends_with", "matches")
_BOUNDS = ("at_least", "at_most", "more_than", "less_than")
_RELATIVE = ("within_last", "within_next", "older_than")
_LONG = 10**22
"""From here on digits tell people nothing."""
_ROUGHLY = Context(prec=16)

Given = Mapping[str, Any]


def exact(number: float) -> Fraction:
    """A number as it is written: 0.1 is a tenth."""
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def number_text(number: Fraction) -> str:
    """A number for people; a sum of numbers may be larger than a double can be."""
    if number.denominator == 1 and abs(number) < _LONG:
        return str(number.numerator)
    try:
        return str(float(number))
    except OverflowError:
        rough = _ROUGHLY.divide(Decimal(number.numerator), Decimal(number.denominator))
        return str(rough.normalize()).lower()


def count_bounds(given: Given) -> tuple[int, int | None]:
    """The lowest and the highest count that pass; nothing given: at least 1. The highest may be below the lowest."""
    if not given:
        return 1, None
    lows = [0]
    highs: list[int] = []
    for test, number in given.items():
        match test:
            case "at_least":
                lows.append(math.ceil(number))
            case "more_than":
                lows.append(math.floor(number) + 1)
            case "at_most":
                highs.append(math.floor(number))
            case "less_than":
                highs.append(math.ceil(number) - 1)
            case _:
                lows.append(math.ceil(number))
                highs.append(math.floor(number))
    return max(lows), min(highs, default=None)


def count_conflict(given: Given) -> tuple[str, str] | None:
    """A code and the reason why no count, or every count, passes."""
    low, high = count_bounds(given)
    if high is not None and low > high:
        lone = next((test for test in given if _never_counted({test: given[test]})), None)
        tests = {lone: given[lone]} if lone else given
        why = "a count is a whole number and not negative" if lone else "no count is both"
        return "never_passes", f"{listed(tests)} can never pass: {why}"
    if low == 0 and high is None:
        return "never_fails", f"{listed(given)} can never fail: no count is below 0"
    return None


def _never_counted(given: Given) -> bool:
    low, high = count_bounds(given)
    return high is not None and low > high


def values_conflict(given: Given) -> str | None:
    """The reason why no value, or list of values, passes the tests together.

    Positive tests must pass on one and the same element, which the negative ones look at too.
    """
    positive = [
        test for test in given if test not in NEGATIVE_TESTS and not (test == "exists" and not given[test])
    ]
    if given.get("exists") is False and positive:
        return f"{_pair(given, 'exists', positive[0])}: what is missing passes no positive test"
    for conflict in (_types, _moving, _interval, _candidates):
        reason = conflict(given)
        if reason is not None:
            return reason
    return None


def _types(given: Given) -> str | None:
    text = next((test for test in _TEXT_TESTS if test in given), None)
    number = next((test for test in _BOUNDS if is_number(given.get(test))), None)
    if text and number:
        return f"{_pair(given, text, number)}: no value is both a text and a number"
    return None


def _moving(given: Given) -> str | None:
    last, ahead, older = (given.get(test) for test in _RELATIVE)
    if last is not None and ahead is not None:
        return f"{_pair(given, 'within_last', 'within_next')}: no moment is both past and to come"
    if ahead is not None and older is not None:
        return f"{_pair(given, 'within_next', 'older_than')}: no moment is both past and to come"
    if last is not None and older is not None and older >= last:
        return f"{_pair(given, 'within_last', 'older_than')}: what is older than the one is too old for the other"
    return None


def _interval(given: Given) -> str | None:
    """Numbers against numbers, moments against moments; moments are whole milliseconds."""
    for low_test in ("at_least", "more_than"):
        for high_test in ("at_most", "less_than"):
            low, high = given.get(low_test), given.get(high_test)
            if isinstance(low, Moment) and isinstance(high, Moment):
                first = low.ms + (low_test == "more_than")
                last = high.ms - (high_test == "less_than")
                empty = first > last
            elif low is not None and high is not None and is_number(low) and is_number(high):
                open_end = low_test == "more_than" or high_test == "less_than"
                empty = low >= high if open_end else low > high
            else:
                continue
            if empty:
                return f"{_pair(given, low_test, high_test)}: no value is both"
    return None


def _candidates(given: Given) -> str | None:
    """Where only certain values can pass, each is put to all the other tests."""
    source, candidates = _certain(given)
    if source is None:
        return None
    others = [test for test in given if test not in source]
    for test in others:
        if not any(_passes(test, given[test], value) for value in candidates):
            return f"{_pair(given, source[0], test)}: {_few(candidates)} never passes both"
    if not any(all(_passes(test, given[test], value) for test in others) for value in candidates):
        return f"{listed(given)} can never all pass"
    return None


def _certain(given: Given) -> tuple[tuple[str, ...] | None, list[Any]]:
    if "is" in given:
        return ("is",), [given["is"]]
    if "in" in given:
        return ("in",), list(given["in"])
    low, high = given.get("at_least"), given.get("at_most")
    if is_number(low) and low == high:
        return ("at_least", "at_most"), [low]
    return None, []


def _passes(test: str, wanted: Any, value: Any) -> bool:
    """Whether a value may pass: for tests against now, at some time."""
    match test:
        case "is":
            return _same(value, wanted)
        case "in":
            return any(_same(value, one) for one in wanted)
        case "is_not":
            return not _same(value, wanted)
        case "not_in":
            return not any(_same(value, one) for one in wanted)
        case "contains" | "starts_with" | "ends_with" | "matches":
            return isinstance(value, str) and _text_passes(test, wanted, value)
        case "within_last" | "within_next" | "older_than":
            return _moment(value) is not None
        case "exists":
            return bool(wanted)
        case _:
            return _within_bound(test, wanted, value)


def _text_passes(test: str, wanted: str, value: str) -> bool:
    match test:
        case "contains":
            return wanted in value
        case "starts_with":
            return value.startswith(wanted)
        case "ends_with":
            return value.endswith(wanted)
        case _:
            return compiled(wanted).search(value) is not None


_COMPARED: dict[str, Callable[[float, float], bool]] = {
    "at_least": lambda value, bound: value >= bound,
    "at_most": lambda value, bound: value <= bound,
    "more_than": lambda value, bound: value > bound,
    "less_than": lambda value, bound: value < bound,
}


def _within_bound(test: str, bound: Any, value: Any) -> bool:
    if isinstance(bound, Moment):
        moment = _moment(value)
        return moment is not None and _COMPARED[test](moment, bound.ms)
    return is_number(value) and _COMPARED[test](value, bound)


def _same(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _moment(value: Any) -> int | None:
    try:
        if isinstance(value, str):
            return parse_moment(value)
        return moment_of_number(value) if is_number(value) else None
    except ValueError:
        return None


def _written(test: str, value: Any) -> str:
    if test in _RELATIVE:
        return f"{test}: {format_duration(value)}"
    if isinstance(value, tuple):
        return f"{test}: [{', '.join(_bare(one) for one in value[:5])}{', ..' if len(value) > 5 else ''}]"
    return f"{test}: {_bare(value)}"


def _bare(value: Any) -> str:
    return str(value) if isinstance(value, Moment) else shown(value)


def _pair(given: Given, one: str, other: str) -> str:
    return f"{listed({one: given[one], other: given[other]})} can never both pass"


def listed(given: Given) -> str:
    """The tests as they stand in the file."""
    return " and ".join(_words(given))


def _words(given: Given) -> Iterator[str]:
    for test, value in given.items():
        yield f"`{_written(test, value)}`"


def _few(values: list[Any]) -> str:
    return _bare(values[0]) if len(values) == 1 else "none of the values"
