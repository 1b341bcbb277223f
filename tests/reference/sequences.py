"""Sequences (section 4.3), by a search through a contact's whole history."""

from typing import Any

from tests.reference.moments import duration_ms
from tests.reference.records import Taken


def holds(sequence: dict[str, Any], events: list[Taken], now: int) -> bool:
    """Whether a completion lies in the window that ends now. ``events``: in arrival order."""
    numbered = sorted(enumerate(events), key=lambda item: (item[1].time_ms, item[0]))
    ordered = [event for _, event in numbered if event.is_behaviour]
    completions = {
        moment for value in _values(sequence, ordered) for moment in _completions(sequence, ordered, value)
    }
    begin = now - duration_ms(sequence["within"]) if "within" in sequence else -(10**18)
    return any(begin < completion <= now for completion in completions)


def _values(sequence: dict[str, Any], ordered: list[Taken]) -> list[Any]:
    if "by" not in sequence:
        return [None]
    found: list[Any] = []
    for event in ordered:
        value = _scalar(sequence["by"], event)
        if value is not None and not any(_is_same(value, other) for other in found):
            found.append(value)
    return found


def _completions(sequence: dict[str, Any], ordered: list[Taken], value: Any) -> set[int]:
    own = [
        event for event in ordered if "by" not in sequence or _is_same(_scalar(sequence["by"], event), value)
    ]
    ends = {place for place in range(len(own)) if _is_end(sequence["steps"], own, place)}
    then_not = sequence.get("then_not")
    if then_not is None:
        return {own[place].time_ms for place in ends}
    delay = duration_ms(then_not["within"])
    return {
        own[place].time_ms + delay
        for place in ends
        if not any(
            _is_match(then_not, event) and event.time_ms <= own[place].time_ms + delay
            for event in own[place + 1 :]
        )
    }


def _is_end(steps: list[dict[str, Any]], own: list[Taken], place: int) -> bool:
    """Whether a chain of the steps ends with the event at this place."""
    if not _is_match(steps[-1], own[place]):
        return False
    if len(steps) == 1:
        return True
    longest = duration_ms(steps[-1]["within"]) if "within" in steps[-1] else 10**18
    return any(
        own[place].time_ms - own[before].time_ms <= longest and _is_end(steps[:-1], own, before)
        for before in range(place)
    )


def _is_match(step: dict[str, Any], event: Taken) -> bool:
    from tests.reference.conditions import is_named, is_where

    return is_named(step["did"], event) and is_where(step, event, 0)


def _scalar(path: str, event: Taken) -> Any:
    """The value at a path, unless it is missing, an object, or a list, or lies in one."""
    holder: Any = event.properties
    if path.startswith("context."):
        holder, path = event.context, path.removeprefix("context.")
    if holder.get(path) is not None:
        found = holder[path]
    else:
        found = holder
        for name in path.split("."):
            found = found.get(name) if isinstance(found, dict) else None
    return None if isinstance(found, dict | list) else found


def _is_same(one: Any, other: Any) -> bool:
    if one is None or other is None or isinstance(one, bool) != isinstance(other, bool):
        return False
    return bool(one == other)
