"""The engine says what a rescan of the whole history says, to the millisecond."""

from typing import Any

from hypothesis import assume, given, settings

from tests.properties import definitions, engine, histories, layered
from tests.reference import Expected, judge

Segments = list[dict[str, Any]]


# The one that all else leans on gets more cases than the rest.
@settings(max_examples=4 * settings().max_examples)
@given(definitions.segments, histories.records(), histories.untils_ms)
def test_every_transition_is_the_one_that_a_rescan_of_the_history_finds(
    segments: Segments, records: list[histories.Record], until_ms: int | None
) -> None:
    segments = engine.accepted(segments)
    assume(segments)
    assert engine.replayed(segments, records, until_ms) == judge(segments, records, until_ms)


@given(layered.catalogs(), histories.records(), histories.untils_ms)
def test_it_does_with_policies_groups_and_references_too(
    catalog: tuple[Segments, Segments], records: list[histories.Record], until_ms: int | None
) -> None:
    segments, groups = engine.accepted_together(*catalog)
    assume(segments)
    expected = judge(segments, records, until_ms, groups)
    assert engine.replayed(segments, records, until_ms, groups) == expected
    for group in groups:
        for moves in expected.transitions.values():
            assert _most_at_once(moves, group["exclusive"]) <= 1


def _most_at_once(moves: list[Expected], segments: list[str]) -> int:
    """Of how many of the segments a contact is ever a member between two transitions."""
    members: set[str] = set()
    most = 0
    for move in moves:
        if move.segment in segments:
            (members.add if move.entered else members.discard)(move.segment)
            most = max(most, len(members))
    return most
