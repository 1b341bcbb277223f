"""Leaves of ``did`` with a measure: sums, averages, least and greatest numbers, different values and dates."""

from bisect import bisect_right
from collections.abc import Callable
from fractions import Fraction
from itertools import accumulate
from typing import Any

from rules.conditions import AmountTest, CountTest, Did, Measure
from rules.contact import Contact
from rules.emit import Emitter
from rules.features import (
    Date,
    Property,
    RollingAmount,
    RollingExtreme,
    RollingKeys,
    Source,
    TotalAmount,
    TotalExtreme,
    TotalKeys,
)
from rules.features.extremes import Extreme, sign_of
from rules.features.numbers import SCALE, shown
from rules.features.sketch import estimate
from rules.leaves import Leaf, Loses, Observe, emit_rolling_count, in_window, leaves_ms
from rules.verdict import ALWAYS, NEVER, SHIFT_MS

LOOK_AHEAD = 32
"""How many departures from a window are looked at for the one that changes the outcome. If it is none of them the
contact is looked at again then: a wake too many now and then is cheaper than a long look at every event."""

Verdict = Callable[[Any, int], int]
"""From a feature's state and now, shifted, to a verdict."""


def measured(measure: Measure, source: Source, written: Did) -> Leaf:
    """The leaf of a condition's measure."""
    within_ms = written.within_ms
    match measure.kind:
        case "sum" | "average":
            return AmountLeaf(measure, source, within_ms, written.amount_test)
        case "minimum" | "maximum":
            return ExtremeLeaf(measure.kind, source, measure.of, within_ms, written.amount_test)
        case _:
            of = Property(measure.of) if measure.kind == "distinct" else Date(measure.of)
            return KeysLeaf(source, of, within_ms, written.test)


class _Measured(Leaf):
    """A leaf whose verdict is worked out by a function, and not by generated code."""

    cost = 5
    verdict: Verdict
    """From what is kept of its feature, None where there is nothing."""

    def emit(self, to: Emitter, number: int) -> str:
        state, out = to.feature(number), to.variable()
        to.line(f"{out} = {to.constant(self.verdict)}({state}, now)")
        return out


def whole_test(test: AmountTest) -> Callable[[int], bool]:
    """Whether an amount in millionths passes. In whole numbers, as fractions take ten times as long."""
    low, high = test.in_units(Fraction(1, SCALE))
    if low is None:
        return (lambda _: True) if high is None else lambda amount: amount <= high
    return (lambda amount: low <= amount) if high is None else lambda amount: low <= amount <= high


def average_test(test: AmountTest) -> Callable[[int, int], bool]:
    """Whether the average of so many numbers passes, given their sum in millionths; that of none never does.

    What holds of ``sum / count`` and ``low`` holds of ``sum * denominator`` and ``numerator * count``.
    """
    ends = [None if end is None else (end * SCALE).as_integer_ratio() for end in (test.low, test.high)]
    (low, high), low_is_open, high_is_open = ends, test.low_is_open, test.high_is_open

    def passes(total: int, count: int) -> bool:
        if not count:
            return False
        if low is not None:
            over = total * low[1] - low[0] * count
            if over < 0 or (low_is_open and not over):
                return False
        if high is None:
            return True
        under = high[0] * count - total * high[1]
        return under > 0 or (not under and not high_is_open)

    return passes


class AmountLeaf(_Measured):
    """A sum or an average passes its test."""

    def __init__(self, measure: Measure, source: Source, within_ms: int | None, test: AmountTest) -> None:
        self._within_ms, self._is_average = within_ms, measure.kind == "average"
        self._passes = self._test(test)
        if within_ms is None:
            self.feature = TotalAmount(source, measure.of)
            self.verdict = self._of_all_time
        else:
            self.feature = RollingAmount(source, measure.of, within_ms)
            self.verdict = self._of_window
            low, high = test.in_units(Fraction(1, SCALE))
            if low is not None and high is None and not self._is_average:
                self._low = low
                self.verdict = self._at_least

    def _test(self, test: AmountTest) -> Callable[[int, int], bool]:
        if self._is_average:
            return average_test(test)
        passes = whole_test(test)
        return lambda total, _: passes(total)

    def _of_all_time(self, state: Any, _: int) -> int:
        total, count = state or (0, 0)
        return ALWAYS if self._passes(int(total), count) else NEVER

    def _of_window(self, state: Any, now: int) -> int:
        if state is None:
            return ALWAYS if self._passes(0, 0) else NEVER
        assert self._within_ms is not None
        times, sums, counts, _, total, count = state
        left = now - SHIFT_MS - self._within_ms
        place = bisect_right(times, left) if times and times[0] <= left else 0
        total = int(total) - sum(map(int, sums[:place]))
        count -= sum(counts[:place])
        passes = self._passes(total, count)
        ends = self._within_ms + SHIFT_MS
        for number in range(place, len(times)):
            total -= int(sums[number])
            count -= counts[number]
            if self._passes(total, count) != passes or number == place + LOOK_AHEAD:
                moment: int = times[number] + ends
                return moment if passes else -moment
        return ALWAYS if passes else NEVER

    def _at_least(self, state: Any, now: int) -> int:
        """The same as ``_of_window`` of a sum that has to be at least so much, in a fifth of the time where nothing that
        leaves soon is negative: then the sum only falls, and where it comes below is found by bisection."""
        if state is None:
            return ALWAYS if self._low <= 0 else NEVER
        assert self._within_ms is not None
        times, sums, total = state[0], state[1], state[4]
        left = now - SHIFT_MS - self._within_ms
        place = bisect_right(times, left) if times and times[0] <= left else 0
        soon = sums[place : place + LOOK_AHEAD + 1]
        try:
            if min(soon, default=0) < 0:
                return self._of_window(state, now)
            if place:
                total -= sum(sums[:place])
            falls_short = total < self._low
        except TypeError:  # texts, as some are over 64 bits
            return self._of_window(state, now)
        last = len(soon) - 1
        if falls_short:
            return NEVER if last < LOOK_AHEAD else -(times[place + last] + self._within_ms + SHIFT_MS)
        turns = bisect_right(list(accumulate(soon)), total - self._low)
        if turns > last and last < LOOK_AHEAD:
            return ALWAYS
        moment: int = times[place + min(turns, last)] + self._within_ms + SHIFT_MS
        return moment

    def observer(self, number: int) -> Observe:
        def observe(contact: Contact, now_ms: int) -> float | None:
            state = contact.features.get(number)
            if state is None:
                total, count = 0, 0
            elif self._within_ms is None:
                total, count = int(state[0]), state[1]
            else:
                times, sums, counts, _, total, count = state
                place = bisect_right(times, now_ms - self._within_ms)
                total, count = int(total) - sum(map(int, sums[:place])), count - sum(counts[:place])
            if self._is_average:
                return shown(Fraction(total, count)) if count else None
            return shown(total)

        return observe

    def loses(self, number: int) -> Loses:
        within_ms = self._within_ms
        if within_ms is None:
            return super().loses(number)
        return lambda contact, now_ms: leaves_ms(contact.features.get(number, ((),))[0], now_ms, within_ms)


class ExtremeLeaf(_Measured):
    """The least or the greatest number passes its test; without a number it is false."""

    def __init__(
        self, extreme: Extreme, source: Source, path: str, within_ms: int | None, test: AmountTest
    ) -> None:
        self._within_ms, self._sign = within_ms, sign_of(extreme)
        self._passes = whole_test(test)
        if within_ms is None:
            self.feature = TotalExtreme(extreme, source, path)
            self.verdict = self._of_all_time
        else:
            self.feature = RollingExtreme(extreme, source, path, within_ms)
            self.verdict = self._of_window

    def _of_all_time(self, state: Any, _: int) -> int:
        return ALWAYS if state is not None and self._passes(int(state)) else NEVER

    def _of_window(self, state: Any, now: int) -> int:
        if state is None:
            return NEVER
        assert self._within_ms is not None
        times, values, _ = state
        place = bisect_right(times, now - SHIFT_MS - self._within_ms)
        if place == len(times):
            return NEVER
        passes = self._passes(self._sign * int(values[place]))
        for number in range(place + 1, len(times)):
            if self._passes(self._sign * int(values[number])) != passes or number == place + LOOK_AHEAD:
                moment: int = times[number - 1] + self._within_ms + SHIFT_MS
                return moment if passes else -moment
        return times[-1] + self._within_ms + SHIFT_MS if passes else NEVER

    def observer(self, number: int) -> Observe:
        def observe(contact: Contact, now_ms: int) -> float | None:
            state = contact.features.get(number)
            if state is None or self._within_ms is None:
                return None if state is None else shown(int(state))
            times, values, _ = state
            place = bisect_right(times, now_ms - self._within_ms)
            return shown(self._sign * int(values[place])) if place < len(times) else None

        return observe


class KeysLeaf(Leaf):
    """``low <= number of different values, or of dates, <= high``."""

    cost = 2

    def __init__(self, source: Source, of: Property | Date, within_ms: int | None, test: CountTest) -> None:
        self._within_ms, self._test = within_ms, test
        self.capacity = max(test.low, 1 if test.high is None else test.high + 1)
        self.feature = TotalKeys(source, of) if within_ms is None else RollingKeys(source, of)

    def emit(self, to: Emitter, number: int) -> str:
        state, out = to.feature(number), to.variable()
        if self._within_ms is None:
            high = "" if self._test.high is None else f" <= {self._test.high}"
            to.line(f"{out} = {to.constant(number_of_keys)}({state})")
            to.line(f"{out} = ALWAYS if {self._test.low} <= {out}{high} else NEVER")
            return out
        to.line(f"{out} = None if {state} is None else {state}[0]")
        return emit_rolling_count(to, out, self._within_ms, self._test)

    def observer(self, number: int) -> Observe:
        within_ms = self._within_ms
        if within_ms is None:
            return lambda contact, _: number_of_keys(contact.features.get(number))
        return lambda contact, now_ms: in_window(contact.features.get(number, ((),))[0], now_ms, within_ms)

    def loses(self, number: int) -> Loses:
        within_ms = self._within_ms
        if within_ms is None:
            return super().loses(number)
        return lambda contact, now_ms: leaves_ms(contact.features.get(number, ((),))[0], now_ms, within_ms)


def number_of_keys(state: Any) -> int:
    """How many different keys ``TotalKeys`` has seen, or about how many."""
    if state is None:
        return 0
    return estimate(state) if isinstance(state, bytes) else len(state)
