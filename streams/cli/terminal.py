"""What commands show besides their results: how far they are, on stderr, and only where a person looks."""

import sys
import time
from types import TracebackType
from typing import Self

import click

_BETWEEN_S = 0.1
_CLEAR = "\r\x1b[K"


class ProgressLine:
    """One line on stderr that is written over again and again; nothing where that is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._written = False
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    @property
    def is_due(self) -> bool:
        """Whether an update would show: saves making texts that nobody sees."""
        return self._shown and time.monotonic() >= self._next

    def show(self, text: str) -> None:
        """Shows how far the work is, at most ten times a second."""
        if self.is_due:
            self._next = time.monotonic() + _BETWEEN_S
            self._written = True
            click.echo(f"{_CLEAR}{text}", err=True, nl=False, color=True)

    def step(self, step: str, done: int = 0, total: int = 0) -> None:
        """Shows a step of a start, as ``streams.local`` tells of it."""
        part = f" {100 * done // total} % of {total / 1_000_000:.0f} MB" if total else ""
        if not total or not done:
            self._next = 0.0
        self.show(f"{step} ..{part}")

    def say(self, text: str) -> None:
        """Writes a line that stays, terminal or not."""
        self.clear()
        click.echo(text, err=True)

    def clear(self) -> None:
        """Takes the line away."""
        if self._written:
            self._written = False
            click.echo(_CLEAR, err=True, nl=False, color=True)


def plural(count: int, what: str) -> str:
    """``1 error``, ``2 errors``, ``no errors``."""
    return f"{count:,} {what}" if count == 1 else f"{f'{count:,}' if count else 'no'} {what}s"
