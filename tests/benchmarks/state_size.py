"""How many bytes a contact's record takes by the kind of condition, and that they level off.

python -m tests.benchmarks.state_size --events 1000000

One contact does one thing again and again, every few minutes, with a few properties. Each kind of condition has a
catalog of its own; the last row has all of them at once.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rules.catalog import Blueprint
from rules.contact import Contact
from rules.definitions import Definitions
from rules.event import Event
from rules.segment import Segment
from rules.step import Step, Transition
from streams.records import encode_record
from tests.benchmarks.measuring import machine

START_MS = 1_704_067_200_000
"""2024-01-01."""
MINUTES_APART = 5

KINDS: dict[str, dict[str, Any]] = {
    "nothing": {"did": "Another Event"},
    "did, ever": {"did": "Order Completed", "at_least": 3},
    "did, 3 within 30d": {"did": "Order Completed", "within": "30d", "at_least": 3},
    "did, 100 within 30d": {"did": "Order Completed", "within": "30d", "at_least": 100},
    "did, 1,000 within 30d": {"did": "Order Completed", "within": "30d", "at_least": 1000},
    "did_not within 30d": {"did_not": "Order Completed", "within": "30d"},
    "latest": {"latest": "Order Completed", "property": "total", "at_least": 100},
    "first": {"first": "Order Completed", "property": "total", "at_least": 100},
    "trait": {"trait": "plan", "is": "pro"},
    "sum, ever": {"did": "Order Completed", "sum": "total", "at_least": 1000},
    "sum within 1d": {"did": "Order Completed", "sum": "total", "at_least": 1000, "within": "1d"},
    "sum within 30d": {"did": "Order Completed", "sum": "total", "at_least": 1000, "within": "30d"},
    "maximum within 30d": {"did": "Order Completed", "maximum": "total", "at_least": 100, "within": "30d"},
    "distinct, 10 within 30d": {"did": "Order Completed", "distinct": "item", "at_least": 10, "within": "30d"},
    "distinct, 1,000 ever": {"did": "Order Completed", "distinct": "item", "at_least": 1000},
    "days, 10 within 30d": {"did": "Order Completed", "days": True, "at_least": 10, "within": "30d"},
    "sequence of two": {
        "sequence": {
            "steps": [{"did": "Order Completed"}, {"did": "Order Completed", "within": "1h"}],
            "within": "7d",
        }
    },
    "sequence with then_not and by": {
        "sequence": {
            "steps": [{"did": "Order Completed"}, {"did": "Order Completed", "within": "1h"}],
            "then_not": {"did": "Order Completed", "within": "2h"},
            "by": "basket",
            "within": "7d",
        }
    },
    "score of two counts": {
        "score": {
            "at_least": 50,
            "of": [
                {"points": 5, "each": {"did": "Order Completed", "within": "30d"}, "max": 50},
                {"points": 1, "each": {"did": "Order Completed", "within": "1d"}},
            ],
        }
    },
}  # fmt: skip


def happenings(count: int) -> Iterator[Event]:
    """So many events of one contact, with a trait now and then."""
    chance = random.Random(1)
    now_ms = START_MS
    for number in range(count):
        now_ms += chance.randrange(2 * MINUTES_APART * 60_000)
        properties = {
            "total": chance.randrange(20_000) / 100,
            "item": f"item {chance.randrange(100_000)}",
            "basket": f"b{number // 3}",
        }
        # Some arrive late.
        time_ms = now_ms - (chance.randrange(86_400_000) if chance.random() < 0.05 else 0)
        if number % 100 == 0:
            yield Event("u1", "identify", "", now_ms, now_ms, f"t{number}", {}, {}, {"plan": "pro"})
        yield Event("u1", "track", "Order Completed", time_ms, now_ms, f"m{number}", properties, {}, {})


def segments(kinds: list[str]) -> tuple[Segment, ...]:
    """A segment of each kind."""
    return tuple(
        Segment.model_validate({"key": f"s{number}", "when": KINDS[kind]})
        for number, kind in enumerate(kinds)
    )


def followed(kinds: list[str], count: int, looks: list[int]) -> list[tuple[int, int, float]]:
    """For each look, after so many events: the record's bytes, and CPU microseconds an event since the look before."""
    step, contact = Step(Blueprint(Definitions(segments(kinds))).catalog()), Contact(id="u1")
    found: list[tuple[int, int, float]] = []
    out: list[Transition] = []
    spent_s, since = 0.0, 0
    for number, event in enumerate(happenings(count), start=1):
        began = time.perf_counter()
        step.take(contact, event, event.received_ms, out)
        spent_s += time.perf_counter() - began
        out.clear()
        if number in looks:
            found.append((number, len(encode_record(contact, 1)), spent_s / (number - since) * 1e6))
            spent_s, since = 0.0, number
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=100_000, help="of the contact")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    arguments = parser.parse_args()
    looks = [count for count in (10, 100, 1000, 10_000, 100_000, 1_000_000) if count <= arguments.events]
    print(f"{'bytes (us/event) after events':32}" + "".join(f"{look:>18,}" for look in looks))
    found = {}
    for kind in [*KINDS, "all of them"]:
        found[kind] = followed(list(KINDS) if kind == "all of them" else [kind], arguments.events, looks)
        row = "".join(f"{f'{size:,} ({us:.0f})':>18}" for _, size, us in found[kind])
        print(f"{kind:32}{row}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "kinds": found}, indent=2))


if __name__ == "__main__":
    main()
