"""The product's answers, in the form of the reference's."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from rules.catalog import Blueprint, Catalog
from rules.definitions import Definitions
from rules.group import Group
from rules.segment import Segment
from rules.step import Transition
from streams.replay import replay_lines
from streams.wire import Rejected
from tests.reference import Expected, Judged
from tests.reference.membership import named_in

MAX_FUTURE_SKEW_MS = 5 * 60_000


def accepted(segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the segments that the product reads: it refuses tests that can never pass or never fail."""
    return [segment for segment in segments if _is_accepted(segment)]


def accepted_together(
    segments: list[dict[str, Any]], groups: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is left of segments and groups without those that are refused, and without those that name such."""
    found = accepted(segments)
    while True:
        keys = {segment["key"] for segment in found}
        whole = [segment for segment in found if keys.issuperset(named_in(segment["when"]))]
        if len(whole) == len(found):
            break
        found = whole
    left = [{**group, "exclusive": [key for key in group["exclusive"] if key in keys]} for group in groups]
    return found, [group for group in left if group["exclusive"]]


def _is_accepted(segment: dict[str, Any]) -> bool:
    try:
        Segment.model_validate(segment)
    except ValidationError:
        return False
    return True


def definitions_of(segments: list[dict[str, Any]], groups: Sequence[dict[str, Any]] = ()) -> Definitions:
    return Definitions(
        tuple(Segment.model_validate(segment) for segment in segments),
        tuple(Group.model_validate(group) for group in groups),
    )


def catalog_of(segments: list[dict[str, Any]], groups: Sequence[dict[str, Any]] = ()) -> Catalog:
    return Blueprint(definitions_of(segments, groups)).catalog()


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


def replayed(
    segments: list[dict[str, Any]],
    records: list[Any],
    until_ms: int | None = None,
    groups: Sequence[dict[str, Any]] = (),
) -> Judged:
    """What `segments replay` makes of a file of these records."""
    judged = Judged()

    def reject(number: int, rejected: Rejected) -> None:
        judged.dead_letters.append((number - 1, str(rejected.reason)))

    transitions = replay_lines(
        catalog_of(segments, groups),
        lines_of(records),
        until_ms=until_ms,
        max_future_skew_ms=MAX_FUTURE_SKEW_MS,
        reject=reject,
    )
    judged.transitions = by_contact([expected_of(transition) for transition in transitions])
    return judged
