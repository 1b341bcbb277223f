"""What pydantic found, in the words of the file."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rules.conditions import (
    MEASURES,
    MODELS,
    Chain,
    Each,
    Score,
    ScorePart,
    Sequence,
    SequenceStep,
    Tally,
    ThenNot,
)
from rules.examples import Example, Move, Step
from rules.group import Group
from rules.kinds import KIND_KEYS, OTHER_KEYS
from rules.problems import Problem, closest, shown
from rules.segment import Segment
from rules.value_tests import PlainTests

_INSIDE: dict[tuple[type[BaseModel], int | str], type[BaseModel]] = {
    (Sequence, "sequence"): Chain,
    (Chain, "steps"): SequenceStep,
    (Chain, "then_not"): ThenNot,
    (Score, "score"): Tally,
    (Tally, "of"): ScorePart,
    (ScorePart, "each"): Each,
    (Example, "steps"): Step,
    (Example, "transitions"): Move,
}
"""What stands at a key of a model, where that has keys of its own."""
_PARTS: dict[type[BaseModel], str] = {
    SequenceStep: "a step",
    ThenNot: "`then_not`",
    ScorePart: "a part of a score",
    Each: "`each`",
    Step: "a step",
    Move: "a transition",
}
_TAGS = {f"<{kind}>": kind for kind in MODELS}
_COUNT_KEYS = ("at_least", "at_most", "more_than", "less_than", "exactly")
_NOW_TESTS = ("within_last", "within_next", "older_than")
_ROOTS: dict[type[BaseModel], str] = {
    Segment: "a segment",
    Group: "a group",
    Example: "an example",
}
_SHAPES: dict[type[BaseModel], str] = {
    Segment: "write - key: .. and when: ..",
    Group: "write - key: .. and exclusive: ..",
    Example: "write - name: .. and steps: ..",
}
_EXAMPLES = {
    "exclusive": "exclusive: [customer, lead]",
    "property": "property: total",
    "key": "key: hot-buyers",
    "when": "when: {did: Order Completed}",
}


def problems_in(error: ValidationError, root: type[Segment | Group | Example]) -> Iterator[Problem]:
    """Every problem of a segment or a group that could not be read, with its place below it."""
    for details in error.errors(include_url=False):
        yield _problem(details, root)


def _problem(details: ErrorDetails, root: type[Segment | Group | Example]) -> Problem:
    kind, model, path = _locate(details["loc"], root)
    context = details.get("ctx", {})
    if "message" in context:
        return Problem(
            details["type"], _named(context["message"], path), context["hint"], path, context["on_key"]
        )
    match details["type"]:
        case "extra_forbidden":
            return _unknown_key(kind, model, path)
        case "missing":
            key = str(path[-1])
            # A missing key can be one with keys of its own: what lacks it is what it would stand in.
            _, owner, _ = _locate(details["loc"][:-1], root)
            lacking = _PARTS.get(owner) or (f"`{kind}`" if kind else _ROOTS[root])
            hint = f"write for example {_EXAMPLES[key]}" if key in _EXAMPLES else f"write {key}: .."
            return Problem("missing_key", f"{lacking} needs `{key}`", hint, path[:-1])
        case "dict_type":
            found = shown(details["input"])
            return Problem(
                "wrong_type",
                f"wants a mapping, not {found}",
                "write {path: value} or {path: {test: value}}",
                path,
            )
        case "model_type" | "model_attributes_type":
            found = shown(details["input"])
            reason = f"{_PARTS.get(model) or _ROOTS[root]} is a mapping, not {found}"
            return Problem("wrong_type", reason, _SHAPES.get(model, "write key: value"), path)
        case "recursion_loop":
            return Problem("too_deep", "over 20 levels of conditions", "split it, or flatten it", path)
        case _:
            return Problem("wrong_type", f"{shown(details['input'])} does not fit here", "", path)


def _named(message: str, path: tuple[int | str, ...]) -> str:
    """``wants a text`` says what does so: the key nearest to it."""
    key = next((step for step in reversed(path) if isinstance(step, str)), None)
    return f"`{key}` {message}" if key is not None and message.startswith("wants ") else message


def _locate(
    loc: tuple[int | str, ...], root: type[BaseModel]
) -> tuple[str, type[BaseModel], tuple[int | str, ...]]:
    """The kind and model that a place lies in, and the place without pydantic's own steps."""
    kind = ""
    model = root
    path: list[int | str] = []
    for number, step in enumerate(loc):
        before = loc[number - 1] if number else None
        if before == "where" and kind:
            model = PlainTests
        if isinstance(step, str) and step in _TAGS and before != "where":
            kind, model = _TAGS[step], MODELS[_TAGS[step]]
        elif step != "[key]":
            path.append(step)
            model = _INSIDE.get((model, step), model)
    return kind, model, tuple(path)


def _unknown_key(kind: str, model: type[BaseModel], path: tuple[int | str, ...]) -> Problem:
    key = path[-1]
    message, hint = _about_key(kind, model, key)
    return Problem("unknown_key", message, hint, path, on_key=True)


def _about_key(kind: str, model: type[BaseModel], key: Any) -> tuple[str, str]:
    allowed = [field.alias or name for name, field in model.model_fields.items()]
    if model in _ROOTS:
        return _about_root_key(model, key, allowed)
    if model is PlainTests:
        if key in _NOW_TESTS:
            return (
                f"`{key}` is not allowed in `where`",
                "for the time of the event write within, since or between",
            )
    elif kind == "first" and key == "within":
        return "`first` takes no `within`", "write since or between, or ask for the latest"
    elif kind == "did_not" and (key in _COUNT_KEYS or key in MEASURES):
        return f"`did_not` takes no `{key}`", f"write did: .. with {key}"
    elif kind in ("did", "did_not") and key in OTHER_KEYS:
        return f"`{key}` does not go with `{kind}`", "tests on properties stand under where: {path: ..}"
    elif model in _PARTS and (key in OTHER_KEYS or key in KIND_KEYS):
        return f"`{key}` does not go with {_PARTS[model]}", _goes_with(allowed)
    elif key in OTHER_KEYS or key in KIND_KEYS:
        return f"`{key}` does not go with `{kind}`", _goes_with(allowed)
    meant = closest(key, allowed)
    return f"unknown key `{key}`", f"did you mean `{meant}`?" if meant else _goes_with(allowed)


def _about_root_key(model: type[BaseModel], key: Any, allowed: list[str]) -> tuple[str, str]:
    if model is Segment and key in KIND_KEYS:
        return f"`{key}` is a condition, and stands under `when`", f"write when: {{{key}: ..}}"
    meant = closest(key, allowed)
    return f"unknown key `{key}`", f"did you mean `{meant}`?" if meant else _goes_with(allowed)


def _goes_with(allowed: list[str]) -> str:
    return f"allowed are {', '.join(allowed)}"
