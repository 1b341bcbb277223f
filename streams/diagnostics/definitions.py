"""The definitions: whether they are sound, and how far back they look."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from rules.checker import check
from rules.definitions import Definitions
from streams.diagnostics.diagnosis import Diagnosis, ok, warning, wrong
from streams.errors import ConfigurationError
from streams.settings import Settings

_WINDOWS = ("within_ms", "within_last_ms", "older_than_ms")


def diagnose_definitions(settings: Settings) -> list[Diagnosis]:
    """As ``segments check`` finds them."""
    try:
        findings = check(settings.definitions_directory)
    except ConfigurationError as error:
        return [wrong("definitions", str(error), "set SEGMENTS_DEFINITIONS, or `segments init`")]
    errors = [str(finding) for finding in findings if finding.severity == "error"]
    warnings = [str(finding) for finding in findings if finding.severity == "warning"]
    fix = f"see `segments check {settings.definitions}`"
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return [wrong("definitions", f"{errors[0]}{more}", fix)]
    if warnings:
        return [
            warning("definitions", f"sound, with {len(warnings)} warnings, the first: {warnings[0]}", fix)
        ]
    return [ok("definitions", f"sound, in {settings.definitions}")]


def longest_window_ms(definitions: Definitions | None) -> int:
    """The longest ``within`` of all segments, in milliseconds; 0 where there is none."""
    if definitions is None:
        return 0
    return max((length for each in definitions.segments for length in _windows(each)), default=0)


def _windows(value: Any) -> Iterator[int]:
    if isinstance(value, BaseModel):
        for field, inner in value:
            if field in _WINDOWS and isinstance(inner, int):
                yield inner
            else:
                yield from _windows(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _windows(inner)
