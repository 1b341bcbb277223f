"""Which segments an event has judged."""

from typing import Any

import msgspec
import pytest

from rules.catalog import Blueprint
from rules.definitions import Definitions
from rules.event import Event
from rules.segment import Segment

LATEST = {"latest": "*", "property": "context.device.type", "is": "ios"}
DEFINITIONS = {
    "device": LATEST,
    "both": {"all": [LATEST, {"did": "Bought", "within": "7d"}]},
    "bought": {"did": "Bought"},
    "seen": {"did": "Seen"},
    "lately": {"latest": "*", "property": "context.app", "is": "shop", "within": "7d"},
    "filtered": {"latest": "Bought", "property": "total", "at_least": 5, "where": {"sort": {"is": "a"}}},
}


class _Life:
    """One contact's features."""

    def __init__(self) -> None:
        segments = [Segment.model_validate({"key": key, "when": when}) for key, when in DEFINITIONS.items()]
        self._catalog = Blueprint(Definitions(tuple(segments))).catalog()
        self._features: dict[int, Any] = {}

    def judged(self, name: str, device: object, time_ms: int = 1000, **properties: object) -> set[str]:
        """The segments that an event can move."""
        context = {"device": {"type": device}, "app": "shop"}
        event = Event("u", "track", name, time_ms, 1000, None, properties, context, {})
        return {program.key for program in self._catalog.fold(self._features, event).programs} - {"lately"}

    def is_stored(self) -> None:
        """The features are what they are after a record was written and read."""
        self._features = msgspec.msgpack.decode(msgspec.msgpack.encode(self._features), type=dict[int, Any])

    def judges_by_time(self, name: str) -> bool:
        """Whether an event has the segment judged that asks how long ago the latest was."""
        event = Event("u", "track", name, 1000, 1000, None, {}, {"app": "shop"}, {})
        return "lately" in {program.key for program in self._catalog.fold(self._features, event).programs}


def test_a_latest_value_that_stays_the_same_has_none_judged_that_ask_for_it() -> None:
    life = _Life()
    assert life.judged("Seen", "ios") == {"device", "both", "seen"}
    assert life.judged("Seen", "ios") == {"seen"}
    assert life.judged("Bought", "ios") == {"both", "bought"}
    assert life.judged("Seen", "android") == {"device", "both", "seen"}
    assert life.judged("Seen", "ios", time_ms=1) == {"seen"}, "an earlier event is not the latest"
    life.is_stored()
    assert life.judged("Seen", "android") == {"seen"}
    life.is_stored()
    assert life.judged("Seen", "ios") == {"device", "both", "seen"}


def test_an_equal_value_of_a_later_event_has_those_judged_that_ask_when_it_was() -> None:
    life = _Life()
    assert [life.judges_by_time("Seen") for _ in range(3)] == [True] * 3


@pytest.mark.parametrize(
    ("first", "second"), [(1, True), (True, 1), (0, False), (1, 1.0), (["ios"], "ios"), (None, "ios")]
)
def test_values_that_only_look_equal_are_judged(first: object, second: object) -> None:
    life = _Life()
    life.judged("Other", first)
    assert life.judged("Other", second) >= ({"device", "both"} if first != ["ios"] else set())


def test_behind_a_filter_what_passes_it_is_judged() -> None:
    life = _Life()
    for _ in range(2):
        assert "filtered" in life.judged("Bought", "ios", sort="a", total=7)
    assert "filtered" not in life.judged("Bought", "ios", sort="b", total=7)
