"""What is wrong with definitions: one finding for each problem, with its place and what to write instead."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of a definition file. Lines and columns count from 1; 0 where the file has none."""

    code: str
    """For programs: ``unknown_key``, ``bad_duration``, .."""
    severity: Severity
    file: str
    line: int
    column: int
    segment: str | None
    """The segment's key, where it is one segment's problem and its key is known."""
    message: str
    hint: str = ""
    """What to write instead; may be empty."""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        segment = f"segment {self.segment}: " if self.segment else ""
        hint = f" ({self.hint})" if self.hint else ""
        # One finding is one line, whatever stands in a definition.
        return " ".join(f"{place}: {self.severity}: {segment}{self.message}{hint}".splitlines())

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self)

    @property
    def place(self) -> tuple[str, int, int]:
        return self.file, self.line, self.column


class DefinitionError(Exception):
    """The definitions cannot be used: their author must mend them, and then start again."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))
