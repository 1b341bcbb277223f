"""Traits as they are set, replaced and taken away."""

from typing import Any

import pytest

from rules.event import Event
from rules.features import TraitValue


def _identify(time_ms: int, traits: dict[str, Any]) -> Event:
    return Event("u", "identify", "", time_ms, time_ms, None, {}, {}, traits)


def _values(path: str, *facts: tuple[int, dict[str, Any]]) -> list[Any]:
    features: dict[int, Any] = {}
    fold = TraitValue(path).fold()
    for time_ms, traits in facts:
        fold(features, _identify(time_ms, traits), 0, 0)
    return list(TraitValue.values(features.get(0)))


@pytest.mark.parametrize(
    ("path", "facts", "expected"),
    [
        ("plan", [(1, {"plan": "pro"})], ["pro"]),
        ("plan", [(2, {"plan": "pro"}), (1, {"plan": "free"})], ["pro"]),
        ("plan", [(1, {"plan": "pro"}), (1, {"plan": "free"})], ["free"]),
        ("plan", [(1, {"plan": "pro"}), (2, {"plan": None})], []),
        ("plan", [(2, {"plan": None}), (1, {"plan": "pro"})], []),
        ("plan", [(1, {"plan": "pro"}), (2, {"other": 1})], ["pro"]),
        ("plan", [(1, {"plan": ["a", None, ["b"]]})], ["a", "b"]),
        ("o.x", [(1, {"o": {"x": 1}})], [1]),
        ("o.x", [(1, {"o": {"x": 1}}), (2, {"o": {"y": 2}})], []),
        ("o.x", [(1, {"o": {"x": 1}}), (2, {"o": None})], []),
        ("o.x", [(1, {"o.x": "whole", "o": {"x": 1}})], ["whole"]),
        ("o.x", [(1, {"o.x": "whole", "o": {"x": 1}}), (2, {"o.x": None})], [1]),
        ("o.x", [(1, {"o.x": [], "o": {"x": 1}})], []),
        ("o.x", [(1, {"o": [{"x": 1}, {"x": 2}]})], [1, 2]),
    ],
)
def test_the_latest_fact_by_event_time_says_what_is_at_a_path(
    path: str, facts: list[tuple[int, dict[str, Any]]], expected: list[Any]
) -> None:
    assert _values(path, *facts) == expected
