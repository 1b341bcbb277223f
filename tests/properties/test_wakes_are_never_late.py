"""No verdict changes before the wake that the contact knows of, unless something happens."""

from typing import Any

from hypothesis import assume, given

from rules.contact import Contact
from rules.verdict import SHIFT_MS
from streams.replay import Replay
from streams.wire import Rejected, decode_line
from tests.properties import definitions, engine, histories
from tests.reference.conditions import History, durations_of, holds, moments_to_look_at
from tests.reference.records import Taken, read

Segments = list[dict[str, Any]]


@given(definitions.segments, histories.records(max_size=8))
def test_no_verdict_changes_before_the_wake(segments: Segments, records: list[histories.Record]) -> None:
    segments = engine.accepted(segments)
    assume(segments)
    replay = Replay(engine.catalog_of(segments))
    histories_so_far: dict[str, History] = {}
    ids: set[tuple[str, str]] = set()
    durations = durations_of(segments)
    for record, line in zip(records, engine.lines_of(records), strict=True):
        event, taken = decode_line(line, max_future_skew_ms=engine.MAX_FUTURE_SKEW_MS), read(record)
        if isinstance(event, Rejected) or isinstance(taken, str):
            continue
        replay.take(event)
        _note(taken, histories_so_far, ids)
        assert replay.clock_ms is not None
        for name, history in histories_so_far.items():
            moments = sorted(moments_to_look_at(history, durations))
            _check_until_wake(segments, replay.contacts[name], history, replay.clock_ms, moments)


def _note(taken: Taken, histories_so_far: dict[str, History], ids: set[tuple[str, str]]) -> None:
    """Keeps what counts. No case has so many records that an id is forgotten."""
    is_repetition = taken.message_id is not None and (taken.contact, taken.message_id) in ids
    if taken.message_id is not None:
        ids.add((taken.contact, taken.message_id))
    if taken.is_of_contact and not is_repetition:
        histories_so_far.setdefault(taken.contact, History(taken.contact)).events.append(taken)


def _check_until_wake(
    segments: Segments, contact: Contact, history: History, clock_ms: int, moments: list[int]
) -> None:
    members = {number for number, membership in contact.memberships.items() if membership.is_member}
    wake_ms = contact.wake_ms
    assert wake_ms is None or wake_ms >= clock_ms
    # Own time may be beyond the clock's last wake, never beyond the clock.
    assert contact.now_ms is not None
    assert contact.now_ms <= clock_ms
    for moment in moments:
        # A repetition moves own time past the wakes at exactly its received time, which are then still to come.
        if contact.now_ms < moment and clock_ms <= moment and (wake_ms is None or moment < wake_ms):
            for number, segment in enumerate(segments):
                assert holds(segment["when"], history, moment, segment["key"]) == (number in members), moment


def test_the_verdict_of_a_program_is_the_moment_at_which_it_ends() -> None:
    """The property above would hold of an engine that wakes every millisecond; this one does not."""
    catalog = engine.catalog_of([{"key": "s", "when": {"did": "A", "within": "5ms", "at_least": 2}}])
    replay = Replay(catalog)
    records = [
        {"type": "track", "event": "A", "userId": "u", "timestamp": 1_767_607_200_000 + n} for n in (0, 3)
    ]
    for line in engine.lines_of(records):
        event = decode_line(line, max_future_skew_ms=engine.MAX_FUTURE_SKEW_MS)
        assert not isinstance(event, Rejected)
        replay.take(event)
    contact = replay.contacts["u"]
    assert contact.wake_ms == 1_767_607_200_005
    assert catalog.programs[0].judge(contact.features, 1_767_607_200_003 + SHIFT_MS, contact) > 0
    assert catalog.programs[0].judge(contact.features, 1_767_607_200_005 + SHIFT_MS, contact) < 0
