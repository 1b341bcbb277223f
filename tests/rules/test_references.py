"""What is wrong between definitions: unknown segments, two groups for one, circles, policies that cannot work."""

from pathlib import Path

import pytest

from rules.checker import check
from rules.errors import DefinitionError
from rules.loading import load


def segments_text(segments: list[str]) -> str:
    """A definition file: of each segment, its key and its condition."""
    lines = []
    for segment in segments:
        key, when = segment.split(": ", 1)
        lines.append(f"  - {{key: {key}, campaign: c, when: {when}}}\n")
    return "segments:\n" + "".join(lines)


def _findings(folder: Path, text: str) -> list[str]:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    return [
        f"{found.line}:{found.column} {found.code}: {found.message} ({found.hint})" for found in check(folder)
    ]


@pytest.mark.parametrize(
    ("segments", "groups", "expected"),
    [
        (["a: {did: A}", "b: {member_of: a}"], "", []),
        (
            ["buyers: {did: A}", "b: {all: [{did: A}, {not_member_of: buyrs}]}"],
            "",
            ["3:66 unknown_segment: there is no segment buyrs (did you mean buyers?)"],
        ),
        (
            ["b: {score: {at_least: 1, of: [{points: 1, when: {member_of: x}}]}}"],
            "",
            ["2:90 unknown_segment: there is no segment x (name the key of a segment)"],
        ),
        (
            ["a: {did: A}", "b: {member_of: g}"],
            "[{key: g, exclusive: [a]}]",
            ["3:45 unknown_segment: g is a group (name one of its segments)"],
        ),
        (
            ["customer: {did: A}"],
            "[{key: g, exclusive: [customer, custmer]}]",
            ["3:41 unknown_segment: there is no segment custmer (did you mean customer?)"],
        ),
        (
            ["a: {did: A}", "b: {did: B}"],
            "[{key: g, exclusive: [a, b, a]}]",
            ["4:37 two_groups: a is named twice (name it once)"],
        ),
        (
            ["a: {did: A}", "b: {did: B}"],
            "[{key: g, exclusive: [a]}, {key: h, exclusive: [b, a]}]",
            ["4:60 two_groups: a is in the group g already (leave it in one of them)"],
        ),
        (
            ["a: {did: A}", "b: {did: B}"],
            "[{key: g, exclusive: [a]}, {key: g, exclusive: [b]}]",
            ["4:42 duplicate_key: the key g is taken by another group, in a.yaml (give it another key)"],
        ),
        (
            ["a: {did: A}"],
            "[{key: a, exclusive: [a]}]",
            ["3:16 duplicate_key: the key a is a segment's (give it another key)"],
        ),
        (["a: {member_of: a}"], "", ["2:45 cycle: a circle: a -> a (leave one of these conditions out)"]),
        (
            ["a: {member_of: b}", "b: {all: [{did: A}, {not_member_of: c}]}", "c: {member_of: a}"],
            "",
            ["2:45 cycle: a circle: a -> b -> c -> a (leave one of these conditions out)"],
        ),
        (
            ["a: {member_of: b}", "b: {did: B}"],
            "[{key: g, exclusive: [a, b]}]",
            ["2:45 cycle: a circle: a -> b, in a group with a (leave one of these conditions out)"],
        ),
        (
            ["a: {member_of: b}", "b: {did: B}", "c: {member_of: d}", "d: {did: D}"],
            "[{key: g, exclusive: [a, d]}, {key: h, exclusive: [b, c]}]",
            [
                (
                    "2:45 cycle: a circle: a -> b, in a group with c -> d, in a group with a "
                    "(leave one of these conditions out)"
                )
            ],
        ),
        (
            ["a: {member_of: b}", "b: {member_of: a}", "c: {member_of: c}", "d: {member_of: x}"],
            "",
            [
                "2:45 cycle: a circle: a -> b -> a (leave one of these conditions out)",
                "4:45 cycle: a circle: c -> c (leave one of these conditions out)",
                "5:45 unknown_segment: there is no segment x (name the key of a segment)",
            ],
        ),
        (
            [
                "a: {all: [{did: A, withn: 3d}, {not: {member_of: x}}]}",
                "b: {did: B, member_of: c}",
                "c: {member_of: b}",
            ],
            "",
            [
                "2:49 unknown_key: unknown key `withn` (did you mean `within`?)",
                "2:79 unknown_segment: there is no segment x (name the key of a segment)",
                (
                    "3:42 two_kinds: `did` and `member_of` in one condition "
                    "(keep one of them, or write all: [{did: ..}, {member_of: ..}])"
                ),
                "3:53 cycle: a circle: b -> c -> b (leave one of these conditions out)",
            ],
        ),
        (
            ["a: {did: A}"],
            "[{key: g, exclusive: [a, x], nmae: 5}, {exclusive: [a]}, {key: a, exclusive: []}]",
            [
                "3:34 unknown_segment: there is no segment x (name the key of a segment)",
                "3:38 unknown_key: unknown key `nmae` (allowed are key, exclusive)",
                "3:48 missing_key: a group needs `key` (write for example key: hot-buyers)",
                "3:61 two_groups: a is in the group g already (leave it in one of them)",
                "3:72 duplicate_key: the key a is a segment's (give it another key)",
                "3:86 empty: `exclusive` names no segment (name the segments)",
            ],
        ),
    ],
)
def test_references_and_groups_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segments: list[str], groups: str, expected: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = segments_text(segments) + (f"groups: {groups}\n" if groups else "")
    assert _findings(Path(), text) == expected
    if expected:
        with pytest.raises(DefinitionError):
            load(tmp_path)


def test_segments_may_name_each_other_in_a_long_row(tmp_path: Path) -> None:
    row = [f"s{number}: {{member_of: s{number + 1}}}" for number in range(1500)]
    assert _findings(tmp_path, segments_text([*row, "s1500: {did: A}"])) == []
    (found,) = _findings(tmp_path, segments_text([*row, "s1500: {member_of: s0}"]))
    assert found.startswith("2:46 cycle: a circle: s0 -> s1 -> ")
    assert found.endswith(" -> s1500 -> s0 (leave one of these conditions out)")


def test_who_names_a_segment_that_is_not_sound_is_not_told_that_it_is_missing(tmp_path: Path) -> None:
    found = _findings(tmp_path, segments_text(["a: {dod: A}", "b: {member_of: a}"]))
    assert [line.split()[1] for line in found] == ["unknown_key:"]


@pytest.mark.parametrize(
    ("when", "enter_after", "warned"),
    [
        ("{did: A, within: 3d}", "71h", False),
        ("{did: A, within: 3d}", "3d", True),
        ("{did: A}", "300d", False),
        ("{all: [{did: A}, {did: B, within: 3d}]}", "4d", True),
        ("{any: [{did: A}, {did: B, within: 3d}]}", "4d", False),
        ("{any: [{did: A, within: 2d}, {did: B, within: 3d}]}", "3d", True),
        ("{at_least: 2, of: [{did: A, within: 2d}, {did: B, within: 3d}, {did: C}]}", "3d", True),
        ("{did_not: A, within: 3d}", "4d", False),
        ("{did: A, at_most: 2, within: 3d}", "4d", False),
        ("{did: A, sum: p, at_least: 2, within: 3d}", "4d", True),
        ("{trait: a, within_last: 3d}", "3d", True),
        ("{latest: A, property: p, is: 1, within: 3d}", "3d", True),
        ("{sequence: {steps: [{did: A}, {did: B}], within: 3d}}", "3d", True),
        ("{not: {did_not: A, within: 3d}}", "3d", True),
        ("{not: {did: A, at_most: 2, within: 3d}}", "3d", True),
        ("{not: {did: A, within: 3d}}", "3d", False),
        ("{not: {known_for: 3d}}", "3d", True),
        ("{none: [{did_not: A, within: 3d}, {did_not: B}]}", "3d", True),
        ("{not: {all: [{did_not: A, within: 3d}, {did_not: B}]}}", "3d", False),
        (
            "{not: {at_least: 2, of: [{did_not: A, within: 3d}, {did_not: B, within: 2d}, {did_not: C}]}}",
            "3d",
            True,
        ),
        (
            "{not: {at_least: 3, of: [{did_not: A, within: 3d}, {did_not: B, within: 2d}, {did_not: C}]}}",
            "3d",
            False,
        ),
        ("{score: {at_least: 2, of: [{points: 1, each: {did: A, within: 3d}}]}}", "3d", True),
        ("{score: {at_least: 2, of: [{points: 1, each: {did: A}}]}}", "3d", False),
        (
            (
                "{score: {at_least: 2, of: [{points: 1, each: {did: A, within: 4d}, max: 1}, "
                "{points: 1, when: {did: B, within: 3d}}]}}"
            ),
            "3d",
            True,
        ),
        (
            (
                "{score: {at_least: 2, of: [{points: 1, each: {did: A, within: 4d}}, "
                "{points: 1, when: {did: B, within: 3d}}]}}"
            ),
            "3d",
            False,
        ),
        ("{score: {at_most: 2, of: [{points: 1, each: {did: A, within: 3d}}]}}", "3d", False),
        ("{score: {at_least: -2, of: [{points: -1, each: {did: A, within: 3d}}]}}", "3d", False),
    ],
)
def test_a_policy_that_waits_longer_than_its_condition_lasts_is_warned_of(
    tmp_path: Path, when: str, enter_after: str, warned: bool
) -> None:
    text = f"segments:\n  - {{key: a, campaign: c, enter_after: {enter_after}, when: {when}}}\n"
    codes = [line.split()[1] for line in _findings(tmp_path, text)]
    assert ("enter_after:" in codes) == warned
