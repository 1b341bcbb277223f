"""When two conditions mean the same, however they are written."""

import json
from fractions import Fraction
from typing import Any, assert_never

from rules.conditions import (
    All,
    Any_,
    AtLeast,
    Condition,
    Did,
    DidNot,
    First,
    KnownFor,
    Latest,
    MemberOf,
    None_,
    Not,
    NotMemberOf,
    Sample,
    Score,
    Sequence,
    Tally,
    TraitIs,
)
from rules.contradictions import NEGATIVE_TESTS, exact
from rules.policy import Policy
from rules.segment import Segment

Form = list[Any]
"""A nested list in JSON's types: ``["leaf", ..]``, ``["not", form]``, ``["all" or "any", forms..]``."""


def meaning(segment: Segment) -> str:
    """A text that is the same for segments whose conditions and policies mean the same.

    Order, nesting, double negation and short forms do not matter. Different texts prove nothing.
    """
    policy = segment.policy or Policy()
    waits = [policy.enter_after_ms, policy.exit_after_ms, policy.cooldown_ms]
    return json.dumps([form_of(segment.when, segment.key), waits], sort_keys=True)


def form_of(condition: Condition, seed: str) -> Form:
    """The form of a condition of the segment ``seed``: equal forms mean the same."""
    match condition:
        case All(all=inner):
            return _joined("all", [form_of(child, seed) for child in inner])
        case Any_(any=inner):
            return _joined("any", [form_of(child, seed) for child in inner])
        case None_(none=inner):
            return opposite(_joined("any", [form_of(child, seed) for child in inner]))
        case Not(not_=only):
            return opposite(form_of(only, seed))
        case AtLeast(at_least=number, of=inner):
            return _at_least(int(number), [form_of(child, seed) for child in inner])
        case _:
            return _leaf(condition, seed)


def _leaf(
    leaf: Did
    | DidNot
    | Latest
    | First
    | TraitIs
    | KnownFor
    | Sample
    | Sequence
    | Score
    | MemberOf
    | NotMemberOf,
    seed: str,
) -> Form:
    match leaf:
        case Did():
            return _did(leaf)
        case DidNot(did_not=names):
            return opposite(_counted({**_without(_plain(leaf.content), "did_not"), "did": list(names)}, 1))
        case TraitIs():
            return _trait(leaf)
        case Latest() | First():
            return ["leaf", _one_for_in(_plain(leaf.content))]
        case Score(score=tally):
            return _score(tally, seed)
        case Sample():
            return ["leaf", {"seed": seed, **leaf.content}]
        case NotMemberOf(not_member_of=key):
            return opposite(["leaf", {"member_of": key}])
        case Sequence():
            return ["leaf", _plain(leaf.content)]
        case KnownFor() | MemberOf():
            return ["leaf", leaf.content]
        case _:
            assert_never(leaf)


def _score(tally: Tally, seed: str) -> Form:
    """In its own units, so that all the points and the test times ten mean the same, and so do tests for whole units."""
    unit = tally.unit or Fraction(1)
    parts: list[Form] = []
    for part in tally.of:
        points = str(exact(part.points) / unit)
        if part.when is not None:
            parts.append([points, "when", form_of(part.when, seed)])
        elif part.each is not None:
            most = None if part.max is None else str(exact(part.max) / unit)
            parts.append([points, "each", _plain(part.each.content), most])
    return ["leaf", {"score": list(tally.test.in_units(unit)), "of": sorted(parts, key=_order)}]


def _did(condition: Did) -> Form:
    """A count of 2 to 4 is: at least 2, and not at least 5."""
    content = _plain(condition.content)
    if condition.measure is not None and condition.measure.is_amount:
        return ["leaf", content]
    source = _without(content, "at_least", "at_most")
    test = condition.test
    parts = [_counted(source, test.low)] if test.low else []
    if test.high is not None:
        parts.append(opposite(_counted(source, test.high + 1)))
    return _joined("all", parts)


def _counted(source: dict[str, Any], low: int) -> Form:
    return ["leaf", {**source, "at_least": low}]


def _trait(condition: TraitIs) -> Form:
    """Negative tests alone are the opposites of positive ones; beside positive ones they look at other values."""
    content = condition.content
    tests = _without(content, "trait")
    if any(test not in NEGATIVE_TESTS and (test != "exists" or value) for test, value in tests.items()):
        return ["leaf", _one_for_in(content)]
    parts: list[Form] = []
    for test, value in tests.items():
        match test:
            case "is_not":
                positive: dict[str, Any] = {"is": value}
            case "not_in":
                positive = {"in": value}
            case _:
                positive = {"exists": True}
        parts.append(opposite(["leaf", _one_for_in({"trait": condition.trait, **positive})]))
    return _joined("all", parts)


def _plain(content: Any) -> Any:
    """The same with every test under a ``where`` in one spelling, however deep it stands."""
    if isinstance(content, list):
        return [_plain(one) for one in content]
    if not isinstance(content, dict):
        return content
    return {
        key: {path: _one_for_in(tests) for path, tests in one.items()} if key == "where" else _plain(one)
        for key, one in content.items()
    }


def _one_for_in(content: dict[str, Any]) -> dict[str, Any]:
    """A list of one value is that value."""
    found = dict(content)
    for many, one in (("in", "is"), ("not_in", "is_not")):
        if one not in found and len(found.get(many, ())) == 1:
            found[one] = found.pop(many)[0]
    return found


def _at_least(number: int, forms: list[Form]) -> Form:
    if number == 1:
        return _joined("any", forms)
    if number == len(forms):
        return _joined("all", forms)
    return ["at_least", number, *sorted(forms, key=_order)]


def _joined(word: str, forms: list[Form]) -> Form:
    flat = [part for form in forms for part in (form[1:] if form[0] == word else [form])]
    parts = sorted({_order(form): form for form in flat}.items())
    return parts[0][1] if len(parts) == 1 else [word, *(form for _, form in parts)]


def opposite(form: Form) -> Form:
    """The form that holds where this one does not."""
    match form[0]:
        case "not":
            return list(form[1])
        case "all":
            return _joined("any", [opposite(part) for part in form[1:]])
        case "any":
            return _joined("all", [opposite(part) for part in form[1:]])
        case "at_least":
            parts = form[2:]
            return _at_least(len(parts) + 1 - form[1], [opposite(part) for part in parts])
        case _:
            return ["not", form]


def _order(form: Form) -> str:
    return json.dumps(form, sort_keys=True)


def _without(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in keys}
