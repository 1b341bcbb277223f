"""Segments as JSON for a peer that has rules of its own, in another language.

Which features are kept, and which tests of them a segment is the `all` of. Such a peer knows what the workloads of the kit
are made of, and nothing else: counts and sums in rolling windows, and a property of the latest event.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from rules.durations import parse_duration

MICROS = 1_000_000
"""Sums are kept in these parts of one."""


def plain_rules(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Features and segments, in the order in which segments are judged. Raises ValueError on any other condition."""
    features = _Features()
    segments = []
    for document in sorted(documents, key=lambda one: str(one["key"])):
        if "all" not in document["when"] or document.keys() - {"key", "campaign", "when"}:
            raise ValueError(f"{document['key']}: no peer knows such a segment")
        segments.append(
            {"key": document["key"], "tests": [features.test(leaf) for leaf in document["when"]["all"]]}
        )
    return {"features": features.found, "segments": segments}


class _Features:
    """What is kept of a contact, each once."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self._numbers: dict[tuple[Any, ...], int] = {}

    def test(self, leaf: dict[str, Any]) -> dict[str, Any]:
        """One test of a segment, as its feature's number and what is asked of it."""
        given = frozenset(leaf)
        if given == {"did", "within", "at_least"}:
            number = self._number("count", [leaf["did"]], None)
            self._keep(number, "newest", leaf["at_least"])
            return {
                "feature": number,
                "at_least": leaf["at_least"],
                "within_ms": parse_duration(leaf["within"]),
            }
        if given == {"did", "sum", "within", "at_least"}:
            within_ms = parse_duration(leaf["within"])
            number = self._number("sum", [leaf["did"]], ["properties", leaf["sum"]])
            self._keep(number, "within_ms", within_ms)
            at_least = Fraction(str(leaf["at_least"])) * MICROS
            return {"feature": number, "at_least": int(at_least), "within_ms": within_ms}
        if given == {"latest", "property", "is"}:
            names = [leaf["latest"]] if isinstance(leaf["latest"], str) else leaf["latest"]
            number = self._number("latest", names, leaf["property"].split("."))
            return {"feature": number, "is": leaf["is"]}
        raise ValueError(f"{leaf}: no peer knows such a condition")

    def _number(self, kind: str, events: Sequence[str], path: Sequence[str] | None) -> int:
        key = (kind, *events, *(path or ()))
        if key not in self._numbers:
            self._numbers[key] = len(self.found)
            self.found.append({"kind": kind, "events": list(events), "path": path})
        return self._numbers[key]

    def _keep(self, number: int, what: str, least: int) -> None:
        """Notes how much of a feature is needed."""
        feature = self.found[number]
        feature[what] = max(feature.get(what, 0), least)
