"""Durations and moments: from text to whole milliseconds and back (contract, sections 2 and 3).

Durations are milliseconds, moments are milliseconds UTC since 1970. Digits finer than a millisecond are cut off.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, Context, Decimal, InvalidOperation
from functools import lru_cache

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

UNITS_MS = {"ms": 1, "s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
LONGEST_MS = 9999 * 366 * DAY_MS
"""No two moments lie further apart; a longer duration would only overflow what keeps times in 64 bits."""

_EPOCH_DAY = date(1970, 1, 1).toordinal()
FIRST_MS = (date(1, 1, 1).toordinal() - _EPOCH_DAY) * DAY_MS
LAST_MS = (date(9999, 12, 31).toordinal() + 1 - _EPOCH_DAY) * DAY_MS - 1
"""The first and the last millisecond that a moment can name: years 1 to 9999 in UTC."""

_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d|w)")
_MOMENT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]+))?)?"
    r"(?:Z|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?)?)?"
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")

# The usual form of a moment is taken apart by table: what is no key of its table is left to the pattern above.
_HOURS = {f"{mark}{hour:02}": hour * HOUR_MS for mark in "T " for hour in range(24)}
_SECONDS_OF_HOUR = tuple(f":{minute:02}:{second:02}" for minute in range(60) for second in range(60))
_IN_HOUR = {text: second * SECOND_MS for second, text in enumerate(_SECONDS_OF_HOUR)}
_ENDS = {f".{ms:03}{zone}": ms for ms in range(1000) for zone in ("Z", "+00:00", "")} | {
    "Z": 0,
    "+00:00": 0,
    "": 0,
}
_FINE_END = re.compile(r"\.([0-9]{3})[0-9]+(?:Z|\+00:00)?")

_CUT = Context(prec=40, rounding=ROUND_DOWN)
_SECONDS_BELOW = 10**11


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """A moment that a definition names, as against a plain number."""

    ms: int

    def __str__(self) -> str:
        return format_moment(self.ms)


def parse_duration(text: str) -> int:
    """``90m`` -> milliseconds. Raises ValueError with the reason."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{_shown(text)} is no duration: a whole number and one of ms, s, m, h, d, w, such as 90m or 30d"
        )
    number, unit = found.groups()
    # Python refuses to read very long numbers, with words of its own.
    duration_ms = int(number) * UNITS_MS[unit] if len(number) < 20 else LONGEST_MS + 1
    if duration_ms > LONGEST_MS:
        raise ValueError(f"{_shown(text)} is longer than the years 1 to 9999")
    return duration_ms


def format_duration(duration_ms: int) -> str:
    """Milliseconds -> ``30d``, in the largest unit that says it exactly; days rather than weeks."""
    for unit in ("d", "h", "m", "s"):
        if duration_ms and duration_ms % UNITS_MS[unit] == 0:
            return f"{duration_ms // UNITS_MS[unit]}{unit}"
    return f"{duration_ms}ms" if duration_ms else "0s"


def parse_moment(text: str) -> int:
    """ISO 8601 as the contract has it -> milliseconds UTC since 1970. Raises ValueError."""
    try:
        # Of hours there are few: what is kept of them serves even where years are read again, an event a minute.
        moment_ms = _hour_ms(text[:13]) + _IN_HOUR[text[13:19]]
        end = text[19:]
        if end in _ENDS:
            return moment_ms + _ENDS[end]
        found = _FINE_END.fullmatch(text, 19)
        if found is not None:
            return moment_ms + int(found[1])
    except (KeyError, ValueError):
        pass
    return _parse_any_moment(text)


@lru_cache(maxsize=4096)
def _hour_ms(text: str) -> int:
    return _day_ms(text[:10]) + _HOURS[text[10:]]


@lru_cache(maxsize=4096)
def _day_ms(text: str) -> int:
    found = _MOMENT.fullmatch(text)
    if found is None or found[4] is not None:
        raise ValueError(text)
    return (date(int(found[1]), int(found[2]), int(found[3])).toordinal() - _EPOCH_DAY) * DAY_MS


def _parse_any_moment(text: str) -> int:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"{_shown(text)} is no moment: write it like 2026-01-05 or 2026-01-05T10:00:00Z")
    year, month, day, hour, minute, second, digits, sign, zone_hours, zone_minutes = found.groups()
    try:
        # Year 0 is written, but not meant, by a moment early in year 1 with an offset west; 400 years are one cycle.
        days = date(int(year) or 400, int(month), int(day)).toordinal() - (0 if int(year) else 146_097)
    except ValueError:
        raise ValueError(f"{_shown(text)} is no moment: there is no such day") from None
    moment_ms = (days - _EPOCH_DAY) * DAY_MS
    if hour is not None:
        moment_ms += int(hour) * HOUR_MS + int(minute) * MINUTE_MS + int(second or 0) * SECOND_MS
        moment_ms += int((digits or "0")[:3].ljust(3, "0"))
    if sign is not None:
        offset_ms = int(zone_hours) * HOUR_MS + int(zone_minutes or 0) * MINUTE_MS
        moment_ms += offset_ms if sign == "-" else -offset_ms
    return _in_calendar(moment_ms, text)


def moment_of_number(number: int | float | str) -> int:
    """Seconds (below 1e11 either way) or milliseconds since 1970 -> milliseconds UTC since 1970.

    A text is a JSON number, read exactly. Raises ValueError, also beyond the years 1 to 9999.
    """
    if type(number) is int:
        return _in_calendar(
            number * SECOND_MS if -_SECONDS_BELOW < number < _SECONDS_BELOW else number, number
        )
    if isinstance(number, bool):
        raise ValueError(f"{_shown(number)} is no moment")  # noqa: TRY004 - one error for all that is no moment
    # A double is what its shortest decimal text says: 1.001 s is 1001 ms, although the double lies below.
    text = number if isinstance(number, str) else repr(number)
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{_shown(text)} is no moment")
    try:
        exact = Decimal(text)
    except InvalidOperation:
        exact = Decimal(float(text))
    if not -_SECONDS_BELOW < exact < _SECONDS_BELOW:
        return (
            _in_calendar(int(exact), number)
            if FIRST_MS - 1 < exact < LAST_MS + 1
            else _in_calendar(None, number)
        )
    return _in_calendar(int(_CUT.multiply(exact, SECOND_MS)), number)


def format_moment(moment_ms: int) -> str:
    """Milliseconds UTC since 1970 -> ``2026-01-05T10:00:00.000Z``. Raises ValueError beyond the years 1 to 9999."""
    hour, rest = divmod(moment_ms, HOUR_MS)
    second, millis = divmod(rest, SECOND_MS)
    return f"{_hour_text(hour)}{_SECONDS_OF_HOUR[second]}.{millis:03}Z"


@lru_cache(maxsize=4096)
def _hour_text(hour: int) -> str:
    days, of_day = divmod(hour, 24)
    return f"{date.fromordinal(days + _EPOCH_DAY).isoformat()}T{of_day:02}"


def _in_calendar(moment_ms: int | None, written: object) -> int:
    if moment_ms is None or not FIRST_MS <= moment_ms <= LAST_MS:
        raise ValueError(f"{_shown(written)} is no moment: it lies outside the years 1 to 9999 in UTC")
    return moment_ms


def _shown(written: object) -> str:
    """What was written, short enough for a message."""
    text = repr(written)
    return text if len(text) <= 60 else f"{text[:40]}..."
