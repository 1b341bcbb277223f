"""Replaying a real purchase history gives what working it out by hand gives."""

from collections import Counter

import pytest

from rules.catalog import Blueprint
from rules.loading import load
from streams.replay import replay_lines
from streams.wire import Rejected
from tests.cdnow import by_hand
from tests.cdnow.purchases import SEGMENTS, Purchase, event_lines, purchases
from tests.properties.engine import by_contact, expected_of


@pytest.fixture(scope="module")
def bought() -> list[Purchase]:
    return purchases()


def test_the_history_is_all_there(bought: list[Purchase]) -> None:
    assert len(bought) == 69_659
    assert len({purchase.customer for purchase in bought}) == 23_570
    assert (bought[-1].day - bought[0].day) == 545
    assert len(event_lines()) == len(bought)


def test_replay_finds_every_transition_that_is_worked_out_by_hand(
    bought: list[Purchase],
) -> None:
    def reject(number: int, rejected: Rejected) -> None:
        pytest.fail(f"line {number}: {rejected}")

    found = replay_lines(
        Blueprint(load(SEGMENTS)).catalog(),
        event_lines(),
        until_ms=None,
        max_future_skew_ms=300_000,
        reject=reject,
    )
    replayed = by_contact([expected_of(transition) for transition in found])
    expected = by_hand.transitions(bought, bought[-1].day)
    assert replayed.keys() == expected.keys()
    assert all(replayed[customer] == expected[customer] for customer in expected)
    entered = Counter(move.segment for moves in expected.values() for move in moves if move.entered)
    assert entered == {
        "big-spender": 2_465,
        "first-time-buyer": 23_570,
        "frequent-buyer": 7_768,
        "lapsed": 31_654,
        "repeat-buyer": 11_662,
    }
