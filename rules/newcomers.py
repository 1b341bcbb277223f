"""What a condition says of a contact of whom nothing is known yet."""

from fractions import Fraction
from typing import assert_never

from rules.conditions import (
    All,
    Any_,
    AtLeast,
    Condition,
    Did,
    DidNot,
    First,
    KnownFor,
    Latest,
    MemberOf,
    None_,
    Not,
    NotMemberOf,
    Sample,
    Score,
    Sequence,
    Tally,
    TraitIs,
)
from rules.contradictions import NEGATIVE_TESTS, exact


def of_newcomer(condition: Condition) -> bool | None:
    """What a condition says of a contact of whom nothing is known yet; None: of some so, of others so."""
    match condition:
        case All(all=inner):
            return _all([of_newcomer(child) for child in inner])
        case Any_(any=inner):
            return _opposite(_all([_opposite(of_newcomer(child)) for child in inner]))
        case None_(none=inner):
            return _all([_opposite(of_newcomer(child)) for child in inner])
        case Not(not_=only):
            return _opposite(of_newcomer(only))
        case AtLeast(at_least=number, of=inner):
            verdicts = [of_newcomer(child) for child in inner]
            if verdicts.count(True) >= number:
                return True
            return None if len(verdicts) - verdicts.count(False) >= number else False
        case Score(score=tally):
            return _score(tally)
        case _:
            return _by_leaf(condition)


def _score(tally: Tally) -> bool | None:
    """Nothing was done yet, so that only conditions give points."""
    verdicts = [(exact(part.points), of_newcomer(part.when)) for part in tally.of if part.when is not None]
    sure = sum((points for points, verdict in verdicts if verdict), Fraction(0))
    some = [points for points, verdict in verdicts if verdict is None]
    low = sure + sum((points for points in some if points < 0), Fraction(0))
    high = sure + sum((points for points in some if points > 0), Fraction(0))
    if low == high:
        return tally.test.passes(sure)
    if tally.test.passes(low) and tally.test.passes(high):
        return True
    return None


def _by_leaf(
    leaf: Did | DidNot | Latest | First | TraitIs | KnownFor | Sample | Sequence | MemberOf | NotMemberOf,
) -> bool | None:
    match leaf:
        case Did():
            return _of_nothing(leaf)
        case DidNot() | NotMemberOf():
            return True
        case TraitIs(tests=tests):
            return all(
                test in NEGATIVE_TESTS or (test == "exists" and not value)
                for test, value in tests.given.items()
            )
        case Latest() | First() | KnownFor() | Sequence() | MemberOf():
            return False
        case Sample():
            return None
        case _:
            assert_never(leaf)


def _of_nothing(leaf: Did) -> bool:
    """A count of nothing is 0, and so is a sum; there is no average of nothing."""
    if leaf.measure is not None and leaf.measure.is_amount:
        return leaf.measure.kind == "sum" and leaf.amount_test.passes(Fraction(0))
    return leaf.test.low == 0


def _all(verdicts: list[bool | None]) -> bool | None:
    return False if False in verdicts else None if None in verdicts else True


def _opposite(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict
