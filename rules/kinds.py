"""Which kind of condition a mapping is: exactly one of its keys tells."""

from collections.abc import Callable, Mapping
from typing import Any

from rules.problems import Problem, closest, refuse, shown

KIND_KEYS = (
    "all", "any", "none", "not", "of", "did", "did_not", "latest", "first", "trait", "known_for", "sample",
    "sequence", "score", "member_of", "not_member_of",
)  # fmt: skip
OTHER_KEYS = (
    "where", "within", "since", "between", "property", "seed", "exactly", "is", "in", "is_not", "not_in", "at_least",
    "at_most", "more_than", "less_than", "contains", "starts_with", "ends_with", "matches", "exists", "within_last",
    "within_next", "older_than", "sum", "average", "minimum", "maximum", "distinct", "days",
)  # fmt: skip
"""The keys that go with some kinds and tell none."""


def kind_of(value: Any) -> str:
    """The kind of a condition: of a checked mapping, or of a model."""
    if isinstance(value, Mapping):
        return next(key for key in KIND_KEYS if key in value)
    return next(key for key in KIND_KEYS if key in _own_keys(value))


def _own_keys(model: Any) -> set[str]:
    return {field.alias or name for name, field in type(model).model_fields.items() if field.is_required()}


def check_kind(value: Any) -> Any:
    """Lets a mapping with exactly one telling key through."""
    if not isinstance(value, Mapping):
        return value if hasattr(value, "model_fields_set") else _refuse_shape(value)
    told = [key for key in value if key in KIND_KEYS]
    if len(told) == 1:
        return value
    if told:
        listed = " and ".join(f"`{key}`" for key in told)
        hint = f"keep one of them, or write all: [{', '.join(f'{{{key}: ..}}' for key in told)}]"
        refuse(Problem("two_kinds", f"{listed} in one condition", hint, (told[1],), on_key=True))
    return _refuse_untold(value)


def _refuse_shape(value: Any) -> Any:
    if isinstance(value, str):
        hint = f"write {{did: {value}}}" if value else "write for example {did: Order Completed}"
    elif isinstance(value, list | tuple):
        hint = "write all: [..] or any: [..]"
    else:
        hint = "write for example {did: Order Completed}"
    return refuse(Problem("wrong_type", f"a condition is a mapping, not {shown(value)}", hint))


def _refuse_untold(value: Mapping[Any, Any]) -> Any:
    if not value:
        refuse(Problem("no_kind", "the condition is empty", "write for example {did: Order Completed}"))
    for key in value:
        meant = None if key in OTHER_KEYS else closest(key, KIND_KEYS)
        if meant is not None:
            refuse(
                Problem(
                    "unknown_key", f"unknown key `{key}`", f"did you mean `{meant}`?", (key,), on_key=True
                )
            )
    listed = ", ".join(f"`{key}`" for key in value)
    if any(key in OTHER_KEYS for key in value):
        hint = "add `did`, `trait` or, for conditions, `of`"
    else:
        hint = f"one of {', '.join(KIND_KEYS)} must be there"
    return refuse(Problem("no_kind", f"{listed} is no condition without a key that says its kind", hint))


def check_list(value: Any) -> Any:
    """Lets a list through."""
    if not isinstance(value, list | tuple):
        refuse(Problem("wrong_type", f"wants a list, not {shown(value)}", "write [..]"))
    return value


def check_filled_list(element: str) -> Callable[[Any], Any]:
    """Lets a list through that has at least one of what it is a list of."""

    def check(value: Any) -> Any:
        if not check_list(value):
            refuse(Problem("empty", "the list is empty", f"write at least one {element}"))
        return value

    return check
