"""What would have to happen for a leaf condition to turn, in plain English."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rules.conditions import (
    AmountTest,
    Chain,
    CountTest,
    Did,
    DidNot,
    First,
    KnownFor,
    MemberOf,
    Node,
    NotMemberOf,
    Sample,
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
    """When time alone turns it first; None: it never does."""
    loses_ms: int | None
    """When it loses the first of what counts: an event that leaves the window, the step that the next is too late for,
    points."""


IMPOSSIBLE = ""
"""Said of what nothing can turn."""


def lack(sight: Sight) -> str:
    """What turns it: makes it true if it does not hold, ends it if it does; ``IMPOSSIBLE``: nothing does."""
    match sight.written:
        case Did():
            return _measured(sight, sight.written)
        case DidNot():
            if sight.holds:
                return subject(sight.written)
            return _until(subject(sight.written), sight.turns_ms)
        case First() if sight.observed is not None:
            return f"{_otherwise(sight)}, by an earlier one that arrives late"
        case Sequence(sequence=chain):
            return _chain(sight, chain)
        case Score(score=tally):
            return _amount(sight, tally.test, "points of the score")
        case MemberOf() | NotMemberOf() | KnownFor() | Sample():
            return _fact(sight, sight.written)
        case _:
            return _otherwise(sight)


def _fact(sight: Sight, written: MemberOf | NotMemberOf | KnownFor | Sample) -> str:
    match written:
        case MemberOf(member_of=key):
            return f"no membership of {key}" if sight.holds else f"a membership of {key}"
        case NotMemberOf(not_member_of=key):
            return f"a membership of {key}" if sight.holds else f"no membership of {key}"
        case KnownFor() if not sight.holds and sight.turns_ms is not None:
            return f"{sight.text} (at {spoken(sight.turns_ms)})"
        case _:
            return IMPOSSIBLE


def _chain(sight: Sight, chain: Chain) -> str:
    if not sight.holds and chain.then_not and sight.turns_ms is not None:
        return _until(subject(chain.then_not), sight.turns_ms)
    if not sight.holds:
        by = "" if sight.loses_ms is None else f", the next by {spoken(sight.loses_ms)}"
        return f"{sight.text} ({sight.observed}{by})"
    if sight.turns_ms is None:  # complete once is complete for good
        return f"{subject(chain.then_not)}, arriving late" if chain.then_not else IMPOSSIBLE
    return _otherwise(sight)


def _measured(sight: Sight, written: Did) -> str:
    measure = written.measure
    if measure is None:
        return _count(sight, written)
    if not measure.is_amount:
        return _count(sight, written, f"different {measure.of}" if measure.kind == "distinct" else "dates")
    if measure.kind == "sum":
        return _amount(sight, written.amount_test, f"{measure.of} of {subject(written)}")
    return _otherwise(sight)


def _otherwise(sight: Sight) -> str:
    said = f"no longer: {sight.text}" if sight.holds else sight.text
    return said if sight.turns_ms is None else f"{said} (by itself at {spoken(sight.turns_ms)})"


def _count(sight: Sight, written: Did, noun: str = "") -> str:
    """``noun``: what of the events is counted, if not they themselves."""
    events, test = subject(written), written.test
    what = f"{noun} of {events}" if noun else events
    if sight.holds:
        return " or ".join(_ends(sight, test, what, events)) or IMPOSSIBLE
    if sight.observed <= test.low:
        return _more(test.low - sight.observed, what, sight)
    if sight.turns_ms is None and written.within_ms is not None:
        return _otherwise(sight)  # so many leave at once that too few are left
    return _until(events, sight.turns_ms)


def _ends(sight: Sight, test: CountTest, what: str, events: str) -> Iterator[str]:
    if sight.turns_ms is not None:
        # Whatever is counted of events: also one with the same value, or on the same date, keeps it in the window.
        yield _until(events, sight.turns_ms)
    if test.high is not None:
        yield _more(test.high + 1 - sight.observed, what, sight)


def _amount(sight: Sight, test: AmountTest, what: str) -> str:
    """What has to come to get above the lower bound, or, where it holds and nothing else ends it, above the upper."""
    end, is_open = (test.high, not test.high_is_open) if sight.holds else (test.low, test.low_is_open)
    if (
        end is None
        or (sight.holds and test.low is not None)
        or (observed := exact(sight.observed or 0)) > end
    ):
        return _otherwise(sight)
    missing = number_text(end - observed)
    return _more(f"more than {missing}" if is_open else missing, what, sight)


def _more(number: int | str, what: str, sight: Sight) -> str:
    what = _any(what, number)
    more = f"{number} more {what}" if sight.observed else f"{number} {what}"
    if sight.loses_ms is not None:
        return f"{more} before {spoken(sight.loses_ms)}"
    within_ms = getattr(sight.written, "within_ms", None)
    return more if within_ms is None else f"{more} within {format_duration(within_ms)}"


def _until(what: str, moment_ms: int | None) -> str:
    return IMPOSSIBLE if moment_ms is None else f"no {_any(what)} until {spoken(moment_ms)}"


def _any(what: str, number: int | str = 1) -> str:
    """``event`` or ``events`` for ``any event``, after ``no`` or a number."""
    if not what.startswith("any event"):
        return what
    return ("event" if number == 1 else "events") + what.removeprefix("any event")


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
