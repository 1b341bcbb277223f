"""What was read of a directory of definitions: what is sound, where it stands, and what is wrong with the rest."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from rules.definitions import Definitions
from rules.documents import Document, Place
from rules.errors import Finding, Severity
from rules.examples import Example
from rules.group import Group
from rules.naming import Naming
from rules.problems import Problem
from rules.segment import Segment

_Read = TypeVar("_Read", bound=Segment | Group | Example)


@dataclass(frozen=True, slots=True)
class Located(Generic[_Read]):
    """A segment, a group or an example with the file that it stands in."""

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
    namings: list[Naming] = field(default_factory=list)
    """Whom the segments name, also those that are not sound."""
    group_namings: list[Naming] = field(default_factory=list)
    """Whom the groups name, in the same way."""
    keys: dict[str, Place] = field(default_factory=dict)
    """Of all segments, also of those that are not sound."""
    files: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    examples: list[Located[Example]] = field(default_factory=list)
    example_findings: list[Finding] = field(default_factory=list)
    """What is wrong with examples, which is no reason not to use the definitions."""

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def definitions(self) -> Definitions:
        """All that is defined, each by key in order; to be used where there are no errors."""
        segments = sorted((located.value for located in self.located), key=lambda segment: segment.key)
        groups = sorted((located.value for located in self.groups), key=lambda group: group.key)
        return Definitions(tuple(segments), tuple(groups), tuple(self.files))


def finding_of(
    severity: Severity, problem: Problem, file: str, place: Place, segment: str | None = None
) -> Finding:
    """A finding at a place of a file."""
    return Finding(problem.code, severity, file, *place, segment, problem.message, problem.hint)
