"""One process at a time: an advisory lock on a file, gone with the process that holds it."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.local.errors import LocalError

_POLL_S = 0.1


@contextmanager
def exclusive(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock file `path`, made if missing and never removed (removing it would let two holders in).

    Raises LocalError if the folder cannot be written, or another process holds the lock for longer than `timeout_s`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise LocalError(
            f"cannot write to {path.parent}: {error.strerror or error}; choose another directory"
        ) from None
    with file:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LocalError(
                        f"another process has held {path} for {timeout_s:.0f} s; wait for it or end it"
                    ) from None
                time.sleep(_POLL_S)
        yield
