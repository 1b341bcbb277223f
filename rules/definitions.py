"""All that is defined, read and sound."""

from dataclasses import dataclass

from rules.group import Group
from rules.segment import Segment


@dataclass(frozen=True, slots=True)
class Definitions:
    """Segments and groups that belong together: whoever is named is there, and there is no circle."""

    segments: tuple[Segment, ...]
    groups: tuple[Group, ...] = ()
    files: tuple[str, ...] = ()
    """Where they stand."""
