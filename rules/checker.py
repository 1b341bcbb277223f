"""Everything that is to be said about the definitions of a directory: errors, and what is sound but suspicious."""

from collections.abc import Iterator
from pathlib import Path
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
    None_,
    Not,
    Sample,
    TraitIs,
    children,
)
from rules.contradictions import NEGATIVE_TESTS
from rules.errors import Finding
from rules.loading import Located, read
from rules.meaning import meaning
from rules.problems import Problem


def check(directory: str | Path) -> list[Finding]:
    """Every error and warning, in the order of files and lines."""
    reading = read(directory)
    findings = [*reading.findings, *_warnings(reading.located)]
    return sorted(findings, key=lambda finding: finding.place)


def _warnings(segments: list[Located]) -> Iterator[Finding]:
    first: dict[str, Located] = {}
    for located in segments:
        segment = located.segment
        if not (segment.campaign or "").strip():
            message, hint = "drives no campaign", "write campaign: and what the segment is for"
            yield located.finding("warning", Problem("no_campaign", message, hint, ("key",)))
        if of_newcomer(segment.when) is True and not _has_known_for(segment.when):
            message = "negative conditions alone: every newcomer matches"
            hint = "add a condition on what they did, or known_for: 7d"
            yield located.finding("warning", Problem("negative_only", message, hint, ("when",)))
        same = first.setdefault(meaning(segment), located)
        if same is not located:
            message = f"means the same as segment {same.segment.key} in {same.file}"
            yield located.finding("warning", Problem("same_meaning", message, "keep one of them", ("when",)))


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
        case Did(test=test):
            return test.low == 0
        case DidNot():
            return True
        case TraitIs(tests=tests):
            return all(
                test in NEGATIVE_TESTS or (test == "exists" and not value)
                for test, value in tests.given.items()
            )
        case Latest() | First() | KnownFor():
            return False
        case Sample():
            return None
        case _:
            assert_never(condition)


def _all(verdicts: list[bool | None]) -> bool | None:
    return False if False in verdicts else None if None in verdicts else True


def _opposite(verdict: bool | None) -> bool | None:
    return None if verdict is None else not verdict


def _has_known_for(condition: Condition) -> bool:
    return isinstance(condition, KnownFor) or any(_has_known_for(child) for _, child in children(condition))
