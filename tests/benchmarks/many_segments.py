"""What an event costs the rules by the number of segments, where it can touch ten of them however many there are.

python -m tests.benchmarks.many_segments

Every event has one of as many names as there are tens of segments; where the names are more, the contacts are fewer, so
that each pair of them meets as often, and the same windows end meanwhile: the same transitions, by event and by wake,
whatever the number of segments. The sizes take turns in one process, and the quickest round of each counts: what others
do on the machine only ever adds.
"""

import argparse
import gc
import json
import random
import time
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

from rules.catalog import Blueprint
from rules.definitions import Definitions
from rules.event import Event
from rules.segment import Segment
from streams.replay import Replay
from tests.benchmarks.measuring import machine

TOUCHED = 10
SIZES = (10, 100, 1000)
ROUNDS = 25
"""So many that each size meets a moment in which nobody else is at work."""
START_MS = 1_767_225_600_000
"""2026-01-01."""


def segments(size: int) -> list[Segment]:
    """So many, ten for each event name: windows, counts, filters and absences as teams write them."""
    found = []
    for number in range(size // TOUCHED):
        name = f"Event {number}"
        conditions: list[dict[str, Any]] = [
            {"did": name, "within": "1d"},
            {"did": name, "within": "7d", "at_least": 3},
            {"did": name, "within": "30d", "at_least": 10},
            {"did": name},
            {"did": name, "at_least": 5},
            {"all": [{"did": name}, {"did_not": name, "within": "14d"}]},
            {"did": name, "where": {"total": {"at_least": 100}}, "within": "7d"},
            {"latest": name, "property": "total", "at_least": 150},
            {"any": [{"did": name, "within": "2d", "at_least": 2}, {"first": name, "property": "total", "is": 7}]},
            {"did": name, "within": "3d", "at_most": 1},
        ]  # fmt: skip
        found += [
            Segment.model_validate({"key": f"s{number}-{place}", "when": condition})
            for place, condition in enumerate(conditions[:TOUCHED])
        ]
    return found


def events(contacts: int, names: int, seed: int) -> Iterator[Event]:
    """Events without an end, half a minute apart for the whole partition: a contact does the same thing every 17
    hours, and 1.4 transitions follow from each event, ten times as many as from one of segbench."""
    chance, now_ms = random.Random(seed), START_MS
    for number in count():
        now_ms += chance.randrange(60_000)
        yield Event(
            f"u{chance.randrange(contacts)}",
            "track",
            f"Event {chance.randrange(names)}",
            now_ms,
            now_ms,
            f"m{number}",
            {"total": chance.randrange(200)},
            {},
            {},
        )


class Run:
    """One number of segments, with contacts that have a history already."""

    def __init__(self, size: int, pairs: int, at_once: int) -> None:
        self.size, self._at_once = size, at_once
        self._replay = Replay(Blueprint(Definitions(tuple(segments(size)))).catalog())
        names = size // TOUCHED
        self._events = events(pairs // names, names, seed=1)
        self.transitions = 0

    def round(self) -> float:
        """CPU microseconds an event of the next ones, wakes included."""
        some = list(islice(self._events, self._at_once))
        began = time.process_time()
        for event in some:
            self.transitions += len(self._replay.take(event))
        return (time.process_time() - began) / len(some) * 1e6


def measure(sizes: Sequence[int], pairs: int, at_once: int) -> dict[str, Any]:
    """Microseconds an event by the number of segments, and how much more the most of them cost than the fewest."""
    runs = [Run(size, pairs, at_once) for size in sizes]
    for run in runs:
        run.round()
    rounds = [[run.round() for run in runs] for _ in range(ROUNDS)]
    quickest = [min(times) for times in zip(*rounds, strict=True)]
    return {
        "machine": machine(),
        "us_per_event": {str(run.size): us for run, us in zip(runs, quickest, strict=True)},
        "transitions": {str(run.size): run.transitions for run in runs},
        "more_percent": (max(quickest) / min(quickest) - 1) * 100,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=2000, help="of a contact and an event name")
    parser.add_argument("--events", type=int, default=10_000, help="a round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    arguments = parser.parse_args()
    # As rarely as in a worker (``streams.service``): else it looks through all programs again and again.
    gc.set_threshold(50_000, 20, 50)
    found = measure(SIZES, arguments.pairs, arguments.events)
    for size, us in found["us_per_event"].items():
        print(
            f"{size:>5} segments, {TOUCHED} touched: {us:.1f} us/event, {found['transitions'][size]} transitions"
        )
    print(f"the dearest costs {found['more_percent']:.0f} % more than the cheapest")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
