"""The engine says what a rescan of the whole history says, to the millisecond."""

from typing import Any

from hypothesis import assume, given, settings

from tests.properties import definitions, engine, histories
from tests.reference import judge

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
