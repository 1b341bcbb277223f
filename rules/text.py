"""A condition in plain English, in one line: what evidence and explanations call it."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import assert_never

from rules.conditions import (
    All,
    AmountTest,
    Any_,
    AtLeast,
    Chain,
    Condition,
    CountTest,
    Did,
    DidNot,
    Each,
    First,
    KnownFor,
    Latest,
    Measure,
    MemberOf,
    Node,
    None_,
    Not,
    NotMemberOf,
    Sample,
    Score,
    ScorePart,
    Sequence,
    SequenceStep,
    Tally,
    ThenNot,
    TraitIs,
)
from rules.contradictions import number_text
from rules.durations import DAY_MS, Moment, format_duration, format_moment
from rules.fields import ANY_EVENT
from rules.value_tests import ValueTests, Where

_SHOWN_VALUES = 10
_PLAIN = re.compile(r"[^\W\d_][\w.@/+&' -]*")


def describe(condition: Node) -> str:
    """``did Email Clicked at least 3 times within 7d``."""
    match condition:
        case All() | Any_() | None_() | AtLeast() | Not():
            return _describe_group(condition)
        case Did(did=names, measure=measure):
            said = _count(condition.test) if measure is None else _measure(condition, measure)
            return _words("did", _events(names), said, *_filter(condition))
        case DidNot(did_not=names):
            return _words("did not do", _events(names), *_filter(condition))
        case Latest(latest=names, property=path):
            return _words(
                _text(path), "of the latest", _events(names), *_filter(condition), _tests(condition.tests)
            )
        case First(first=names, property=path):
            return _words(
                _text(path), "of the first", _events(names), *_filter(condition), _tests(condition.tests)
            )
        case TraitIs() | KnownFor() | Sample() | MemberOf() | NotMemberOf():
            return _describe_fact(condition)
        case Sequence(sequence=chain):
            return _chain(chain)
        case Score(score=tally):
            return _score(tally)
        case ScorePart():
            return _part(condition)
        case _:
            assert_never(condition)


def _describe_fact(condition: TraitIs | KnownFor | Sample | MemberOf | NotMemberOf) -> str:
    match condition:
        case TraitIs(trait=path):
            return _words("trait", _text(path), _tests(condition.tests))
        case KnownFor(known_for_ms=known_for_ms):
            return f"known for {format_duration(known_for_ms)} or longer"
        case Sample(sample=percent, seed=seed):
            return _words(
                f"in a sample of {percent.normalize():f} %",
                "" if seed is None else f"by the seed {_text(seed)}",
            )
        case MemberOf(member_of=key):
            return f"member of {key}"
        case NotMemberOf(not_member_of=key):
            return f"not a member of {key}"
        case _:
            assert_never(condition)


def subject(condition: Did | DidNot | ThenNot) -> str:
    """``Email Clicked where campaign is spring``: which events, of whatever rolling window."""
    names = condition.did_not if isinstance(condition, DidNot) else condition.did
    bounds = () if isinstance(condition, ThenNot) else _bounds_of_time(condition)
    return _words(_events(names), *bounds, _where(condition.where))


def _score(tally: Tally) -> str:
    return f"a score of {_amount(tally.test)} from ({'; '.join(_part(part) for part in tally.of)})"


def _part(part: ScorePart) -> str:
    points = f"{part.points} point{'' if part.points == 1 else 's'}"
    if part.when is not None:
        return f"{points} if {describe(part.when)}"
    assert part.each is not None
    most = "" if part.max is None else f", {part.max} at most"
    return _words(points, "for each", _events(part.each.did), *_filter(part.each)) + most


def _chain(chain: Chain) -> str:
    said = ", then ".join(_step(step) for step in chain.steps)
    if chain.then_not is not None:
        said += f", then no {_step(chain.then_not)}"
    about = []
    if chain.by is not None:
        about.append(f"with the same {_text(chain.by)}")
    if chain.within_ms is not None:
        about.append(f"complete within the last {format_duration(chain.within_ms)}")
    return said + (f" ({', '.join(about)})" if about else "")


def _step(step: SequenceStep | ThenNot) -> str:
    within = "" if step.within_ms is None else f"within {format_duration(step.within_ms)}"
    return _words(_events(step.did), _where(step.where), within)


def _describe_group(condition: All | Any_ | None_ | AtLeast | Not) -> str:
    match condition:
        case All(all=inner):
            return f"all of ({_joined(inner)})"
        case Any_(any=inner):
            return f"any of ({_joined(inner)})"
        case None_(none=inner):
            return f"none of ({_joined(inner)})"
        case AtLeast(at_least=number, of=inner):
            return f"at least {number} of ({_joined(inner)})"
        case Not(not_=only):
            return f"not ({describe(only)})"
        case _:
            assert_never(condition)


def _joined(conditions: Iterable[Condition]) -> str:
    return "; ".join(describe(condition) for condition in conditions)


def _words(*words: str) -> str:
    return " ".join(word for word in words if word)


def _events(names: tuple[str, ...]) -> str:
    return "any event" if names == (ANY_EVENT,) else " or ".join(_text(name) for name in names)


def _count(test: CountTest) -> str:
    match test:
        case CountTest(low=1, high=None):
            return ""
        case CountTest(low=low, high=None):
            return f"at least {_times(low)}"
        case CountTest(low=low, high=high) if low == high:
            return f"exactly {_times(low)}"
        case CountTest(low=0, high=high) if high is not None:
            return f"at most {_times(high)}"
        case _:
            return f"{test.low} to {test.high} times"


def _measure(condition: Did, measure: Measure) -> str:
    match measure.kind:
        case "distinct":
            return f"with {_number(condition.test)} different {_text(measure.of)}"
        case "days":
            zone = "" if measure.of == "UTC" else f" in {measure.of}"
            return f"on {_number(condition.test)} dates{zone}"
        case kind:
            return f"with {'an' if kind == 'average' else 'a'} {kind} of {_text(measure.of)} {_amount(condition.amount_test)}"


def _number(test: CountTest) -> str:
    match test:
        case CountTest(low=low, high=None):
            return f"at least {low}"
        case CountTest(low=low, high=high) if low == high:
            return f"exactly {low}"
        case CountTest(low=0, high=high):
            return f"at most {high}"
        case _:
            return f"{test.low} to {test.high}"


def _amount(test: AmountTest) -> str:
    if test.low is not None and test.low == test.high:
        return f"of exactly {number_text(test.low)}"
    ends = []
    if test.low is not None:
        ends.append(f"{'more than' if test.low_is_open else 'at least'} {number_text(test.low)}")
    if test.high is not None:
        ends.append(f"{'less than' if test.high_is_open else 'at most'} {number_text(test.high)}")
    return " and ".join(ends)


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"


def _filter(condition: Did | DidNot | Latest | First | Each) -> Iterator[str]:
    if not isinstance(condition, First) and condition.within_ms is not None:
        yield f"within {format_duration(condition.within_ms)}"
    yield from _bounds_of_time(condition)
    if condition.where:
        yield _where(condition.where)


def _bounds_of_time(condition: Did | DidNot | Latest | First | Each) -> Iterator[str]:
    if condition.since_ms is not None:
        yield f"since {_moment(condition.since_ms)}"
    if condition.between_ms is not None:
        start_ms, end_ms = condition.between_ms
        yield f"from {_moment(start_ms)} to before {_moment(end_ms)}"


def _where(tests: tuple[Where, ...]) -> str:
    return f"where {' and '.join(_one_where(where) for where in tests)}" if tests else ""


def _one_where(where: Where) -> str:
    return f"{_text(where.path)} {_tests(where.tests)}"


def _tests(tests: ValueTests) -> str:
    return " and ".join(_each_test(tests))


def _each_test(tests: ValueTests) -> Iterator[str]:
    if tests.is_ is not None:
        yield f"is {_value(tests.is_)}"
    if tests.in_ is not None:
        yield f"is one of {_values(tests.in_)}"
    if tests.is_not is not None:
        yield f"is not {_value(tests.is_not)}"
    if tests.not_in is not None:
        yield f"is none of {_values(tests.not_in)}"
    yield from _bounds(tests)
    yield from _parts(tests)
    if tests.exists is not None:
        yield "exists" if tests.exists else "is missing"
    if tests.within_last_ms is not None:
        yield f"is within the last {format_duration(tests.within_last_ms)}"
    if tests.within_next_ms is not None:
        yield f"is within the next {format_duration(tests.within_next_ms)}"
    if tests.older_than_ms is not None:
        yield f"is {format_duration(tests.older_than_ms)} or longer ago" if tests.older_than_ms else "is past"


def _parts(tests: ValueTests) -> Iterator[str]:
    if tests.contains is not None:
        yield f"contains {_value(tests.contains)}"
    if tests.starts_with is not None:
        yield f"starts with {_value(tests.starts_with)}"
    if tests.ends_with is not None:
        yield f"ends with {_value(tests.ends_with)}"
    if tests.matches is not None:
        yield f"matches {json.dumps(tests.matches, ensure_ascii=False)}"


def _bounds(tests: ValueTests) -> Iterator[str]:
    for bound, of_number, of_moment in (
        (tests.at_least, "at least", "at or after"),
        (tests.more_than, "more than", "after"),
        (tests.at_most, "at most", "at or before"),
        (tests.less_than, "less than", "before"),
    ):
        if isinstance(bound, Moment):
            yield f"is {of_moment} {_moment(bound.ms)}"
        elif bound is not None:
            yield f"is {of_number} {bound}"


def _moment(moment_ms: int) -> str:
    text = format_moment(moment_ms)
    return text[:10] if moment_ms % DAY_MS == 0 else text.replace(".000Z", "Z")


def _values(values: tuple[str | int | float | bool, ...]) -> str:
    shown = ", ".join(_value(value) for value in values[:_SHOWN_VALUES])
    return shown if len(values) <= _SHOWN_VALUES else f"{shown} and {len(values) - _SHOWN_VALUES} more"


def _value(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else str(value)


def _text(text: str) -> str:
    """In quotes where it could be taken for something else, or would break the line."""
    if _PLAIN.fullmatch(text) and text not in ("true", "false", "null") and not text.endswith(" "):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())
