"""Measures: exact up to their limits, bounded beyond them."""

import random
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.catalog import Blueprint
from rules.compiler import compile_leaf
from rules.conditions import AmountTest
from rules.contact import Contact
from rules.definitions import Definitions
from rules.event import Event
from rules.features.limits import EXACT
from rules.features.numbers import SCALE, kept, scaled
from rules.features.sketch import empty, estimate, of_different, with_keys
from rules.measured import LOOK_AHEAD, average_test, whole_test
from rules.segment import Segment
from rules.step import Step, Transition
from rules.verdict import ALWAYS, SHIFT_MS
from streams.records import encode_record

HOUR_MS = 3_600_000
WINDOW_MS = 100 * HOUR_MS


class Follower:
    """One contact under one condition."""

    def __init__(self, **when: Any) -> None:
        segment = Segment.model_validate({"key": "s", "when": {"did": "A", **when}})
        self.catalog = Blueprint(Definitions((segment,))).catalog()
        self.contact = Contact(id="u")
        self.moves: list[Transition] = []
        self._step = Step(self.catalog)

    def take(self, now_ms: int, value: Any, time_ms: int | None = None) -> None:
        at_ms = now_ms if time_ms is None else time_ms
        event = Event("u", "track", "A", at_ms, now_ms, None, {"p": value}, {}, {})
        self._step.take(self.contact, event, now_ms, self.moves)

    @property
    def leaf(self) -> Any:
        """The condition, compiled."""
        condition = self.catalog.programs[0].leaves[0].written
        return compile_leaf(condition, "s")

    def observed(self, now_ms: int) -> Any:
        return self.catalog.programs[0].evidence(self.contact, now_ms)[0][1]

    @property
    def size(self) -> int:
        return len(encode_record(self.contact, 1))


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**64)))
def test_a_number_is_taken_to_six_decimals_half_to_even(number: float) -> None:
    exact = Fraction(str(number))
    assert scaled(number) == round(exact * 10**6), "Python rounds fractions half to even"


@pytest.mark.parametrize("measure", ["sum", "average"])
@pytest.mark.parametrize("window", [{}, {"within": "1d"}])
def test_what_no_double_can_say_is_observed_as_the_last_one(measure: str, window: dict[str, str]) -> None:
    follower = Follower(**{measure: "p", "more_than": 0}, **window)
    for number in (sys.float_info.max, sys.float_info.max):
        follower.take(0, number)
    assert follower.observed(0) == sys.float_info.max
    for number in (-sys.float_info.max,) * 4:
        follower.take(0, number)
    assert follower.observed(0) == (-sys.float_info.max if measure == "sum" else -sys.float_info.max / 3)


@pytest.mark.parametrize(
    ("number", "millionths"), [(0.0000005, 0), (0.0000015, 2), (2.5e-6, 2), (1e300, 10**306)]
)
def test_halves_and_huge_numbers(number: float, millionths: int) -> None:
    assert scaled(number) == millionths


def test_sums_of_numbers_over_64_bits_are_exact_and_can_be_stored() -> None:
    follower = Follower(sum="p", exactly=1, within="1d")
    for at_ms, value in enumerate((1e30, 1, -1e30)):
        follower.take(at_ms, value)
    assert [move.at_ms for move in follower.moves] == [2]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(follower.contact.features))


@pytest.mark.parametrize("amounts", [range(5), range(-2, 5), [3, 10**17, -(10**17)]])
def test_a_sum_knows_how_long_it_stays_enough(amounts: Sequence[int]) -> None:
    """Without negative ones, with them, and with sums over 64 bits in millionths; some have left the window, and in some
    cases there are more than are looked ahead at."""
    chance, turned = random.Random(11), 0
    for _ in range(1000):
        count, now_ms = chance.randrange(1, 120), chance.randrange(150, 240)
        entries = [(at_ms, chance.choice(amounts)) for at_ms in sorted(chance.sample(range(150), count))]
        inside = [value for at_ms, value in entries if at_ms > now_ms - 100]
        at_least = sum(inside[chance.randrange(len(inside) + 1) :]) + chance.randrange(-1, 2)
        sums, total = [kept(value * SCALE) for _, value in entries], sum(value for _, value in entries)
        state = [[at_ms for at_ms, _ in entries], sums, [1] * count, 0, kept(total * SCALE), count]
        verdict = Follower(sum="p", at_least=at_least, within="100ms").leaf.verdict(state, now_ms + SHIFT_MS)
        # Each time that one leaves, up to so many of them, and whether there is enough from then on.
        enough = [sum(inside[gone:]) >= at_least for gone in range(len(inside) + 1)]
        turns = next((gone for gone, is_enough in enumerate(enough) if is_enough != enough[0]), None)
        leaves = [at_ms + 100 for at_ms, _ in entries if at_ms > now_ms - 100]
        if turns is None or turns > LOOK_AHEAD + 1:
            turns = LOOK_AHEAD + 1 if len(leaves) > LOOK_AHEAD else None
        moment = ALWAYS if turns is None else leaves[turns - 1] + SHIFT_MS
        assert verdict == (moment if enough[0] else -moment)
        turned += turns is not None
    assert turned > 300


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_that_no_double_holds_is_told_as_the_largest(sign: int) -> None:
    follower = Follower(**{"sum": "p", "more_than" if sign > 0 else "less_than": sign * 1.7e308})
    for at_ms in range(2):
        follower.take(at_ms, sign * 1e308)
    (move,) = follower.moves
    assert [(observed, holds) for _, observed, holds in move.evidence] == [(sign * sys.float_info.max, True)]
    follower.take(2, sign * -1e308)
    assert follower.observed(2) == sign * 1e308, "what is kept is the exact sum"


@pytest.mark.parametrize("kind", ["sum", "average", "minimum", "maximum"])
def test_up_to_a_thousand_events_in_the_window_are_exact_also_after_there_were_more(kind: str) -> None:
    """First many at once, then few: what is left of the many when the first of them have gone is exact again."""
    chance = random.Random(3)
    follower = Follower(**{kind: "p", "at_least": 10**9, "within": "100h"})
    kept: list[tuple[int, int]] = []
    for number in range(2500):
        at_ms = number * 60_000
        value = chance.randrange(-1000, 1000)
        kept.append((at_ms, value))
        follower.take(at_ms, value)
    for now_ms in range(2499 * 60_000, 2600 * 60_000 + WINDOW_MS, 17 * 60_000):
        inside = [value for at_ms, value in kept if now_ms - WINDOW_MS < at_ms <= now_ms]
        if len(inside) > EXACT:
            continue
        expected = {
            "sum": sum(inside),
            "average": Fraction(sum(inside), len(inside)) if inside else None,
            "minimum": min(inside, default=None),
            "maximum": max(inside, default=None),
        }[kind]
        found = follower.observed(now_ms)
        assert found == (None if expected is None else pytest.approx(float(expected), abs=1e-9)), now_ms


def test_beyond_a_thousand_events_the_windows_edge_is_off_by_a_hundredth_at_most() -> None:
    chance = random.Random(4)
    follower = Follower(sum="p", at_least=10**9, within="100h")
    kept: list[int] = []
    now_ms = 0
    for _ in range(20_000):
        now_ms += chance.randrange(40_000)
        late_ms = chance.randrange(WINDOW_MS) if chance.random() < 0.2 else 0
        kept.append(now_ms - late_ms)
        follower.take(now_ms, 1, now_ms - late_ms)
        if len(kept) % 500 == 0:
            counts = [
                sum(now_ms - WINDOW_MS - off < at_ms for at_ms in kept) for off in (0, WINDOW_MS // 100)
            ]
            assert counts[0] > EXACT or len(kept) < 1500
            assert counts[0] <= follower.observed(now_ms) <= counts[1]
    (feature,) = follower.catalog.limits
    assert feature.passed > 0


@pytest.mark.parametrize(
    "when",
    [
        {"sum": "p", "at_least": 1, "within": "100h"},
        {"minimum": "p", "at_least": 1, "within": "100h"},
        {"maximum": "p", "at_least": 1, "within": "100h"},
        {"distinct": "p", "at_least": 500, "within": "100h"},
        {"distinct": "p", "at_least": 500},
        {"days": True, "at_least": 400},
        {"sum": "p", "at_least": 1},
    ],
    ids=str,
)
def test_a_record_levels_off_however_much_a_contact_does(when: dict[str, Any]) -> None:
    follower, sizes = Follower(**when), []
    for number in range(30_000):
        # Ever larger, so that no least number is ever surpassed.
        follower.take(number * 20_000, number)
        if number in (10_000, 29_999):
            sizes.append(follower.size)
    assert sizes[1] < 1.1 * sizes[0] + 50
    assert sizes[1] < 25_000


def different_keys(count: int, seed: int) -> list[int]:
    chance = random.Random(seed)
    return [chance.getrandbits(64) - 2**63 for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2500, 20_000, 60_000, 200_000])
def test_the_sketch_is_within_two_percent(count: int) -> None:
    assert estimate(with_keys(empty(), different_keys(count, count))) == pytest.approx(count, rel=0.02)


@pytest.mark.parametrize("seed", range(8))
def test_the_sketch_is_within_two_percent_all_the_way_and_never_falls(seed: int) -> None:
    """At 40,000 keys of 16,384 registers, estimates from the registers alone are off by 3 % and more."""
    keys, sketch, told = different_keys(50_000, seed), empty(), 0
    for taken in range(500, 50_001, 500):
        sketch = with_keys(sketch, keys[taken - 500 : taken])
        before, told = told, estimate(sketch)
        assert before <= told
        assert told == pytest.approx(taken, rel=0.02)
    assert with_keys(sketch, keys) is sketch, "what was there before changes nothing"


def test_keys_that_are_known_to_be_different_are_counted_exactly() -> None:
    keys = different_keys(2001, seed=1)
    assert estimate(of_different(keys)) == 2001
    assert estimate(with_keys(of_different(keys), keys)) == 2001


def test_many_different_values_of_all_time_are_told_within_two_percent() -> None:
    follower = Follower(distinct="p", at_least=5000)
    for number in range(6000):
        follower.take(number, f"value {number}")
        follower.take(number, f"value {number // 2}")
    (move,) = follower.moves
    assert 4900 <= move.at_ms <= 5100
    assert follower.observed(6000) == pytest.approx(6000, rel=0.02)
    assert follower.size < 17_000


@given(
    low=st.none() | st.fractions(-3, 3, max_denominator=7),
    high=st.none() | st.fractions(-3, 3, max_denominator=7),
    low_is_open=st.booleans(),
    high_is_open=st.booleans(),
    at=st.sampled_from(["low", "high"]),
    off=st.integers(-2, 2),
    count=st.integers(1, 9),
)
def test_amounts_pass_in_whole_numbers_as_in_fractions(
    low: Fraction | None,
    high: Fraction | None,
    low_is_open: bool,
    high_is_open: bool,
    at: str,
    off: int,
    count: int,
) -> None:
    test = AmountTest(low, low_is_open, high, high_is_open)
    end = (low if at == "low" else high) or Fraction(0)
    total = int(end * SCALE) + off
    assert whole_test(test)(total) == test.passes(Fraction(total, SCALE))
    total = int(end * SCALE * count) + off
    assert average_test(test)(total, count) == test.passes(Fraction(total, SCALE * count))
    assert not average_test(test)(total, 0)
