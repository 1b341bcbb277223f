"""Keeps the log readable while Kafka is away: its libraries repeat themselves many times a second then."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 30.0
"""How often the same message of a library is let through."""


class Paced(logging.Filter):
    """Lets each message of some loggers through once in a while, and says how many were left out."""

    def __init__(
        self,
        names: tuple[str, ...],
        every_s: float = EVERY_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._names, self._every_s, self._monotonic = names, every_s, monotonic
        self._let_through: dict[tuple[str, str], float] = {}
        self._left_out: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is let through. Its text before arguments are put in tells what is the same."""
        if not record.name.startswith(self._names):
            return True
        key, now = (record.name, str(record.msg)), self._monotonic()
        if now - self._let_through.get(key, float("-inf")) < self._every_s:
            self._left_out[key] = self._left_out.get(key, 0) + 1
            return False
        self._let_through[key] = now
        if left_out := self._left_out.pop(key, 0):
            record.msg, record.args = f"{record.getMessage()} (and {left_out} times more)", None
        return True


@contextmanager
def paced(*names: str) -> Iterator[None]:
    """Paces the loggers whose names begin so, in all that the root logger's handlers write."""
    handlers, pacing = list(logging.getLogger().handlers), Paced(names)
    for handler in handlers:
        handler.addFilter(pacing)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(pacing)
