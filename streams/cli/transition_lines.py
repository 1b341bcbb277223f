"""A published transition as one line for people: when, who, what, why."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

_LONGEST_VALUE = 40
_WHY_SHOWN = 3


def transition_line(
    record: Mapping[str, Any],
    when: str,
    contact_width: int = 16,
    segment_width: int = 24,
    columns: int | None = None,
) -> str:
    """``when`` is how the moment is to be shown; ``columns``: the line ends there at the latest.

    Raises KeyError or TypeError where it is no transition of ours.
    """
    key = record["properties"]["audience_key"]
    entered, segment, when = record["properties"][key], printable(key), printable(when)
    contact = printable(record.get("userId") or f"anonymous:{record['anonymousId']}")
    told = printable(why(record["context"]["segment"], entered=entered))
    what = click.style("entered", fg="green") if entered else click.style("left   ", fg="red")
    names = f"{contact:<{contact_width}}  {what}  {segment:<{segment_width}}"
    used = len(f"{when}  {click.unstyle(names)}  ")
    if columns is not None and used + len(told) > columns:
        told = f"{told[: max(columns - used - 2, 0)]}.."
    return f"{click.style(when, dim=True)}  {names}  {click.style(told, dim=True)}"


def columns() -> int | None:
    """How wide the terminal is; None where standard output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def why(about: Mapping[str, Any], *, entered: bool) -> str:
    """What made the membership change: ``time: did Product Added within 10s (0)``."""
    reason = str(about["reason"])
    told = evidence(about["evidence"], entered=entered)
    lasted = about.get("member_for_ms")
    after = "" if entered or lasted is None else f", after {roughly(lasted)}"
    return f"{reason}{after}: {told}" if told else f"{reason}{after}"


def evidence(found: Sequence[Mapping[str, Any]], *, entered: bool) -> str:
    """The conditions that speak for it: of an enter those that hold, of an exit those that do not."""
    telling = [each for each in found if bool(each["holds"]) is entered] or list(found)
    shown = [f"{each['condition']} ({_short(each['observed'])})" for each in telling[:_WHY_SHOWN]]
    more = len(telling) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")


def roughly(duration_ms: int) -> str:
    """``12.3s``, ``4m``, ``3h``, ``12d``: as short as people say it."""
    seconds = duration_ms / 1000
    if seconds < 60:
        return f"{seconds:.1f}s"
    for unit, length, until in (("m", 60, 7200), ("h", 3600, 172_800), ("d", 86_400, float("inf"))):
        if seconds < until:
            return f"{seconds / length:.0f}{unit}"
    raise AssertionError  # the last unit has no end


def printable(text: str) -> str:
    """Without characters that could move the cursor or end the line: ids come from events."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def printable_json(text: str) -> str:
    """The same JSON on one line, with escapes in place of what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _json_escape(each) for each in text)


def _json_escape(character: str) -> str:
    """Outside texts JSON has no such character but the blanks between its parts."""
    return " " if character in "\t\r\n" else json.dumps(character)[1:-1]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 2] + ".."
