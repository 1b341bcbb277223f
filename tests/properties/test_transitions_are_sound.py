"""What holds of all transitions, whatever the definitions and whatever happens."""

from collections import defaultdict

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.properties import engine, histories, layered
from tests.reference.records import Taken, read


@given(layered.either, histories.records(), histories.untils_ms)
def test_enter_and_exit_alternate_and_time_never_goes_back(
    catalog: layered.Catalog, records: list[histories.Record], until_ms: int | None
) -> None:
    segments, groups = engine.accepted_together(*catalog)
    assume(segments)
    for transitions in engine.replayed(segments, records, until_ms, groups).transitions.values():
        times = [transition.at_ms for transition in transitions]
        assert times == sorted(times)
        so_far: dict[str, int] = defaultdict(int)
        entered_ms: dict[str, int] = {}
        for transition in transitions:
            so_far[transition.segment] += 1
            assert transition.sequence == so_far[transition.segment]
            assert transition.entered == (transition.sequence % 2 == 1)
            assert transition.reason in {"event", "time"}
            if transition.entered:
                entered_ms[transition.segment] = transition.at_ms
                assert transition.member_for_ms is None
            else:
                assert transition.member_for_ms == transition.at_ms - entered_ms[transition.segment]
            assert transition.cause is None or transition.reason == "event"


@given(st.data(), layered.either, histories.records(), histories.untils_ms)
def test_repetitions_change_nothing(
    data: st.DataObject, catalog: layered.Catalog, records: list[histories.Record], until_ms: int | None
) -> None:
    """Sent again at any later place with its own received time, whatever else it then says."""
    segments, groups = engine.accepted_together(*catalog)
    assume(segments)
    more = list(records)
    for _ in range(data.draw(st.integers(1, 3), label="repetitions")):
        place = data.draw(st.integers(0, len(more) - 1), label="of")
        taken = read(more[place])
        if isinstance(taken, Taken) and taken.message_id is not None:
            # A repetition of a group or alias stays one: as a track it would be an event, and move own time.
            event = data.draw(st.sampled_from(("A", "B")), label="says")
            other = {"type": "track", "event": event} if taken.is_of_contact else {}
            again = {**more[place], **other}
            more.insert(data.draw(st.integers(place + 1, len(more)), label="at"), again)
    expected = engine.replayed(segments, records, until_ms, groups).transitions
    assert engine.replayed(segments, more, until_ms, groups).transitions == expected
