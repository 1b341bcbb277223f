"""Everything that is to be said about the definitions of a directory: errors, and what is sound but suspicious."""

from collections.abc import Iterator
from pathlib import Path

from rules.conditions import KnownFor, Node, children
from rules.errors import Finding
from rules.loading import Located, read
from rules.meaning import meaning
from rules.newcomers import of_newcomer
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


def _has_known_for(condition: Node) -> bool:
    return isinstance(condition, KnownFor) or any(_has_known_for(child) for _, child in children(condition))
