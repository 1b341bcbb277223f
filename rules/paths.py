"""Reading the value or values at a path of an event or a set of traits (contract, section 4.2).

A path is a property name, dotted for nested objects; a key that is itself the whole dotted text goes first. Where it
meets a list it goes on through every element. Nulls are absent.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rules.event import Event
from rules.sharing import shared

Values = tuple[Any, ...]
"""The values found at a path, in the order in which they stand there: texts, numbers, booleans, and ``{}`` for an
object, whose content no test can read. Empty: the path is missing."""

MISSING: Values = ()
INT64_MIN = -(2**63)
UINT64_MAX = 2**64 - 1


def flatten(value: Any) -> Values:
    """The values that one JSON value stands for: itself, the elements of a list at any depth, none for null."""
    kind = type(value)
    if kind is str or kind is bool or kind is float:
        return (value,)
    if kind is int:
        # The contract reads integers over 64 bits as doubles.
        return (value,) if INT64_MIN <= value <= UINT64_MAX else (float(value),)
    if value is None:
        return MISSING
    if kind is list:
        return _descend(value, ())
    return ({},)


def _descend(value: Any, names: tuple[str, ...]) -> Values:
    """The values at the path of ``names`` below a value. No recursion: a record may nest lists deeper than it goes."""
    found: list[Any] = []
    last, depth = len(names), 0
    elements = iter((value,))
    outer: list[tuple[Iterator[Any], int]] = []
    while True:
        for element in elements:
            here, reached = element, depth
            while reached < last and type(here) is dict:
                here = here.get(names[reached])
                reached += 1
            if type(here) is list:
                outer.append((elements, depth))
                elements, depth = iter(here), reached
                break
            if type(here) is str and reached == last:
                found.append(here)
            elif reached == last:
                found += flatten(here)
        else:
            if not outer:
                return tuple(found)
            elements, depth = outer.pop()


def below(value: Any, path: str) -> Values:
    """The values at the dotted ``path`` inside ``value``; no whole dotted key is looked for."""
    return _descend(value, tuple(path.split(".")))


def reader(path: str) -> Callable[[Mapping[str, Any]], Values]:
    """A function that reads ``path`` from an object such as ``properties``."""
    if "." not in path:

        def read_plain(fields: Mapping[str, Any]) -> Values:
            value = fields.get(path)
            return (value,) if type(value) is str else flatten(value)

        return read_plain

    first, *others = path.split(".")
    inner = list(enumerate(others, start=1))

    def read_nested(fields: Mapping[str, Any]) -> Values:
        value: Any = fields.get(path)
        if value is None:
            value = fields.get(first)
            for depth, name in inner:
                if type(value) is not dict:
                    return _descend(value, (first, *others)[depth:])
                value = value.get(name)
        return (value,) if type(value) is str else flatten(value)

    return read_nested


def event_scalar_reader(path: str) -> Callable[[Event], str | float | bool | None]:
    """A function that reads the one value at ``path`` of an event; None where it is missing, an object, or a list, or
    lies in one."""
    of_context = path.startswith("context.")
    whole = path.removeprefix("context.") if of_context else path
    names = whole.split(".")

    def read(event: Event) -> str | float | bool | None:
        fields: Any = event.context if of_context else event.properties
        value = fields.get(whole)
        if value is None:
            value = fields
            for name in names:
                value = value.get(name) if type(value) is dict else None
        if type(value) is int and not INT64_MIN <= value <= UINT64_MAX:
            return float(value)
        return value if isinstance(value, str | int | float) else None

    return read


@shared
def event_reader(path: str) -> Callable[[Event], Values]:
    """A function that reads ``path`` from an event: its properties, or its context where the path begins with it."""
    if path.startswith("context."):
        whole = path.removeprefix("context.")
        read_context = reader(whole)
        first, _, second = whole.partition(".")
        if not second or "." in second:
            return lambda event: read_context(event.context)

        def read_pair(event: Event) -> Values:
            # As `reader` reads it; of what most events say, such as context.device.type, with one call.
            context = event.context
            if whole not in context:
                inner = context.get(first)
                if type(inner) is dict:
                    value = inner.get(second)
                    if type(value) is str:
                        return (value,)
            return read_context(context)

        return read_pair
    read_property = reader(path)
    return lambda event: read_property(event.properties)
