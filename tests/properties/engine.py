"""The product's answers, in the form of the reference's."""

import json
from typing import Any

from pydantic import ValidationError

from rules.catalog import Blueprint, Catalog
from rules.segment import Segment
from rules.step import Transition
from streams.replay import replay_lines
from streams.wire import Rejected
from tests.reference import Expected, Judged

MAX_FUTURE_SKEW_MS = 5 * 60_000


def accepted(segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the segments that the product reads: it refuses tests that can never pass or never fail."""
    return [segment for segment in segments if _is_accepted(segment)]


def _is_accepted(segment: dict[str, Any]) -> bool:
    try:
        Segment.model_validate(segment)
    except ValidationError:
        return False
    return True


def catalog_of(segments: list[dict[str, Any]]) -> Catalog:
    return Blueprint(Segment.model_validate(segment) for segment in segments).catalog()


def lines_of(records: list[Any]) -> list[bytes]:
    return [json.dumps(record).encode() + b"\n" for record in records]


def expected_of(transition: Transition) -> Expected:
    return Expected(
        contact=transition.contact_id,
        segment=transition.segment,
        entered=transition.entered,
        at_ms=transition.at_ms,
        sequence=transition.sequence,
        reason=str(transition.reason),
        cause=transition.cause,
        member_for_ms=transition.member_for_ms,
    )


def by_contact(transitions: list[Expected]) -> dict[str, list[Expected]]:
    found: dict[str, list[Expected]] = {}
    for transition in transitions:
        found.setdefault(transition.contact, []).append(transition)
    return found


def replayed(segments: list[dict[str, Any]], records: list[Any], until_ms: int | None = None) -> Judged:
    """What `segments replay` makes of a file of these records."""
    judged = Judged()

    def reject(number: int, rejected: Rejected) -> None:
        judged.dead_letters.append((number - 1, str(rejected.reason)))

    transitions = replay_lines(
        catalog_of(segments),
        lines_of(records),
        until_ms=until_ms,
        max_future_skew_ms=MAX_FUTURE_SKEW_MS,
        reject=reject,
    )
    judged.transitions = by_contact([expected_of(transition) for transition in transitions])
    return judged
