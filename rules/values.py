"""Value tests: what ``where``, ``trait``, ``latest`` and ``first`` ask of the values at a path.

Positive tests hold if one and the same value passes them all; ``is_not``, ``not_in`` and ``exists: false`` look at
all the values, as the opposites of ``is``, ``in`` and ``exists: true``. A value of the wrong type fails a test.
"""

from collections.abc import Callable, Iterable
from typing import Any

from rules.durations import Moment, moment_of_number, parse_moment
from rules.fields import compiled
from rules.paths import Values
from rules.sharing import shared
from rules.value_tests import ValueTests
from rules.verdict import ALWAYS, NEVER, SHIFT_MS, holds_between, holds_from

OneValue = Callable[[Any], bool]
Predicate = Callable[[Values], bool]
TimedPredicate = Callable[[Values, int], int]
"""From the values and *now* (shifted) to a verdict."""


def is_number(value: Any) -> bool:
    """A boolean is no number, although Python says so."""
    return type(value) is int or type(value) is float


def moment_of(value: Any) -> int | None:
    """The moment that a value names, in milliseconds UTC since 1970; None where it names none."""
    if type(value) is str:
        try:
            return parse_moment(value)
        except ValueError:
            return None
    if is_number(value):
        try:
            return moment_of_number(value)
        except (ValueError, OverflowError):
            return None
    return None


def _equals_any(wanted: Iterable[Any]) -> OneValue:
    """Membership by type and value: 1 = 1.0, but neither "1" nor true."""
    plain = frozenset(value for value in wanted if type(value) is not bool)
    truths = frozenset(value for value in wanted if type(value) is bool)

    def test(value: Any) -> bool:
        kind = type(value)
        if kind is bool:
            return value in truths
        return kind is not dict and value in plain

    return test


def _compare(bound: float | Moment, passes: Callable[[Any, Any], bool]) -> OneValue:
    if isinstance(bound, Moment):
        bound_ms = bound.ms

        def test_moment(value: Any) -> bool:
            moment = moment_of(value)
            return moment is not None and passes(moment, bound_ms)

        return test_moment
    return lambda value: is_number(value) and passes(value, bound)


def _positive(tests: ValueTests) -> list[OneValue]:
    found: list[OneValue] = []
    if tests.is_ is not None:
        found.append(_equals_any([tests.is_]))
    if tests.in_ is not None:
        found.append(_equals_any(tests.in_))
    if tests.at_least is not None:
        found.append(_compare(tests.at_least, lambda value, bound: value >= bound))
    if tests.at_most is not None:
        found.append(_compare(tests.at_most, lambda value, bound: value <= bound))
    if tests.more_than is not None:
        found.append(_compare(tests.more_than, lambda value, bound: value > bound))
    if tests.less_than is not None:
        found.append(_compare(tests.less_than, lambda value, bound: value < bound))
    found.extend(_text_tests(tests))
    if tests.exists is True:
        found.append(lambda _: True)
    return found


def _text_tests(tests: ValueTests) -> list[OneValue]:
    found: list[OneValue] = []
    if (part := tests.contains) is not None:
        found.append(lambda value: type(value) is str and part in value)
    if (start := tests.starts_with) is not None:
        found.append(lambda value: type(value) is str and value.startswith(start))
    if (end := tests.ends_with) is not None:
        found.append(lambda value: type(value) is str and value.endswith(end))
    if tests.matches is not None:
        search = compiled(tests.matches).search
        found.append(lambda value: type(value) is str and search(value) is not None)
    return found


def _negative(tests: ValueTests) -> list[Predicate]:
    """Tests that look at all the values; each is handed them."""
    unwanted: list[OneValue] = []
    if tests.is_not is not None:
        unwanted.append(_equals_any([tests.is_not]))
    if tests.not_in is not None:
        unwanted.append(_equals_any(tests.not_in))
    found: list[Predicate] = [lambda values, test=test: not any(map(test, values)) for test in unwanted]  # type: ignore[misc]
    if tests.exists is False:
        found.append(lambda values: not values)
    return found


def is_timed(tests: ValueTests) -> bool:
    """Whether the outcome depends on now, so that time alone can change it."""
    return not (tests.within_last_ms is tests.within_next_ms is tests.older_than_ms is None)


def only_text(tests: ValueTests) -> str | None:
    """The text that ``is`` asks for, where that is the only test: it passes where the text is one of the values."""
    wanted = tests.given.get("is")
    return wanted if type(wanted) is str and len(tests.given) == 1 else None


@shared
def predicate(tests: ValueTests) -> Predicate:
    """The tests as one function of the values. ``tests`` must not be timed."""
    positive, negative = _positive(tests), _negative(tests)
    if len(positive) == 1 and not negative:
        only = positive[0]

        def one_test(values: Values) -> bool:
            if len(values) == 1:
                return only(values[0])
            return any(map(only, values))

        return one_test

    def all_tests(values: Values) -> bool:
        if positive and not any(all(test(value) for test in positive) for value in values):
            return False
        return all(test(values) for test in negative)

    return all_tests


@shared
def timed_predicate(tests: ValueTests) -> TimedPredicate:
    """The tests as a function of the values and now that also says when its verdict can change."""
    positive, negative = _positive(tests), _negative(tests)
    last, ahead, older = tests.within_last_ms, tests.within_next_ms, tests.older_than_ms

    def one_value(value: Any, now: int) -> int:
        moment_ms = moment_of(value)
        if moment_ms is None or not all(test(value) for test in positive):
            return NEVER
        moment = moment_ms + SHIFT_MS
        verdict = ALWAYS
        if last is not None:
            verdict = min(verdict, holds_between(now, moment, moment + last))
        if ahead is not None:
            verdict = min(verdict, holds_between(now, moment - ahead, moment))
        if older is not None:
            verdict = min(verdict, holds_from(now, moment + older))
        return verdict

    def all_tests(values: Values, now: int) -> int:
        if not all(test(values) for test in negative):
            return NEVER
        return max((one_value(value, now) for value in values), default=NEVER)

    return all_tests
