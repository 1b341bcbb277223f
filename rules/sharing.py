"""Functions that make the same thing once.

Definitions say the same again and again, for one event after the other. What works for all of them alike is one object,
which stays in the processor's caches where a thousand copies would not.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import ParamSpec, TypeVar

MOST = 4096
"""How many different things of one kind are kept to be shared."""

P = ParamSpec("P")
T = TypeVar("T")


def shared(make: Callable[P, T]) -> Callable[P, T]:
    """``make``, which gives the same object for equal arguments. These are hashable, and what is made has no state."""
    made: Callable[P, T] = lru_cache(MOST)(make)  # type: ignore[assignment]  # typeshed keeps no parameters
    return made
