"""YAML is read as version 1.2 has it, and whatever stands in a file never breaks the reading."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.documents import Unreadable, read_document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("false", False), ("null", None), ("", None),
        ("yes", "yes"), ("True", "True"), ("off", "off"), ("~", "~"), ("NULL", "NULL"), ("=", "="),
        ("5", 5), ("-0", 0), ("1.0", 1.0), ("1e3", 1000.0), ("5.", 5.0), ("-2.5E-1", -0.25),
        ("+5", "+5"), (".5", ".5"), ("007", "007"), ("0x1F", "0x1F"), ("0o7", "0o7"), ("1_000", "1_000"),
        (".inf", ".inf"), (".nan", ".nan"), ("12:30", "12:30"), ("1e", "1e"), ("- ", [None]),
        ("2026-01-05", "2026-01-05"), ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z"),
        ("'5'", "5"), ('"true"', "true"), ("!!str 5", "5"), ("!!int 5", 5), ("null5", "null5"),
        ("[a, {b: 1}]", ["a", {"b": 1}]), ("on: 1", {"on": 1}), ("'5': 1", {"5": 1}),
    ],
)  # fmt: skip
def test_only_what_json_has_is_no_text(text: str, value: Any) -> None:
    found = read_document(text.encode()).value
    assert found == value
    assert type(found) is type(value)


def test_integers_of_any_length_are_read_and_numbers_too_large_for_a_double_are_not() -> None:
    document = read_document(f"[{'9' * 25}, {'9' * 5000}, 1e400, -1e400]".encode())
    assert document.value == [1e25, None, None, None]
    assert [place for _, _, place in document.errors] == [(1, 29), (1, 5031), (1, 5038)]


def test_an_alias_is_its_anchor_again() -> None:
    assert read_document(b"[&a {b: 1}, *a]").value == [{"b": 1}, {"b": 1}]


def test_a_byte_order_mark_is_no_part_of_the_file() -> None:
    assert read_document(b"\xef\xbb\xbfa: 1").value == {"a": 1}


@pytest.mark.parametrize(("path", "on_key", "place"), [((), False, (1, 1)), (("a",), True, (1, 1)), (("a",), False, (2, 3)),
    (("a", 1), False, (3, 5)), (("a", 1, "b"), True, (3, 5)), (("a", 1, "b"), False, (3, 8)), (("a", 1, "none"), False, (3, 5))])  # fmt: skip
def test_the_place_of_a_key_and_of_a_value_count_from_one(
    path: tuple[str | int, ...], on_key: bool, place: tuple[int, int]
) -> None:
    assert read_document(b"a:\n  - 1\n  - b: 2\n").place(path, on_key=on_key) == place


PIECES = st.sampled_from(
    [
        "a",
        ": ",
        "- ",
        "\n",
        "  ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&x ",
        "*x",
        "<<",
        "!!str ",
        "!t ",
        "'",
        '"',
        "\\u",
        "|",
        ">",
        "#",
        "---",
        "...",
        "%",
        "@",
        "\t",
        "5",
        "yes",
        "?",
        "\x00",
        "\ud7ff",
        "é",
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    assert all(min(place) >= 1 for place in places_of_errors(text.encode()))


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    assert all(min(place) >= 1 for place in places_of_errors(data))


def places_of_errors(data: bytes) -> list[tuple[int, int]]:
    try:
        return [place for _, _, place in read_document(data).errors]
    except Unreadable as error:
        return [error.place]
