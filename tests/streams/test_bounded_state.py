"""What is kept of a contact, and the work for an event, do not grow with what it does."""

import random
import time
from typing import Any

import pytest

from rules.catalog import Blueprint
from rules.contact import Contact
from rules.event import Event
from rules.step import Step, Transition
from streams.records import encode_record
from tests.properties.engine import definitions_of

START_MS = 1_767_607_200_000
EVENTS = 1_000_000
KINDS: list[dict[str, Any]] = [
    {"did": "{name}", "within": "30d", "at_least": 3},
    {"did": "{name}", "within": "1d", "exactly": 1000},
    {"latest": "{name}", "property": "total", "at_least": 100},
    {"did": "{name}", "sum": "total", "at_least": 1000, "within": "1d"},
    {"did": "{name}", "maximum": "total", "at_least": 100, "within": "30d"},
    {"did": "{name}", "distinct": "item", "at_least": 1_000_000},
    {"did": "{name}", "days": True, "at_least": 10, "within": "30d"},
    {
        "sequence": {
            "steps": [{"did": "{name}"}, {"did": "{name}", "within": "1h"}],
            "then_not": {"did": "{name}", "within": "2h"},
            "by": "item",
            "within": "7d",
        }
    },
    {
        "score": {
            "at_least": 50,
            "of": [{"points": 5, "each": {"did": "{name}", "within": "30d"}, "max": 100}],
        }
    },
]
"""Each about events of its own, so that a million of them take seconds."""


def _named(condition: Any, name: str) -> Any:
    if isinstance(condition, dict):
        return {key: _named(value, name) for key, value in condition.items()}
    if isinstance(condition, list):
        return [_named(value, name) for value in condition]
    return name if condition == "{name}" else condition


@pytest.mark.timeout(600)
def test_a_million_events_of_one_contact_take_no_more_room_nor_time_than_the_first_hundred_thousand() -> None:
    names = [f"E{number}" for number in range(len(KINDS))]
    segments: list[dict[str, Any]] = [
        {"key": f"s{number}", "enter_after": "1m", "when": _named(kind, names[number])}
        for number, kind in enumerate(KINDS)
    ]
    segments.append({"key": "follower", "when": {"member_of": "s0"}})
    groups = [{"key": "g", "exclusive": ["s2", "s3", "s4"]}]
    step, contact = Step(Blueprint(definitions_of(segments, groups)).catalog()), Contact(id="u")
    chance, out, now_ms = random.Random(1), list[Transition](), START_MS
    sizes, spent_s = list[int](), list[float]()
    for part in range(10):
        began = time.process_time()
        for number in range(EVENTS // 10):
            now_ms += chance.randrange(60_000)
            late_ms = chance.randrange(3_600_000) if number % 20 == 0 else 0
            properties = {
                "total": chance.randrange(20_000) / 100,
                "item": f"item {chance.randrange(100_000)}",
            }
            name = names[number % len(names)]
            event = Event(
                "u", "track", name, now_ms - late_ms, now_ms, f"{part}.{number}", properties, {}, {}
            )
            step.take(contact, event, now_ms, out)
            out.clear()
        spent_s.append(time.process_time() - began)
        sizes.append(len(encode_record(contact, 1)))
    assert max(sizes[1:]) <= 1.1 * sizes[0]
    assert max(sizes) < 64_000
    # Far above what a busy machine adds, and far below what would come of work that grows.
    assert min(spent_s[-3:]) <= 2 * max(spent_s[:3])
