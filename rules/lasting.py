"""How long a condition stays true when it was met once."""

import math
from collections.abc import Iterable

from rules.conditions import All, Any_, AtLeast, Condition, Did, Latest, Sequence, TraitIs


def lasts_ms(condition: Condition) -> float:
    """How long it holds, in milliseconds, after what it asks for happened once; infinite where nothing says."""
    match condition:
        case All(all=inner):
            return min(lasts_ms(child) for child in inner)
        case Any_(any=inner):
            return max(lasts_ms(child) for child in inner)
        case AtLeast(at_least=number, of=inner):
            return sorted((lasts_ms(child) for child in inner), reverse=True)[int(number) - 1]
        case Did(within_ms=within_ms) if _needs_events(condition):
            return _least([within_ms])
        case Latest(within_ms=within_ms):
            return _least([within_ms, condition.within_last_ms, condition.within_next_ms])
        case TraitIs():
            return _least([condition.within_last_ms, condition.within_next_ms])
        case Sequence(sequence=chain):
            return _least([chain.within_ms])
        case _:
            return math.inf


def _needs_events(condition: Did) -> bool:
    if condition.measure is None or not condition.measure.is_amount:
        return condition.test.low > 0
    return condition.measure.kind != "sum" or not condition.amount_test.passes(0)


def _least(lengths_ms: Iterable[int | None]) -> float:
    return min((length for length in lengths_ms if length is not None), default=math.inf)
