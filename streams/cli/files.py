"""Files of events: JSON lines, plain or compressed, read line by line whatever their size."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import click

from streams.cli.terminal import ProgressLine

LONGEST_LINE = 1024 * 1024
"""Of a longer line only so much is read: four times what an event may have, so that it is too large in any case."""
_LOOK_EVERY = 512


class EventFile:
    """The lines of a file; ``-`` is standard input, ``.gz`` is compressed. Raises UsageError if it cannot be read."""

    def __init__(self, path: str, progress: ProgressLine, *, silent: bool = False) -> None:
        """``silent``: somebody else shows how far the work is."""
        self._path, self._progress, self._silent = path, progress, silent
        self.lines = 0
        """How many lines have been read."""

    def __iter__(self) -> Iterator[bytes]:
        with _explained(self._path):
            if self._path == "-":
                # Of its own: where a thread still waits for a line, the interpreter could not close its own at the end.
                with open(sys.stdin.fileno(), "rb", closefd=False) as piped:
                    yield from self._read(piped, piped, 0)
                return
            with Path(self._path).open("rb") as raw:
                size = Path(self._path).stat().st_size
                if self._path.endswith(".gz"):
                    with gzip.open(raw) as unpacked:
                        yield from self._read(cast("BinaryIO", unpacked), raw, size)
                else:
                    yield from self._read(raw, raw, size)

    def _read(self, file: BinaryIO, raw: BinaryIO, size: int) -> Iterator[bytes]:
        read_line, progress, silent = file.readline, self._progress, self._silent
        while line := read_line(LONGEST_LINE):
            self.lines += 1
            if not silent and not self.lines % _LOOK_EVERY and progress.is_due:
                part = f", {100 * raw.tell() // size} %" if size else ""
                progress.show(f"{self.lines:,} lines{part}")
            yield line
            while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                line = read_line(LONGEST_LINE)


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Only what reading raises: the body of a generator's caller does not run in here."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise click.UsageError(f"{path} cannot be unpacked: {error}") from None
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror or error}") from None
