"""Whether a condition holds as of a moment, from all that a contact ever did (section 4.1)."""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from tests.reference import measures, sequences
from tests.reference.moments import duration_ms, moment_ms
from tests.reference.records import Taken
from tests.reference.values import found_at, of_event, passes

TIME_KEYS = ("within", "since", "between")
NOT_VALUE_TESTS = ("latest", "first", "trait", "property", "where", *TIME_KEYS)
DURATION_KEYS = ("within", "known_for", "within_last", "within_next", "older_than")


@dataclass
class History:
    """All the events of one contact, in arrival order."""

    contact: str
    events: list[Taken] = field(default_factory=list)

    @property
    def known_since(self) -> int:
        return min(event.received_ms for event in self.events)


def holds(
    condition: dict[str, Any], history: History, now: int, segment: str, members: Collection[str] = ()
) -> bool:
    """The verdict of a condition of this segment, for a member of ``members``; no event of the history is later than
    now."""
    if "all" in condition:
        return all(holds(inner, history, now, segment, members) for inner in condition["all"])
    if "any" in condition:
        return any(holds(inner, history, now, segment, members) for inner in condition["any"])
    if "none" in condition:
        return not any(holds(inner, history, now, segment, members) for inner in condition["none"])
    if "not" in condition:
        return not holds(condition["not"], history, now, segment, members)
    if "of" in condition:
        least: int = condition["at_least"]
        return sum(holds(inner, history, now, segment, members) for inner in condition["of"]) >= least
    if "score" in condition:
        score = sum(
            (_points(part, history, now, segment, members) for part in condition["score"]["of"]), Fraction(0)
        )
        return measures.passes(condition["score"], score)
    if "member_of" in condition:
        return condition["member_of"] in members
    if "not_member_of" in condition:
        return condition["not_member_of"] not in members
    return _leaf_holds(condition, history, now, segment)


def _points(
    part: dict[str, Any], history: History, now: int, segment: str, members: Collection[str]
) -> Fraction:
    points = Fraction(str(part["points"]))
    if "when" in part:
        return points if holds(part["when"], history, now, segment, members) else Fraction(0)
    given = points * min(len(_matching(part["each"], part["each"]["did"], history, now)), 1000)
    return min(given, Fraction(str(part["max"]))) if "max" in part else given


def _leaf_holds(leaf: dict[str, Any], history: History, now: int, segment: str) -> bool:
    if "sequence" in leaf:
        return sequences.holds(leaf["sequence"], history.events, now)
    if "did" in leaf:
        return measures.passes(leaf, measures.measured(leaf, _matching(leaf, leaf["did"], history, now)))
    if "did_not" in leaf:
        return not _matching(leaf, leaf["did_not"], history, now)
    if "latest" in leaf:
        return _one_passes(leaf, _matching(leaf, leaf["latest"], history, now)[-1:], now)
    if "first" in leaf:
        return _one_passes(leaf, _matching(leaf, leaf["first"], history, now)[:1], now)
    if "trait" in leaf:
        return passes(_value_tests(leaf), found_at(leaf["trait"], _traits(history)), now)
    if "known_for" in leaf:
        return history.known_since <= now - duration_ms(leaf["known_for"])
    assert "sample" in leaf, leaf
    return _is_sampled(leaf["sample"], leaf.get("seed", segment), history.contact)


def _matching(leaf: dict[str, Any], names: str | list[str], history: History, now: int) -> list[Taken]:
    """The matching events by event time, of equal times in arrival order."""
    found = [
        event
        for event in history.events
        if is_named(names, event) and _is_in_time(leaf, event.time_ms, now) and is_where(leaf, event, now)
    ]
    return sorted(found, key=lambda event: event.time_ms)


def is_named(names: str | list[str], event: Taken) -> bool:
    if not event.is_behaviour:
        return False
    return names == "*" or event.name in ([names] if isinstance(names, str) else names)


def _is_in_time(leaf: dict[str, Any], time_ms: int, now: int) -> bool:
    if "within" in leaf and not now - duration_ms(leaf["within"]) < time_ms <= now:
        return False
    if "since" in leaf and time_ms < _moment(leaf["since"]):
        return False
    if "between" in leaf:
        begin, end = leaf["between"]
        return _moment(begin) <= time_ms < _moment(end)
    return True


def _moment(text: str) -> int:
    moment = moment_ms(text)
    assert moment is not None, text
    return moment


def is_where(leaf: dict[str, Any], event: Taken, now: int) -> bool:
    return all(
        passes(tests, of_event(path, event.properties, event.context), now)
        for path, tests in leaf.get("where", {}).items()
    )


def _one_passes(leaf: dict[str, Any], events: list[Taken], now: int) -> bool:
    return any(
        passes(_value_tests(leaf), of_event(leaf["property"], event.properties, event.context), now)
        for event in events
    )


def _value_tests(leaf: dict[str, Any]) -> dict[str, Any]:
    return {name: operand for name, operand in leaf.items() if name not in NOT_VALUE_TESTS}


def _traits(history: History) -> dict[str, Any]:
    """The latest value of each by event time; a null takes the trait away, and is as late as any value."""
    traits: dict[str, Any] = {}
    for event in sorted(history.events, key=lambda event: event.time_ms):
        traits.update(event.traits)
    return {name: value for name, value in traits.items() if value is not None}


def _is_sampled(percent: float, seed: str, contact: str) -> bool:
    number = int(hashlib.sha256(f"{seed}:{contact}".encode()).hexdigest()[:15], 16)
    return number % 10_000 < round(percent * 100)


def moments_to_look_at(history: History, durations: set[int]) -> set[int]:
    """Every moment at which anything can change alone, and many at which nothing does."""
    anchors = {event.time_ms for event in history.events} | {event.received_ms for event in history.events}
    for event in history.events:
        for value in _scalars([event.properties, event.context, event.traits]):
            moment = moment_ms(value)
            if moment is not None:
                anchors.add(moment)
    return {anchor + shift for anchor in anchors for length in {0, *durations} for shift in (length, -length)}


def durations_of(definition: Any) -> set[int]:
    """All the durations that stand anywhere in a definition."""
    if isinstance(definition, list):
        return {length for inner in definition for length in durations_of(inner)}
    if not isinstance(definition, dict):
        return set()
    own = {
        duration_ms(text)
        for key, text in definition.items()
        if key in DURATION_KEYS and isinstance(text, str)
    }
    if "then_not" in definition and "within" in definition:
        # It is complete after the one, and over after both.
        own.add(duration_ms(definition["within"]) + duration_ms(definition["then_not"]["within"]))
    return own | {length for inner in definition.values() for length in durations_of(inner)}


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _scalars(inner)
    else:
        yield value
