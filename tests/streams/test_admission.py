"""What keeps a lane from beginning."""

import pytest

from streams.admission import (
    RESTORED_FIELD,
    TOPICS_FIELD,
    TopicMadeAnew,
    decode_topics,
    encode_topics,
    topics_to_store,
)

OFFSETS = {"events": 7}


def _meta(before: str) -> dict[str, bytes]:
    return {TOPICS_FIELD: encode_topics({"events": before})}


def test_the_id_of_a_topic_is_stored_when_it_is_first_known() -> None:
    stored = topics_to_store(1, OFFSETS, {}, {"events": "a"})
    assert decode_topics(stored) == {"events": "a"}
    assert topics_to_store(1, OFFSETS, {TOPICS_FIELD: stored or b""}, {"events": "a"}) is None


def test_brokers_that_give_no_ids_change_nothing() -> None:
    assert topics_to_store(1, OFFSETS, {}, {}) is None
    assert topics_to_store(1, OFFSETS, _meta("a"), {}) is None


def test_another_topic_under_the_name_is_refused() -> None:
    with pytest.raises(TopicMadeAnew, match=r"the topic events .* \(id a, and now b\)"):
        topics_to_store(1, OFFSETS, _meta("a"), {"events": "b"})


def test_another_topic_is_as_good_where_nothing_was_taken_of_it() -> None:
    assert decode_topics(topics_to_store(1, {}, _meta("a"), {"events": "b"})) == {"events": "b"}


def test_a_topic_that_somebody_has_put_back_is_taken_for_the_one_of_before_and_no_other_is() -> None:
    meta = _meta("a") | {RESTORED_FIELD: encode_topics({"events": "b"})}
    assert decode_topics(topics_to_store(1, OFFSETS, meta, {"events": "b"})) == {"events": "b"}
    with pytest.raises(TopicMadeAnew):
        topics_to_store(1, OFFSETS, meta, {"events": "c"})
