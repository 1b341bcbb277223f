"""The numbers under which contacts keep things, so that a record need not repeat long names."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Numbering:
    """Numbers of features and segments, by key.

    A number once given to a feature or a segment is never given to another while records may hold it.
    """

    features: Mapping[str, int]
    segments: Mapping[str, int]
    versions: Mapping[str, int] = field(default_factory=dict)
    """By segment key; 1 where it is silent."""
