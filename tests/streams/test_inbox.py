"""What waits for a lane: complete, bounded, in the order of received times."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streams.clock import Clock
from streams.fetched import FetchedRecord, fetched
from streams.fetching import Batch
from streams.inbox import FULL_BYTES, FULL_RECORDS, MOST_BYTES, MOST_RECORDS, Gap, Inbox, Part

EVENTS, BY_CONTACT = TOPICS = ("events", "by-contact")
NOW_MS = 1_000_000
SKEW_MS = 1000


def _record(offset: int, received_ms: int, size: int = 10) -> FetchedRecord:
    return FetchedRecord(offset, received_ms, None, b"", (), size)


def _batch(
    start: int,
    times_ms: Sequence[int],
    *,
    topic: str = EVENTS,
    epoch: int = 1,
    size: int = 10,
    after: int = 0,
    ends: Mapping[str, int] | None = None,
) -> Batch:
    """Records with these received times; ``after``: how many offsets after them have no record. By ``ends`` the broker
    has nothing of the other topic, if nothing is said."""
    records = [_record(offset, time_ms, size) for offset, time_ms in enumerate(times_ms, start=start)]
    known = {BY_CONTACT if topic == EVENTS else EVENTS: 0} if ends is None else ends
    return Batch(TP(topic, 0), epoch, start, start + len(records) + after, records, known)


def _zeros(start: int, count: int, **options: int) -> Batch:
    return _batch(start, [0] * count, size=options.get("size", 10), after=options.get("after", 0))


class _Flow:
    """Which topics are being fetched."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def hold(self, topic: str) -> None:
        self.calls.append(("hold", topic))

    def release(self, topic: str) -> None:
        self.calls.append(("release", topic))


def _open(flow: _Flow) -> Inbox:
    inbox = Inbox(flow.hold, flow.release, Clock(max_future_skew_ms=SKEW_MS, wall_ms=lambda: NOW_MS))
    inbox.open(1, TOPICS)
    inbox.begin({EVENTS: 0, BY_CONTACT: 0})
    return inbox


@pytest.fixture
def flow() -> _Flow:
    return _Flow()


@pytest.fixture
def inbox(flow: _Flow) -> Inbox:
    return _open(flow)


def _offsets(part: Part) -> list[int]:
    return [record.offset for record in part.records]


def _times(parts: Sequence[Part]) -> dict[str, list[int]]:
    return {part.topic: [record.timestamp for record in part.records] for part in parts}


def test_small_batches_of_a_topic_are_given_out_as_one(inbox: Inbox) -> None:
    for start in range(0, 50, 5):
        inbox.put(_zeros(start, 5))
    (part,) = inbox.take()
    assert (part.topic, _offsets(part), part.end) == (EVENTS, list(range(50)), 50)
    assert inbox.take() == []
    assert inbox.missing is None


def test_a_large_batch_is_given_out_in_parts(inbox: Inbox) -> None:
    inbox.put(_zeros(0, 2 * MOST_RECORDS + 1, after=3))
    ends = []
    while parts := inbox.take():
        ends.append(parts[0].end)
    assert ends == [MOST_RECORDS, 2 * MOST_RECORDS, 2 * MOST_RECORDS + 4]


def test_large_records_are_given_out_few_at_a_time_and_each_once(inbox: Inbox) -> None:
    size = 256 * 1024
    inbox.put(_zeros(0, 20, size=size))
    inbox.put(_zeros(20, 20, size=size))
    inbox.put(_zeros(40, 1, size=2 * MOST_BYTES))
    given_out, offsets = [], []
    while parts := inbox.take():
        given_out.append(sum(record.size for record in parts[0].records))
        offsets += [record.offset for record in parts[0].records]
    assert offsets == list(range(41))
    assert max(given_out[:-1]) <= MOST_BYTES + size
    assert inbox.records == 0


def test_keys_and_headers_count_as_much_as_values(inbox: Inbox, flow: _Flow) -> None:
    half = bytes(FULL_BYTES // 2)
    key = fetched(None, SimpleNamespace(offset=0, timestamp=0, key=half, value=b"", headers=[]))
    header = fetched(
        None,
        SimpleNamespace(offset=1, timestamp=0, key=None, value=b"", headers=[("h", half), ("n", None)]),
    )
    for record in (key, header):
        inbox.put(Batch(TP(EVENTS, 0), 1, record.offset, record.offset + 1, [record], {BY_CONTACT: 0}))
    assert flow.calls == [("hold", EVENTS)]


def test_no_topic_runs_ahead_of_what_waits_of_the_other(inbox: Inbox) -> None:
    inbox.put(_batch(0, [10, 20, 30], ends={}))
    inbox.put(_batch(0, [15, 25, 35], topic=BY_CONTACT, ends={}))
    assert _times(inbox.take()) == {EVENTS: [10, 20, 30], BY_CONTACT: [15, 25]}
    # More of the events may come that are older than 35.
    assert inbox.take() == []
    assert inbox.missing == EVENTS
    inbox.put(_batch(3, [32, 40], ends={}))
    assert _times(inbox.take()) == {EVENTS: [32], BY_CONTACT: [35]}
    inbox.put(_batch(5, [50], ends={BY_CONTACT: 3}))
    assert _times(inbox.take()) == {EVENTS: [40, 50]}


def test_at_the_end_of_both_topics_everything_is_given_out(inbox: Inbox) -> None:
    inbox.put(_batch(0, [10, 50], ends={EVENTS: 2, BY_CONTACT: 2}))
    inbox.put(_batch(0, [20, 30], topic=BY_CONTACT, ends={EVENTS: 2, BY_CONTACT: 2}))
    assert _times(inbox.take()) == {EVENTS: [10, 50], BY_CONTACT: [20, 30]}


def test_nothing_is_given_out_while_the_other_topic_may_have_more(inbox: Inbox) -> None:
    inbox.put(_batch(0, [10], ends={}))
    assert inbox.take() == []
    assert inbox.missing == BY_CONTACT
    inbox.is_read(BY_CONTACT, 0)
    assert _times(inbox.take()) == {EVENTS: [10]}


def test_an_end_that_lies_beyond_what_has_come_is_none_yet(inbox: Inbox) -> None:
    """Both topics' batches of one fetch: the first one says already how far the second one goes."""
    inbox.put(_batch(0, [10], ends={EVENTS: 1, BY_CONTACT: 2}))
    assert inbox.take() == []
    inbox.put(_batch(0, [5, 20], topic=BY_CONTACT, ends={EVENTS: 1, BY_CONTACT: 2}))
    assert _times(inbox.take()) == {EVENTS: [10], BY_CONTACT: [5, 20]}


def test_a_time_that_went_back_waits_for_nothing(inbox: Inbox) -> None:
    inbox.put(_batch(0, [30, 10, 40], ends={}))
    inbox.put(_batch(0, [20, 35], topic=BY_CONTACT, ends={}))
    # No more of the other topic may come that is older than 35.
    assert _times(inbox.take()) == {EVENTS: [30, 10], BY_CONTACT: [20, 35]}


@pytest.mark.parametrize("mistaken_ms", [NOW_MS + SKEW_MS + 1, -1])
def test_a_received_time_that_moves_no_clock_is_not_waited_for(inbox: Inbox, mistaken_ms: int) -> None:
    inbox.put(_batch(0, [10, mistaken_ms, 20], ends={}))
    inbox.put(_batch(0, [15, 30], topic=BY_CONTACT, ends={}))
    assert _times(inbox.take()) == {EVENTS: [10, mistaken_ms, 20], BY_CONTACT: [15]}


@given(
    st.lists(st.integers(0, 60), max_size=40),
    st.lists(st.integers(0, 60), max_size=40),
    st.randoms(use_true_random=False),
)
def test_however_it_comes_it_is_given_out_in_the_order_of_time(
    events_ms: list[int], by_contact_ms: list[int], chance: Callable[..., object]
) -> None:
    times = {EVENTS: sorted(events_ms), BY_CONTACT: sorted(by_contact_ms)}
    inbox, come, given_out, latest = _open(_Flow()), dict.fromkeys(TOPICS, 0), [], []
    while any(come[topic] < len(times[topic]) for topic in TOPICS):
        topic = chance.choice([topic for topic in TOPICS if come[topic] < len(times[topic])])  # type: ignore[attr-defined]
        start = come[topic]
        come[topic] += chance.randint(1, len(times[topic]) - start)  # type: ignore[attr-defined]
        ends = {each: come[each] for each in TOPICS if come[each] == len(times[each])}
        inbox.put(_batch(start, times[topic][start : come[topic]], topic=topic, ends=ends))
        while parts := inbox.take():
            taken = sorted(
                (record.timestamp, TOPICS.index(part.topic), record.offset)
                for part in parts
                for record in part.records
            )
            given_out += taken
            latest.append(taken[-1])
    assert given_out == sorted(
        (time_ms, TOPICS.index(topic), offset)
        for topic in TOPICS
        for offset, time_ms in enumerate(times[topic])
    )


def test_what_was_fetched_before_the_last_seek_is_dropped(inbox: Inbox) -> None:
    inbox.put(_zeros(0, 5))
    inbox.open(2, TOPICS)
    inbox.put(_zeros(5, 5))
    assert inbox.take() == []


@pytest.mark.parametrize("known_first", [True, False])
def test_a_batch_that_was_lost_before_the_first_one_is_noticed(inbox: Inbox, *, known_first: bool) -> None:
    inbox.open(1, TOPICS)
    steps: list[Callable[[], None]] = [lambda: inbox.begin({EVENTS: 0}), lambda: inbox.put(_zeros(5, 5))]
    for step in steps if known_first else reversed(steps):
        step()
    with pytest.raises(Gap):
        inbox.take()


def test_a_batch_that_was_lost_in_between_is_noticed(inbox: Inbox) -> None:
    inbox.put(_zeros(0, 5))
    inbox.put(_zeros(10, 5))
    with pytest.raises(Gap):
        inbox.take()


def test_offsets_that_no_record_has_are_no_gap(inbox: Inbox) -> None:
    inbox.put(_zeros(0, 5, after=2))
    inbox.put(_zeros(7, 5))
    assert [part.end for part in inbox.take()] == [12]


@pytest.mark.parametrize("size", [10, 200_000], ids=["many", "large"])
def test_a_topic_of_which_much_waits_is_held_until_half_is_taken(
    inbox: Inbox, flow: _Flow, size: int
) -> None:
    start = 0
    while not flow.calls:
        inbox.put(_zeros(start, 50, size=size))
        start += 50
    assert flow.calls == [("hold", EVENTS)]
    assert start <= FULL_RECORDS
    while inbox.take():
        pass
    assert flow.calls == [("hold", EVENTS), ("release", EVENTS)]
    assert inbox.records == 0


def test_the_topic_that_another_one_waits_for_is_never_held(inbox: Inbox, flow: _Flow) -> None:
    inbox.put(_batch(0, range(FULL_RECORDS), ends={}))
    assert inbox.take() == []
    assert inbox.missing == BY_CONTACT
    assert flow.calls == [("hold", EVENTS)]
    inbox.put(_batch(0, [FULL_RECORDS], topic=BY_CONTACT, ends={}))
    while inbox.take():
        pass
    assert flow.calls == [("hold", EVENTS), ("release", EVENTS)]
