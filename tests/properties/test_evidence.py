"""The evidence of a transition says of each leaf what a rescan of the history says."""

from collections.abc import Iterator
from typing import Any

from hypothesis import assume, given

from rules.step import Transition
from streams.replay import Replay
from streams.wire import Rejected, decode_line
from tests.properties import definitions, engine, histories
from tests.reference.conditions import History, holds
from tests.reference.moments import moment_ms
from tests.reference.records import Taken, read

Segments = list[dict[str, Any]]


def _leaves(condition: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """In the order in which they are written; a score comes before what gives it points."""
    for kind in ("all", "any", "none", "of"):
        if kind in condition:
            for inner in condition[kind]:
                yield from _leaves(inner)
            return
    if "score" in condition:
        yield condition
        for part in condition["score"]["of"]:
            yield from _leaves(part["when"] if "when" in part else part["each"])
    elif "not" in condition:
        yield from _leaves(condition["not"])
    else:
        yield condition


def _check(
    transitions: list[Transition], reason: str, segments: Segments, histories: dict[str, History]
) -> None:
    by_key = {segment["key"]: segment["when"] for segment in segments}
    for transition in transitions:
        if transition.reason == reason:
            history, leaves = histories[transition.contact_id], _leaves(by_key[transition.segment])
            expected = [holds(leaf, history, transition.at_ms, transition.segment) for leaf in leaves]
            assert [said for _, _, said in transition.evidence] == expected


@given(definitions.segments, histories.records())
def test_each_leaf_of_the_evidence_holds_or_not_as_a_rescan_finds(
    segments: Segments, records: list[histories.Record]
) -> None:
    segments = engine.accepted(segments)
    assume(segments)
    # In the order of received times, and without repetitions: whatever time does then comes before the next event.
    records = [{**record, "messageId": None} for record in records]
    records.sort(key=lambda record: moment_ms(record.get("receivedAt", record.get("timestamp"))) or 0)
    replay = Replay(engine.catalog_of(segments))
    so_far: dict[str, History] = {}
    for record, line in zip(records, engine.lines_of(records), strict=True):
        event, taken = decode_line(line, max_future_skew_ms=engine.MAX_FUTURE_SKEW_MS), read(record)
        if isinstance(event, Rejected) or not isinstance(taken, Taken):
            continue
        transitions = replay.take(event)
        _check(transitions, "time", segments, so_far)
        if taken.is_of_contact:
            so_far.setdefault(taken.contact, History(taken.contact)).events.append(taken)
        _check(transitions, "event", segments, so_far)
    _check(replay.finish(), "time", segments, so_far)
