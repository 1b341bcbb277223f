"""Numbers as measures take them: six decimals, rounded half to even, and exact from there on (contract, section 4.2)."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any

SCALE = 10**6
_EXACT = Context(prec=400, rounding=ROUND_HALF_EVEN)
_ONE = Decimal(1)
_SURE = 2.0**44
"""Below it a double times a million is off by less than a hundredth, so that its rounding is sure except near a half."""
_INT64 = 2**63
_LARGEST = float.fromhex("0x1.fffffffffffffp+1023")

Kept = int | str
"""A whole number as a record can hold it: as decimal text where it is over 64 bits."""


def scaled(value: Any) -> int | None:
    """A JSON number in millionths; None for anything else."""
    kind = type(value)
    if kind is int:
        whole: int = value
        return whole * SCALE
    if kind is not float:
        return None
    product: float = value * SCALE
    if -_SURE < product < _SURE:
        nearest = round(product)
        if abs(product - nearest) < 0.49:
            return nearest
    return int(_EXACT.multiply(Decimal(repr(value)), SCALE).quantize(_ONE, context=_EXACT))


def kept(number: int) -> Kept:
    """The number as a record holds it."""
    return number if -_INT64 <= number < _INT64 else str(number)


def shown(amount: Fraction | int) -> float:
    """Millionths as a JSON number: a sum that no double can hold, as the largest that one can."""
    over, under = amount.as_integer_ratio()
    under *= SCALE
    whole, rest = divmod(over, under)
    if not rest and abs(whole) < _INT64:
        return whole
    try:
        # Of two whole numbers the nearest double, as of their fraction, which takes ten times as long to make.
        return over / under
    except OverflowError:
        return _LARGEST if over > 0 else -_LARGEST
