"""Which faults, in which order: by a seed. Each kind comes once before any comes again."""

import random
from collections.abc import Iterator, Sequence

from tests.faults.faults import FAULTS, Fault


def faults(seed: int, names: Sequence[str] = ()) -> Iterator[Fault]:
    """Faults without an end, of these names (none: of all)."""
    chance = random.Random(seed)
    kinds = [FAULTS[name] for name in names or FAULTS]
    while True:
        yield from chance.sample(kinds, len(kinds))
