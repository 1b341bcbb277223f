"""Durations and moments by the letter of the contract (sections 2 and 3)."""

import re
from decimal import Decimal
from typing import Any

UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
ISO = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<digits>[0-9]+))?)?"
    r"(?:Z|(?P<sign>[+-])(?P<zone_hours>[0-9]{2})(?::?(?P<zone_minutes>[0-9]{2}))?)?)?"
)
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def duration_ms(text: str) -> int:
    number, unit = re.fullmatch(r"([0-9]+)(ms|s|m|h|d|w)", text).groups()  # type: ignore[union-attr]
    return int(number) * UNIT_MS[unit]


def moment_ms(value: Any) -> int | None:
    """Milliseconds since 1970 of an ISO text or a number; None where the value is no moment."""
    if isinstance(value, bool):
        return None
    moment: int | None
    if isinstance(value, int | float):
        moment = _of_number(Decimal(repr(value)))
    elif isinstance(value, str):
        moment = _of_text(value)
    else:
        return None
    first, last = _midnight(1, 1, 1), _midnight(10_000, 1, 1) - 1
    return moment if moment is not None and first <= moment <= last else None


def _of_number(number: Decimal) -> int:
    # The contract says "seconds below 1e11": of negative numbers the size is meant, or no year before 1967 had one.
    return int(number * 1000) if abs(number) < 100_000_000_000 else int(number)


def _of_text(text: str) -> int | None:
    match = ISO.fullmatch(text)
    if match is None:
        return None
    part = {
        name: int(found)
        for name, found in match.groupdict(default="0").items()
        if name not in {"sign", "digits"}
    }
    year, month, day = part["year"], part["month"], part["day"]
    if not 1 <= month <= 12 or not 1 <= day <= MONTH_DAYS[month - 1] + (month == 2 and _is_leap(year)):
        return None
    if part["hour"] > 23 or part["minute"] > 59 or part["second"] > 59:
        return None
    if part["zone_hours"] > 23 or part["zone_minutes"] > 59:
        return None
    of_day = (part["hour"] * 60 + part["minute"]) * 60_000 + part["second"] * 1_000
    cut = int(((match["digits"] or "") + "000")[:3])
    zone = (part["zone_hours"] * 60 + part["zone_minutes"]) * 60_000 * (-1 if match["sign"] == "-" else 1)
    return _midnight(year, month, day) + of_day + cut - zone


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _midnight(year: int, month: int, day: int) -> int:
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    days += sum(MONTH_DAYS[: month - 1]) + (month > 2 and _is_leap(year)) + day - 1
    return (days - 719_162) * UNIT_MS["d"]
