"""Verdicts that know how long they hold, as one integer each.

A verdict as of *now* is a moment with a sign: ``+m`` says *true, and no sooner than m can it change by time alone*;
``-m`` says the same of *false*. Moments are milliseconds since the year 1 (``SHIFT_MS`` after the Unix ones), so that
none is zero or negative. ``ALWAYS`` and ``NEVER`` do not change until an event does.

With that, logic is order: ``all`` is the minimum of its conditions' verdicts, ``any`` the maximum, ``not`` the
negation, *at least k of n* the k-th largest. For example, two false conditions of an ``all`` give the later of their
two moments, since before it one of them is still false; two true ones give the earlier. What is returned may be too
early, never too late.
"""

from rules.durations import LAST_MS

SHIFT_MS = 62_135_596_800_001
"""Added to milliseconds since 1970: the first moment of the year 1 becomes 1."""

ALWAYS = 2**62
NEVER = -ALWAYS


def at_least(k: int, verdicts: list[int]) -> int:
    """The verdict of *k or more of these hold*."""
    if k > len(verdicts):
        return NEVER
    return sorted(verdicts, reverse=True)[k - 1]


def holds_between(now: int, start: int, end: int) -> int:
    """True from ``start`` until just before ``end``; moments and ``now`` on the shifted scale."""
    if now < start:
        return -start
    return end if now < end else NEVER


def holds_from(now: int, start: int) -> int:
    """True from ``start`` on; moments and ``now`` on the shifted scale."""
    return ALWAYS if now >= start else -start


def change_ms(verdict: int) -> int | None:
    """The Unix moment, in milliseconds, before which time alone changes nothing; None: it never does, or not before
    the year 10000, which no clock here reaches."""
    moment = abs(verdict) - SHIFT_MS
    return None if moment > LAST_MS else moment
