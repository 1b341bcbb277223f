"""How long a condition stays true when it was met once."""

import math
from collections.abc import Iterable
from fractions import Fraction

from rules.conditions import (
    All,
    AmountTest,
    Any_,
    AtLeast,
    Condition,
    Did,
    DidNot,
    KnownFor,
    Latest,
    None_,
    Not,
    Score,
    ScorePart,
    Sequence,
    Tally,
    TraitIs,
)


def lasts_ms(condition: Condition) -> float:
    """How long it holds, in milliseconds, after what it asks for happened once; infinite where nothing says."""
    match condition:
        case All(all=inner):
            return min(lasts_ms(child) for child in inner)
        case Any_(any=inner):
            return max(lasts_ms(child) for child in inner)
        case None_(none=inner):
            return min(_opposite_lasts_ms(child) for child in inner)
        case Not(not_=only):
            return _opposite_lasts_ms(only)
        case AtLeast(at_least=number, of=inner):
            return _nth_longest(int(number), [lasts_ms(child) for child in inner])
        case Did(within_ms=within_ms) if _needs_events(condition):
            return _least([within_ms])
        case Latest(within_ms=within_ms):
            return _least([within_ms, condition.within_last_ms, condition.within_next_ms])
        case TraitIs():
            return _least([condition.within_last_ms, condition.within_next_ms])
        case Sequence(sequence=chain):
            return _least([chain.within_ms])
        case Score(score=tally):
            return _score_lasts_ms(tally)
        case _:
            return math.inf


def _opposite_lasts_ms(condition: Condition) -> float:
    """How long it does not hold, in the same sense."""
    match condition:
        case All(all=inner):
            return max(_opposite_lasts_ms(child) for child in inner)
        case Any_(any=inner):
            return min(_opposite_lasts_ms(child) for child in inner)
        case None_(none=inner):
            return max(lasts_ms(child) for child in inner)
        case Not(not_=only):
            return lasts_ms(only)
        case AtLeast(at_least=number, of=inner):
            return _nth_longest(len(inner) + 1 - int(number), [_opposite_lasts_ms(child) for child in inner])
        case DidNot(within_ms=within_ms):
            return _least([within_ms])
        case Did(within_ms=within_ms) if not _needs_events(condition):
            return _least([within_ms])
        case KnownFor(known_for_ms=known_for_ms):
            return known_for_ms
        case _:
            return math.inf


def _score_lasts_ms(tally: Tally) -> float:
    """As long as what still counts can give points enough."""
    low_alone = AmountTest(tally.test.low, tally.test.low_is_open)
    if low_alone.passes(0):
        return math.inf
    parts = [(_part_lasts_ms(part), part.range[1]) for part in tally.of]
    lengths_ms = sorted({length_ms for length_ms, _ in parts}, reverse=True)
    return next(
        length_ms
        for length_ms in lengths_ms
        if low_alone.passes(sum((points for other_ms, points in parts if other_ms >= length_ms), Fraction(0)))
    )


def _part_lasts_ms(part: ScorePart) -> float:
    if part.each is not None:
        return _least([part.each.within_ms])
    return math.inf if part.when is None else lasts_ms(part.when)


def _needs_events(condition: Did) -> bool:
    if condition.measure is None or not condition.measure.is_amount:
        return condition.test.low > 0
    return condition.measure.kind != "sum" or not condition.amount_test.passes(0)


def _nth_longest(number: int, lengths_ms: Iterable[float]) -> float:
    return sorted(lengths_ms, reverse=True)[number - 1]


def _least(lengths_ms: Iterable[int | None]) -> float:
    return min((length for length in lengths_ms if length is not None), default=math.inf)
