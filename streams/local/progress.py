"""How long work of this package tells of itself."""

from typing import Protocol


class Progress(Protocol):
    """Told what is being done: a step and, where known, how much of it (same unit, 0 where unknown)."""

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None: ...


def silent(step: str, done: int = 0, total: int = 0) -> None:
    """A `Progress` that tells nobody."""
