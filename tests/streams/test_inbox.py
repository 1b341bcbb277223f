"""What waits for a lane: complete, in order, bounded."""

from collections.abc import Callable

import pytest
from aiokafka import ConsumerRecord
from faust.types import TP

from streams.fetching import Batch
from streams.inbox import FULL_RECORDS, MOST_RECORDS, Gap, Inbox

TOPICS = ("events", "by-contact")


def _batch(
    start: int, count: int, *, epoch: int = 1, topic: str = "events", size: int = 10, after: int = 0
) -> Batch:
    records = [
        ConsumerRecord(topic, 0, start + number, 0, 1, None, b"", None, 0, size, ())
        for number in range(count)
    ]
    return Batch(TP(topic, 0), epoch, start, start + count + after, records)


class _Flow:
    """Whether the partition is being fetched."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def hold(self) -> None:
        self.calls.append("hold")

    def release(self) -> None:
        self.calls.append("release")


@pytest.fixture
def flow() -> _Flow:
    return _Flow()


@pytest.fixture
def inbox(flow: _Flow) -> Inbox:
    inbox = Inbox(flow.hold, flow.release)
    inbox.open(1, TOPICS)
    return inbox


def test_small_batches_of_a_topic_are_given_out_as_one(inbox: Inbox) -> None:
    for start in range(0, 50, 5):
        inbox.put(_batch(start, 5))
    topic, records, end = inbox.take() or pytest.fail("nothing there")
    assert (topic, [record.offset for record in records], end) == ("events", list(range(50)), 50)
    assert inbox.take() is None


def test_a_large_batch_is_given_out_in_parts(inbox: Inbox) -> None:
    inbox.put(_batch(0, 2 * MOST_RECORDS + 1, after=3))
    ends = []
    while (work := inbox.take()) is not None:
        ends.append(work[2])
    assert ends == [MOST_RECORDS, 2 * MOST_RECORDS, 2 * MOST_RECORDS + 4]


def test_the_topics_take_turns(inbox: Inbox) -> None:
    inbox.put(_batch(0, MOST_RECORDS))
    inbox.put(_batch(MOST_RECORDS, MOST_RECORDS))
    inbox.put(_batch(0, 1, topic="by-contact"))
    assert [(inbox.take() or ("none",))[0] for _ in range(3)] == ["events", "by-contact", "events"]


def test_what_was_fetched_before_the_last_seek_is_dropped(inbox: Inbox) -> None:
    inbox.put(_batch(0, 5))
    inbox.open(2, TOPICS)
    inbox.put(_batch(5, 5))
    assert inbox.take() is None


@pytest.mark.parametrize("known_first", [True, False])
def test_a_batch_that_was_lost_before_the_first_one_is_noticed(inbox: Inbox, *, known_first: bool) -> None:
    steps: list[Callable[[], None]] = [lambda: inbox.begin({"events": 0}), lambda: inbox.put(_batch(5, 5))]
    for step in steps if known_first else reversed(steps):
        step()
    with pytest.raises(Gap):
        inbox.take()


def test_a_batch_that_was_lost_in_between_is_noticed(inbox: Inbox) -> None:
    inbox.begin({"events": 0})
    inbox.put(_batch(0, 5))
    inbox.put(_batch(10, 5))
    with pytest.raises(Gap):
        inbox.take()


def test_offsets_that_no_record_has_are_no_gap(inbox: Inbox) -> None:
    inbox.begin({"events": 0})
    inbox.put(_batch(0, 5, after=2))
    inbox.put(_batch(7, 5))
    assert (inbox.take() or pytest.fail("nothing there"))[2] == 12


@pytest.mark.parametrize("size", [10, 200_000], ids=["many", "large"])
def test_a_full_inbox_holds_the_partition_until_half_is_taken(inbox: Inbox, flow: _Flow, size: int) -> None:
    start = 0
    while not flow.calls:
        inbox.put(_batch(start, 50, size=size))
        start += 50
    assert flow.calls == ["hold"]
    assert start <= FULL_RECORDS
    while inbox.take() is not None:
        pass
    assert flow.calls == ["hold", "release"]
    assert inbox.records == 0
