"""The values that stand in definitions, each with its own reading, its own refusals and its JSON Schema."""

from rules.fields.texts import ANY_EVENT, FilledText, Key, Names, Pattern, Text, compiled, is_key
from rules.fields.times import (
    DurationMs,
    DurationOrNoneMs,
    MomentMs,
    OffsetMs,
    TwoMoments,
    format_offset,
)
from rules.fields.values import Bound, Flag, Number, Percent, Scalar, Scalars, is_number, scalar_order
from rules.fields.zones import Zone

__all__ = [
    "ANY_EVENT",
    "Bound",
    "DurationMs",
    "DurationOrNoneMs",
    "FilledText",
    "Flag",
    "Key",
    "MomentMs",
    "Names",
    "Number",
    "OffsetMs",
    "Pattern",
    "Percent",
    "Scalar",
    "Scalars",
    "Text",
    "TwoMoments",
    "Zone",
    "compiled",
    "format_offset",
    "is_key",
    "is_number",
    "scalar_order",
]
