"""What a contact is told to change by time alone is what then happens."""

from hypothesis import assume, given

from rules.explanation import views
from streams.replay import Replay
from streams.wire import Rejected, decode_line
from tests.properties import engine, histories, layered

FAR_MS = 10**9
"""Beyond all durations of the definitions."""


@given(layered.catalogs(), histories.records())
def test_a_membership_changes_by_itself_when_it_was_said_to(
    catalog: layered.Catalog, records: list[histories.Record]
) -> None:
    segments, groups = engine.accepted_together(*catalog)
    assume(segments)
    replay = Replay(engine.catalog_of(segments, groups))
    for line in engine.lines_of(records):
        event = decode_line(line, max_future_skew_ms=engine.MAX_FUTURE_SKEW_MS)
        if not isinstance(event, Rejected):
            replay.take(event)
    replay.finish()
    assume(replay.clock_ms is not None)
    assert replay.clock_ms is not None
    keys = [segment["key"] for segment in segments]
    foreseen = {
        (contact.id, view.segment): (view.member, view.judged_otherwise, view.changes_ms)
        for contact in replay.contacts.values()
        for view in views(replay.catalog, contact, replay.clock_ms, keys)
    }
    first: dict[tuple[str, str], int] = {}
    for transition in replay.finish(replay.clock_ms + FAR_MS):
        first.setdefault((transition.contact_id, transition.segment), transition.at_ms)
    for (contact_id, segment), (_, otherwise, changes_ms) in foreseen.items():
        assert not otherwise
        assert changes_ms is None or changes_ms < replay.clock_ms + FAR_MS, "longer durations than thought"
        assert changes_ms == first.get((contact_id, segment))
