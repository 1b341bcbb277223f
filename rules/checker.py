"""Everything that is to be said about the definitions of a directory: errors, and what is sound but suspicious."""

from collections.abc import Iterator
from pathlib import Path

from rules.conditions import KnownFor, Node, children
from rules.durations import format_duration
from rules.errors import Finding
from rules.lasting import lasts_ms
from rules.loading import read
from rules.meaning import meaning
from rules.newcomers import of_newcomer
from rules.problems import Problem
from rules.reading import Located
from rules.segment import Segment
from rules.tautologies import never_or_always


def check(directory: str | Path) -> list[Finding]:
    """Every error and warning, in the order of files and lines."""
    reading = read(directory)
    findings = [*reading.findings, *reading.example_findings, *_warnings(reading.located)]
    return sorted(findings, key=lambda finding: finding.place)


def _warnings(segments: list[Located[Segment]]) -> Iterator[Finding]:
    first: dict[str, Located[Segment]] = {}
    for located in segments:
        segment = located.value
        if not (segment.campaign or "").strip():
            message, hint = "drives no campaign", "write campaign: and what the segment is for"
            yield located.finding("warning", Problem("no_campaign", message, hint, ("key",)))
        if of_newcomer(segment.when) is True and not _has_known_for(segment.when):
            message = "negative conditions alone: every newcomer matches"
            hint = "add a condition on what they did, or known_for: 7d"
            yield located.finding("warning", Problem("negative_only", message, hint, ("when",)))
        for problem in never_or_always(segment.when, segment.key, ("when",)):
            yield located.finding("warning", problem)
        if segment.enter_after_ms is not None and segment.enter_after_ms >= (most := lasts_ms(segment.when)):
            message = f"`enter_after` is not shorter than the {format_duration(int(most))} for which the condition holds"
            hint = "make it shorter: as it is, only who meets the condition again and again enters"
            yield located.finding("warning", Problem("enter_after", message, hint, ("enter_after",)))
        same = first.setdefault(meaning(segment), located)
        if same is not located:
            message = f"means the same as segment {same.value.key} in {same.file}"
            yield located.finding("warning", Problem("same_meaning", message, "keep one of them", ("when",)))


def _has_known_for(condition: Node) -> bool:
    return isinstance(condition, KnownFor) or any(_has_known_for(child) for _, child in children(condition))
