"""Reading what stands at a path, however a record nests it."""

from typing import Any

import pytest

from rules.paths import below, reader

DEEP = 100_000
"""Deeper than any recursion."""


def nested(value: Any, levels: int = DEEP) -> Any:
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("path", "fields", "values"),
    [
        ("x", {"x": [1, [2, [None, "a"], []], {"b": 3}, True]}, (1, 2, "a", {}, True)),
        ("x.b", {"x": [{"b": 1}, [{"b": [2, [3]]}, {"c": 4}], 5, {"b": None}, {"b": {}}]}, (1, 2, 3, {})),
        ("x.b.c", {"x": {"b": [[{"c": "first"}], {"c": "second"}]}}, ("first", "second")),
        ("x.b", {"x.b": [0], "x": {"b": 1}}, (0,)),
        ("x", {"x": nested(7)}, (7,)),
        ("x.b", {"x": nested({"b": nested(8)})}, (8,)),
        ("x.b", {"x": nested(7)}, ()),
    ],
    ids=["list", "objects in lists", "in order", "whole key", "deep", "deep on the way", "deep, and nothing"],
)
def test_a_path_goes_on_through_every_element_in_order(
    path: str, fields: dict[str, Any], values: tuple[Any, ...]
) -> None:
    assert reader(path)(fields) == values
    if "." in path and path not in fields:
        assert below(fields, path) == values
