"""Which segments a segment or a group of a file names, read before it is known whether the rest of it is sound.

So what is wrong between definitions is told together with what is wrong within them, and not when that was mended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rules.documents import Document, Path
from rules.fields import is_key

_LISTS = ("all", "any", "none", "of")
_NAMES = ("member_of", "not_member_of")


@dataclass(frozen=True, slots=True)
class Naming:
    """A segment or a group, and whom it names."""

    key: str | None
    """Its own key as written; None where it has none."""
    names: tuple[tuple[str, Path], ...]
    """Keys of segments, each with its place in the file."""
    file: str
    document: Document
    at: Path


def named_in_segment(value: Any, at: Path) -> Iterator[tuple[str, Path]]:
    """The keys that the condition of a segment names, in the order of the file."""
    if isinstance(value, dict):
        yield from _in_condition(value.get("when"), (*at, "when"))


def named_in_group(value: Any, at: Path) -> Iterator[tuple[str, Path]]:
    """The segments of a group, each once: that one is named twice is told of the group itself."""
    exclusive = value.get("exclusive") if isinstance(value, dict) else None
    seen = set()
    for number, key in enumerate(exclusive if isinstance(exclusive, list) else ()):
        if is_key(key) and key not in seen:
            seen.add(key)
            yield key, (*at, "exclusive", number)


def _in_condition(value: Any, at: Path) -> Iterator[tuple[str, Path]]:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key in _NAMES and is_key(inner):
            yield inner, (*at, key)
        elif key in _LISTS and isinstance(inner, list):
            for number, child in enumerate(inner):
                yield from _in_condition(child, (*at, key, number))
        elif key == "not":
            yield from _in_condition(inner, (*at, key))
        elif key == "score":
            yield from _in_score(inner, (*at, key))


def _in_score(value: Any, at: Path) -> Iterator[tuple[str, Path]]:
    parts = value.get("of") if isinstance(value, dict) else None
    for number, part in enumerate(parts if isinstance(parts, list) else ()):
        if isinstance(part, dict):
            yield from _in_condition(part.get("when"), (*at, "of", number, "when"))
