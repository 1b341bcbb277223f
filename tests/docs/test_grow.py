"""docs/how-to/grow.md: what is worked out follows from the measured figures of its first table."""

import math
import re
from collections import Counter
from collections.abc import Callable

import pytest

from streams.store.keys import PartitionKeys
from streams.store.nodes import SLOTS, slot_of
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/how-to/grow.md").read_text(encoding="utf-8")
BUSY, COPIES, KEPT_S, REMEMBERED = 0.6, 3, 3 * 86_400, 2
"""How much of a core may be busy; copies in Kafka, seconds that it keeps events; which of the figures for *m* counts."""
SIZES = {10_000: 1e6, 100_000: 10e6, 1_000_000: 100e6}
"""Events a second, and contacts."""


def numbers(text: str) -> list[float]:
    return [float(each.replace(",", "")) for each in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]


def section(heading: str) -> str:
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


FIGURES = {
    sign: numbers(figure)
    for sign, figure in re.findall(
        r"^\| \*(\w)\* \| [^|]+ \| ([^|]+) \|", section("What things cost"), re.MULTILINE
    )
}
W, R, K = (FIGURES[sign][0] / 1e6 for sign in "wrk")
B, T, M = FIGURES["b"][0], FIGURES["t"][0], FIGURES["m"][REMEMBERED]
SENT, WRITTEN = FIGURES["a"]
TRANSITIONS, OF_A_PARTITION = 0.17, 5_000
"""An event; events a second at most."""


def workers(rate: float) -> float:
    return max(math.ceil(rate * W / BUSY), 2)


def partitions(rate: float) -> float:
    return max(4 * workers(rate), math.ceil(rate / OF_A_PARTITION))


ROWS: dict[str, Callable[[float, float], float]] = {
    "cores that events cost the workers": lambda rate, _: rate * W,
    "workers, a core each": lambda rate, _: workers(rate),
    "partitions": lambda rate, _: partitions(rate),
    "events/s of a partition": lambda rate, _: rate / partitions(rate),
    "cores of Redis": lambda rate, _: rate * R,
    "Redis nodes": lambda rate, _: math.ceil(rate * R / BUSY),
    "memory of Redis, of all nodes, GB": lambda _, contacts: contacts * M * 1.5 / 1e9,
    "its append-only file, MB/s": lambda rate, _: rate * WRITTEN / 1e6,
    "network of Redis, in, Mbit/s": lambda rate, _: rate * SENT * 8 / 1e6,
    "cores of Kafka, with copies": lambda rate, _: rate * K * COPIES,
    "network of Kafka, in, with copies, Mbit/s": lambda rate, _: (
        COPIES * rate * (B + TRANSITIONS * T) * 8 / 1e6
    ),
    "network of Kafka, out, Mbit/s": lambda rate, _: rate * (B + TRANSITIONS * T) * 8 / 1e6,
    "disk of Kafka, with copies, TB": lambda rate, _: COPIES * rate * (B + TRANSITIONS * T) * KEPT_S / 1e12,
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_three_sizes_is_what_its_formula_gives(row: str) -> None:
    (cells,) = re.findall(rf"^\| {re.escape(row)} \| (.+) \|$", section("Three sizes"), re.MULTILINE)
    expected = [ROWS[row](rate, contacts) for rate, contacts in SIZES.items()]
    assert numbers(cells) == pytest.approx(expected, rel=0.06), [f"{each:.3g}" for each in expected]


def test_what_one_redis_and_one_worker_do_is_what_their_costs_allow() -> None:
    (redis,) = re.findall(r"One Redis has room for some ([\d,]+) events/s", PAGE)
    assert numbers(redis)[0] == pytest.approx(BUSY / R, rel=0.06)
    (thread,) = re.findall(r"\| the thread of Redis \| ([\d,]+) events/s", PAGE)
    assert numbers(thread)[0] == pytest.approx(BUSY / R, rel=0.06)
    (core,) = re.findall(r"a worker one core \| ([\d,]+) events/s in one partition", PAGE)
    assert numbers(core)[0] == pytest.approx(1 / W, rel=0.06)


def test_two_workers_do_what_their_costs_say() -> None:
    costs = [
        numbers(cells)[1]
        for cells in re.findall(r"^\| all waits, (?:one worker|two workers) \| (.+) \|$", PAGE, re.MULTILINE)
    ]
    one, two, times = numbers(re.findall(r"do `2 \u00d7 ([\d.]+ / [\d.]+ = [\d.]+) times`", PAGE)[0])
    assert [one, two] == costs
    assert times == pytest.approx(2 * one / two, abs=0.01)
    assert one == pytest.approx(W * 1e6)


def test_how_partitions_fall_on_the_nodes_of_a_cluster_is_counted() -> None:
    rows = [numbers(row) for row in re.findall(r"^\| \d+ \| \d+ \| \d+ \| [\d.]+ \|$", PAGE, re.MULTILINE)]
    assert len(rows) == 3
    for partitions, nodes, busiest, thread in rows:
        tags = [PartitionKeys.of("g", number).state for number in range(int(partitions))]
        # Node n has the slots from n / nodes of all to the next one's.
        on = Counter(
            next(n for n in range(int(nodes)) if slot_of(("GET", tag)) < SLOTS * (n + 1) // int(nodes))
            for tag in tags
        )
        assert max(on.values()) == busiest
        assert round(1e6 * R * busiest / partitions, 2) == thread
