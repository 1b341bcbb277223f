"""Where a partition is read from."""

import pytest

from streams.errors import PartitionStopped
from streams.places import BEGIN_FIELD, Place, StateLost, begin_of, encode_begin, starts


def _start(place: Place) -> int:
    return starts(3, {"events": place})["events"]


def test_a_first_start_begins_with_the_oldest_record_there_is() -> None:
    assert _start(Place(None, 0, 50)) == 0
    assert _start(Place(None, 20, 50)) == 20


@pytest.mark.parametrize("committed", [20, 5])
def test_a_group_that_was_told_of_a_beginning_alone_has_taken_nothing(committed: int) -> None:
    """Also where retention has moved the beginning since."""
    assert _start(Place(None, 20, 50, committed)) == 20


@pytest.mark.parametrize(
    "place",
    [
        Place(None, 0, 50, 30),
        Place(None, 0, 50, 30, taken=True),
        Place(None, 30, 50, 30, taken=True),
        Place(None, 40, 50, 30, taken=True),
    ],
    ids=["by an older version", "as usual", "all of it deleted", "and more"],
)
def test_a_group_that_has_taken_records_does_not_begin_again(place: Place) -> None:
    with pytest.raises(StateLost, match=r"has taken events up to 30; .*segments rebuild --begin-anew"):
        _start(place)


def test_one_topic_that_was_taken_is_enough() -> None:
    with pytest.raises(StateLost, match="has taken by-contact up to 4"):
        starts(3, {"events": Place(None, 0, 0, 0), "by-contact": Place(None, 0, 4, 4, taken=True)})


def test_an_older_copy_of_the_state_is_gone_on_from() -> None:
    """From before the first record of the other topic, too."""
    places = {"events": Place(10, 0, 50, 30, taken=True), "by-contact": Place(None, 0, 4, 4, taken=True)}
    assert starts(3, places) == {"events": 10, "by-contact": 0}


def test_state_from_beyond_the_end_is_of_another_topic() -> None:
    with pytest.raises(PartitionStopped, match="at offset 51 of events, which ends at 50"):
        _start(Place(51, 0, 50))


def test_what_is_gone_before_it_was_taken_is_passed_over_loudly(caplog: pytest.LogCaptureFixture) -> None:
    assert _start(Place(10, 20, 50)) == 20
    assert "the records 10 to 19 are gone" in caplog.text


def test_where_to_begin_is_read_as_it_was_written() -> None:
    assert begin_of({BEGIN_FIELD: encode_begin({"events": 7})}) == {"events": 7}
    assert begin_of({}) == {}
