"""Which faults, in which order: by a seed. Each kind comes once before any comes again."""

import random
import time
from collections.abc import Iterator, Sequence

from tests.faults.faults import FAULTS, Fault


def each_once(seed: int, names: Sequence[str]) -> list[Fault]:
    """Each of these, in some order."""
    return random.Random(seed).sample([FAULTS[name] for name in names], len(names))


def for_minutes(seed: int, minutes: float, names: Sequence[str] = ()) -> Iterator[Fault]:
    """Faults of these names (none: of all) for as long as they have the time to end."""
    chance, until = random.Random(seed), time.monotonic() + 60 * minutes
    kinds = [FAULTS[name] for name in names or FAULTS]
    while True:
        for fault in chance.sample(kinds, len(kinds)):
            left_s = until - time.monotonic()
            if left_s <= 0:
                return
            if fault.about_s <= left_s:
                yield fault
