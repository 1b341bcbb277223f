"""Section 5 of the contract, and the headers of dead letters."""

import hashlib
import json
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.durations import FIRST_MS, LAST_MS, format_moment
from rules.step import Reason as Cause
from rules.step import Transition
from streams.wire import (
    Reason,
    Rejected,
    dead_letter_headers,
    encode,
    message_id,
    received_at_header,
    received_time,
    transitions,
)


def transition(**fields: Any) -> Transition:
    usual: dict[str, Any] = {
        "contact_id": "u42",
        "segment": "hot-mobile-buyers",
        "entered": True,
        "sequence": 7,
        "at_ms": 1_767_607_200_000,
        "reason": "event",
        "cause": "m1",
        "member_for_ms": None,
        "version": 3,
        "evidence": [("did Order Completed", 2, True)],
    }
    return Transition(**(usual | fields))


def test_an_enter_is_the_record_of_the_contract_field_for_field() -> None:
    key, value, headers = encode(transition())
    digest = hashlib.sha256(b"u42\nhot-mobile-buyers\n7").hexdigest()[:32]
    assert key == b"u42"
    expected = {
        "messageId": digest,
        "type": "track",
        "userId": "u42",
        "event": "Audience Entered",
        "timestamp": "2026-01-05T10:00:00.000Z",
        "properties": {"audience_key": "hot-mobile-buyers", "hot-mobile-buyers": True},
        "context": {
            "personas": {
                "computation_class": "audience",
                "computation_key": "hot-mobile-buyers",
                "computation_id": "hot-mobile-buyers",
                "namespace": "livesegments",
            },
            "segment": {
                "version": 3,
                "sequence": 7,
                "reason": "event",
                "cause": "m1",
                "member_for_ms": None,
                "evidence": [{"condition": "did Order Completed", "observed": 2, "holds": True}],
            },
        },
    }
    assert value == json.dumps(expected, separators=(",", ":")).encode()
    assert headers == [
        ("ce_specversion", b"1.0"),
        ("ce_type", b"livesegments.segment.entered"),
        ("ce_id", digest.encode()),
        ("ce_source", b"livesegments"),
        ("ce_time", b"2026-01-05T10:00:00.000Z"),
        ("ce_subject", b"u42"),
        ("content-type", b"application/json"),
    ]


def test_an_exit_says_so_and_how_long_the_contact_was_a_member() -> None:
    _, value, headers = encode(
        transition(
            entered=False, sequence=8, reason="time", cause=None, member_for_ms=86_400_001, evidence=[]
        )
    )
    record = json.loads(value)
    assert record["event"] == "Audience Exited"
    assert record["properties"] == {"audience_key": "hot-mobile-buyers", "hot-mobile-buyers": False}
    assert record["context"]["segment"] == {
        "version": 3,
        "sequence": 8,
        "reason": "time",
        "cause": None,
        "member_for_ms": 86_400_001,
        "evidence": [],
    }
    assert ("ce_type", b"livesegments.segment.exited") in headers


def test_a_contact_known_by_its_anonymous_id_has_that_in_place_of_the_user_id() -> None:
    key, value, headers = encode(transition(contact_id="anonymous:a1"))
    record = json.loads(value)
    assert (key, ("ce_subject", b"anonymous:a1") in headers) == (b"anonymous:a1", True)
    assert list(record)[:4] == ["messageId", "type", "anonymousId", "event"]
    assert record["anonymousId"] == "a1"
    assert record["messageId"] == hashlib.sha256(b"anonymous:a1\nhot-mobile-buyers\n7").hexdigest()[:32]


@pytest.mark.parametrize("contact_id", ["ü😀", 'a"b\\c', "a\nb\x00\x1f\u2028", "%b%d{}", " ", "x" * 256])
def test_ids_of_any_characters_stay_whole(contact_id: str) -> None:
    key, value, headers = encode(transition(contact_id=contact_id, cause=contact_id))
    record = orjson.loads(value)
    assert (record["userId"], record["context"]["segment"]["cause"]) == (contact_id, contact_id)
    assert key.decode() == dict(headers)["ce_subject"].decode() == contact_id


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_767_607_200_007, "2026-01-05T10:00:00.007Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_the_timestamp_has_milliseconds_and_says_utc(at_ms: int, text: str) -> None:
    _, value, headers = encode(transition(at_ms=at_ms))
    assert json.loads(value)["timestamp"] == dict(headers)["ce_time"].decode() == text


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "observed", [None, 0, 1.5, "text", True, [1, "a", None], {"a": [1]}, [], 2**64, -(2**200), deep(300)]
)
def test_evidence_tells_whatever_was_observed(observed: Any) -> None:
    evidence = [("trait a exists", observed, True), ("did B", 0, False)]
    record = json.loads(encode(transition(evidence=evidence))[1])
    assert record["context"]["segment"]["evidence"] == [
        {"condition": "trait a exists", "observed": observed, "holds": True},
        {"condition": "did B", "observed": 0, "holds": False},
    ]


def test_a_transition_is_never_lost_for_its_evidence() -> None:
    for observed in (deep(100_000), "\ud800", float("nan"), {1, 2}):
        record = orjson.loads(encode(transition(evidence=[("a", observed, True)]))[1])
        assert record["context"]["segment"]["sequence"] == 7


@pytest.mark.parametrize(
    ("observed", "told"),
    [
        ("x" * 250_000, "x" * 200 + "..."),
        ("\x01" * 250_000, "\x01" * 200 + "..."),
        ([1, "ü"] * 50_000, ('[1, "ü", ' + '1, "ü", ' * 30)[:200] + "..."),
        (7, 7),
        ("x" * 200, "x" * 200),
        (None, None),
    ],
    ids=lambda value: f"{str(value)[:5]!r}",
)
def test_evidence_that_no_topic_would_take_is_shortened(observed: Any, told: Any) -> None:
    evidence = [(f"latest A p{number}", observed, True) for number in range(99)]
    value = encode(transition(evidence=[*evidence, ("trait t", "y" * 65_536, False)]))[1]
    assert len(value) < 200_000
    found = json.loads(value)["context"]["segment"]["evidence"]
    assert [each["observed"] for each in found] == [told] * 99 + ["y" * 200 + "..."]
    assert [each["condition"] for each in found[:2]] == ["latest A p0", "latest A p1"]


def test_evidence_of_usual_size_stays_whole() -> None:
    evidence = [("latest A p", "x" * 60_000, True)]
    record = json.loads(encode(transition(evidence=evidence))[1])
    assert record["context"]["segment"]["evidence"][0]["observed"] == "x" * 60_000


texts = st.text(st.characters(), max_size=20)  # of any characters, those that JSON cannot have among them
few = st.sampled_from(["did A", "did B", "trait ü exists"])
simple = (
    st.none() | st.booleans() | st.integers(-3, 1003) | st.integers() | st.floats() | texts | few
    | st.sampled_from([1, 1.0, True, 0, 0.0, -0.0, False, 2**63, 2**64 - 1, 2**64, "x" * 900, "ü" * 30_000])
)  # fmt: skip
observed = simple | st.recursive(
    simple, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)
any_transition = st.builds(
    Transition,
    contact_id=st.text(max_size=8) | st.text(max_size=8).map("anonymous:{}".format),
    segment=st.sampled_from(["a", "hot-mobile-buyers"]),
    entered=st.booleans(),
    sequence=st.integers(0, 1100),
    at_ms=st.integers(FIRST_MS, LAST_MS),
    reason=st.sampled_from([*Cause, "another"]),
    cause=st.none() | texts,
    member_for_ms=st.none() | st.integers(0, LAST_MS - FIRST_MS),
    version=st.integers(1, 1100),
    evidence=st.lists(st.tuples(few | texts, observed, st.booleans()), max_size=4),
    brief=st.booleans(),
)


@given(any_transition)
def test_what_is_kept_of_earlier_transitions_changes_no_byte(transition: Transition) -> None:
    with patch.object(transitions, "_plain", side_effect=TypeError):
        in_full = encode(transition)
    # What it has kept of itself, too.
    assert encode(transition) == encode(transition) == in_full
    _, value, headers = in_full
    named = {name: text.decode() for name, text in headers}
    assert named["ce_id"] == message_id(transition.contact_id, transition.segment, transition.sequence)
    assert named["ce_time"] == format_moment(transition.at_ms)
    said = json.loads(value)
    assert (said["messageId"], said["timestamp"]) == (named["ce_id"], named["ce_time"])


def test_what_is_kept_of_earlier_transitions_is_bounded() -> None:
    for number in range(transitions.MOST_TOLD + 10):
        encode(transition(evidence=[("a", f"value {number}", True), ("a", "x" * 2000 + str(number), True)]))
    assert len(transitions._told) <= transitions.MOST_TOLD
    assert max(map(len, transitions._told.values())) <= transitions.MOST_TOLD_BYTES


def test_message_ids_differ_by_contact_segment_and_sequence() -> None:
    ids = {message_id(*parts) for parts in [("a", "s", 1), ("a", "s", 2), ("a", "t", 1), ("b", "s", 1)]}
    assert len(ids) == 4
    assert message_id("u42", "hot-mobile-buyers", 7) == json.loads(encode(transition())[1])["messageId"]


def test_a_dead_letter_says_why_and_where_from() -> None:
    headers = dead_letter_headers(
        Rejected(Reason.BAD_FIELD, "traits must be an object"),
        source_topic="events",
        source_partition=3,
        source_offset=12_345,
        received_ms=1_767_607_200_000,
        failed_ms=1_767_607_200_100,
        headers=[("trace", b"t1"), ("received_at", b"1"), ("reason", b"of a life before"), ("empty", None)],
    )
    assert dict(headers) == {
        "trace": b"t1",
        "empty": None,
        "reason": b"bad_field",
        "detail": b"traits must be an object",
        "source_topic": b"events",
        "source_partition": b"3",
        "source_offset": b"12345",
        "received_at": b"1767607200000",
        "failed_at": b"1767607200100",
    }
    assert len(headers) == len(dict(headers))


def test_a_received_time_that_could_not_be_read_stays_as_it_was_in_the_dead_letter() -> None:
    headers = dead_letter_headers(
        Rejected(Reason.BAD_TIMESTAMP, "x"),
        source_topic="events",
        source_partition=0,
        source_offset=0,
        received_ms=None,
        failed_ms=1,
        headers=[("received_at", b"yesterday")],
    )
    assert ("received_at", b"yesterday") in headers


@pytest.mark.parametrize("received_ms", [0, 1, 1_767_607_200_000, -5, 253_402_300_799_999])
def test_a_received_time_survives_being_sent_on(received_ms: int) -> None:
    assert received_time([received_at_header(received_ms)], 7) == received_ms
