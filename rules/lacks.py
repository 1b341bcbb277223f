"""What would have to happen for a leaf condition to turn, in plain English."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rules.conditions import (
    AmountTest,
    CountTest,
    Did,
    DidNot,
    KnownFor,
    MemberOf,
    Node,
    NotMemberOf,
    Score,
    Sequence,
)
from rules.contradictions import exact, number_text
from rules.durations import LAST_MS, format_duration
from rules.text import subject


@dataclass(frozen=True, slots=True)
class Sight:
    """A leaf condition, or a score, as it is for one contact; moments are milliseconds UTC."""

    written: Node
    text: str
    observed: Any
    holds: bool
    turns_ms: int | None
    """Before which time alone does not turn it; None: it never does."""
    loses_ms: int | None
    """When the oldest of the events that count leaves the window."""


IMPOSSIBLE = ""
"""Said of what nothing can turn."""


def lack(sight: Sight) -> str:
    """What turns it: makes it true if it does not hold, ends it if it does; ``IMPOSSIBLE``: nothing does."""
    match sight.written:
        case Did(measure=None):
            return _count(sight, sight.written.test, subject(sight.written))
        case Did(measure=measure) if measure is not None and not measure.is_amount:
            noun = f"different {measure.of}" if measure.kind == "distinct" else "dates"
            return _count(sight, sight.written.test, f"{noun} of {subject(sight.written)}")
        case Did(measure=measure) if measure is not None and measure.kind == "sum":
            return _amount(sight, sight.written.amount_test, f"{measure.of} of {subject(sight.written)}")
        case DidNot():
            if sight.holds:
                return subject(sight.written)
            return _until(subject(sight.written), sight.turns_ms)
        case KnownFor() if not sight.holds and sight.turns_ms is not None:
            return f"{sight.text} (at {spoken(sight.turns_ms)})"
        case Sequence(sequence=chain) if chain.then_not and sight.turns_ms is not None and not sight.holds:
            return _until(subject(chain.then_not), sight.turns_ms)
        case Sequence() if not sight.holds:
            return f"{sight.text} ({sight.observed})"
        case Score(score=tally):
            return _amount(sight, tally.test, "points of the score")
        case MemberOf(member_of=key):
            return f"no membership of {key}" if sight.holds else f"a membership of {key}"
        case NotMemberOf(not_member_of=key):
            return f"a membership of {key}" if sight.holds else f"no membership of {key}"
        case _:
            return _otherwise(sight)


def _otherwise(sight: Sight) -> str:
    return f"no longer: {sight.text}" if sight.holds else sight.text


def _count(sight: Sight, test: CountTest, what: str) -> str:
    if sight.holds:
        return " or ".join(_ends(sight, test, what)) or IMPOSSIBLE
    if sight.observed > test.low:
        return _until(what, sight.turns_ms)
    return _more(test.low - sight.observed, what, sight)


def _ends(sight: Sight, test: CountTest, what: str) -> Iterator[str]:
    if sight.turns_ms is not None:
        yield _until(what, sight.turns_ms)
    if test.high is not None:
        yield f"{test.high + 1 - sight.observed} more {what}"


def _amount(sight: Sight, test: AmountTest, what: str) -> str:
    if sight.holds or test.low is None or (observed := exact(sight.observed or 0)) > test.low:
        return _otherwise(sight)
    missing = number_text(test.low - observed)
    return _more(f"more than {missing}" if test.low_is_open else missing, what, sight)


def _more(number: int | str, what: str, sight: Sight) -> str:
    more = f"{number} more {what}" if sight.observed else f"{number} {what}"
    if sight.loses_ms is not None:
        return f"{more} before {spoken(sight.loses_ms)}"
    within_ms = getattr(sight.written, "within_ms", None)
    return more if within_ms is None else f"{more} within {format_duration(within_ms)}"


def _until(what: str, moment_ms: int | None) -> str:
    return IMPOSSIBLE if moment_ms is None else f"no {what} until {spoken(moment_ms)}"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def spoken(moment_ms: int) -> str:
    """``Tuesday 2026-01-06 14:32 UTC``, with seconds and milliseconds where there are any."""
    if moment_ms > LAST_MS:
        return "the end of the year 9999"
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC)
    clock = moment.strftime("%H:%M:%S" if moment.second or moment_ms % 1000 else "%H:%M")
    if moment_ms % 1000:
        clock += f".{moment_ms % 1000:03}"
    return f"{_DAYS[moment.weekday()]} {moment:%Y-%m-%d} {clock} UTC"
