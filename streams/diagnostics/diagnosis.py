"""What is said of one thing that was looked at."""

from dataclasses import asdict, dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    """It works; something may go wrong later, or cannot be told."""
    WRONG = "wrong"
    """A worker will not start, or not do its work, or a guarantee does not hold."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at."""

    what: str
    grade: Grade
    found: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """For ``--json``."""
        return asdict(self)


def ok(what: str, found: str) -> Diagnosis:
    return Diagnosis(what, Grade.OK, found)


def warning(what: str, found: str, fix: str) -> Diagnosis:
    return Diagnosis(what, Grade.WARNING, found, fix)


def wrong(what: str, found: str, fix: str) -> Diagnosis:
    return Diagnosis(what, Grade.WRONG, found, fix)
