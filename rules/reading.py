"""What was read of a directory of definitions: what is sound, where it stands, and what is wrong with the rest."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from rules.documents import Document, Place
from rules.errors import Finding, Severity
from rules.group import Group
from rules.problems import Problem
from rules.segment import Segment

_Read = TypeVar("_Read", bound=Segment | Group)


@dataclass(frozen=True, slots=True)
class Located(Generic[_Read]):
    """A segment or a group with the file that it stands in."""

    value: _Read
    file: str
    document: Document
    at: tuple[str | int, ...]

    def finding(self, severity: Severity, problem: Problem) -> Finding:
        """A finding about it; the problem's place is below it."""
        place = self.document.place((*self.at, *problem.at), on_key=problem.on_key)
        segment = self.value.key if isinstance(self.value, Segment) else None
        return finding_of(severity, problem, self.file, place, segment)


@dataclass
class Reading:
    """What a directory holds: the sound segments and groups, and what is wrong with the rest."""

    located: list[Located[Segment]] = field(default_factory=list)
    groups: list[Located[Group]] = field(default_factory=list)
    keys: dict[str, Place] = field(default_factory=dict)
    """Of all segments, also of those that are not sound."""
    files: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def segments(self) -> Iterator[Segment]:
        return (located.value for located in self.located)


def finding_of(
    severity: Severity, problem: Problem, file: str, place: Place, segment: str | None = None
) -> Finding:
    """A finding at a place of a file."""
    return Finding(problem.code, severity, file, *place, segment, problem.message, problem.hint)
