"""What an event costs the rules by the kind of condition, on the cases that the tests run.

python -m tests.benchmarks.conditions

Each file of tests/scenarios/data is one catalog, with the segments of all its cases; their records are taken again and
again by contacts that are new each time. The files take turns, and the quickest round of each counts.
"""

import argparse
import json
import time
from pathlib import Path

from rules.catalog import Catalog
from rules.event import Event
from streams.replay import Replay
from streams.wire import decode_line
from tests.benchmarks.measuring import machine
from tests.properties.engine import MAX_FUTURE_SKEW_MS, catalog_of
from tests.scenarios.scenario import START_MS, Scenario, scenarios

APART_MS = 400 * 86_400_000
"""A case has time enough before the next begins."""


class Cases:
    """The cases of one file."""

    def __init__(self, name: str, found: list[Scenario]) -> None:
        self.name = name
        placed = [
            scenario.moved(START_MS + number * APART_MS, f"s{number}-")
            for number, scenario in enumerate(found)
        ]
        segments = [segment for scenario in placed for segment in scenario.segments]
        groups = [group for scenario in placed for group in scenario.groups]
        self.segments = len(segments)
        self._catalog: Catalog = catalog_of(segments, groups)
        lines = [json.dumps(record).encode() for scenario in placed for record in scenario.records]
        decoded = [decode_line(line, max_future_skew_ms=MAX_FUTURE_SKEW_MS) for line in lines]
        self.events = [event for event in decoded if isinstance(event, Event)]

    def round_us(self) -> tuple[float, int]:
        """CPU microseconds an event, time's doings included, and how many transitions come."""
        replay, came = Replay(self._catalog), 0
        began = time.process_time()
        for event in self.events:
            came += len(replay.take(event))
        came += len(replay.finish())
        return (time.process_time() - began) / len(self.events) * 1e6, came


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=50, help="of each file")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    arguments = parser.parse_args()
    files: dict[str, list[Scenario]] = {}
    for scenario in scenarios():
        files.setdefault(scenario.title.partition(": ")[0], []).append(scenario)
    cases = [Cases(name, found) for name, found in files.items()]
    best: dict[str, tuple[float, int]] = {}
    for _ in range(arguments.rounds):
        for each in cases:
            best[each.name] = min(best.get(each.name, (float("inf"), 0)), each.round_us())
    print(f"{'cases':22}{'segments':>10}{'events':>10}{'transitions':>13}{'us/event':>10}")
    for each in cases:
        us, came = best[each.name]
        print(f"{each.name:22}{each.segments:10}{len(each.events):10}{came:13}{us:10.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "us_per_event": best}, indent=2))


if __name__ == "__main__":
    main()
