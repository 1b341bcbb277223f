"""`segments check`: every refusal and warning has its code, its place, and words that help."""

import os
from pathlib import Path

import pytest

from rules.checker import check
from rules.errors import DefinitionError, Finding
from rules.loading import load
from tests.rules.condition_findings import KEYS, LOOK_ALIKES, MENDED, NEVER, SEVERAL, SOUND, TYPES

HEAD = "segments:\n  - key: a\n    campaign: c\n    when: "


def write(directory: Path, text: str, name: str = "a.yaml") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text, encoding="utf-8")
    return directory


def of_condition(directory: Path, text: str) -> list[Finding]:
    return [
        finding for finding in check(write(directory, f"{HEAD}{text}\n")) if finding.code != "negative_only"
    ]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [*KEYS, *TYPES, *NEVER, *LOOK_ALIKES, *SEVERAL, *MENDED],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_finding_names_its_place_and_what_to_write(
    tmp_path: Path, marked: str, expected: list[str]
) -> None:
    parts = marked.split("▸")
    columns = [len("    when: ") + 1 + sum(map(len, parts[:number])) for number in range(1, len(parts))]
    found = of_condition(tmp_path, "".join(parts))
    assert [(finding.line, finding.column) for finding in found] == [(4, column) for column in columns], found
    for finding, wanted in zip(found, expected, strict=True):
        code, _, words = wanted.partition(": ")
        assert finding.code == code
        assert words in f"{finding.message} ({finding.hint})"
        assert finding.severity == ("warning" if code == "look_alike" else "error")
        assert finding.segment in ("a", None)
        assert "\n" not in str(finding)


@pytest.mark.parametrize("text", SOUND)
def test_what_can_pass_and_fail_is_not_refused(tmp_path: Path, text: str) -> None:
    assert of_condition(tmp_path, text) == []
    assert load(tmp_path).segments[0].key == "a"


def test_a_finding_is_one_line_that_editors_can_follow(tmp_path: Path) -> None:
    (found,) = of_condition(tmp_path, "{did: A, withn: 3d}")
    assert (
        str(found)
        == f"{tmp_path}/a.yaml:4:20: error: segment a: unknown key `withn` (did you mean `within`?)"
    )
    assert found.as_dict()["column"] == 20


def findings(directory: Path) -> list[str]:
    return [
        f"{Path(found.file).name}:{found.line}:{found.column} {found.code} {found.segment}"
        for found in check(directory)
    ]


WHEN = "    campaign: c\n    when: {did: A}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["a.yaml:1:1 wrong_type None"]),
        ("# nothing\n", ["a.yaml:1:1 wrong_type None"]),
        ("- key: a\n", ["a.yaml:1:1 wrong_type None"]),
        ("tests: []\n", []),
        ("segments:\n", ["a.yaml:1:10 wrong_type None"]),
        ("segments: {key: a}\n", ["a.yaml:1:11 wrong_type None"]),
        ("segments: []\n", []),
        (
            "segments: []\ntests: [yes, {a: 5}]\n",
            [
                "a.yaml:2:9 wrong_type None",
                "a.yaml:2:14 missing_key None",
                "a.yaml:2:14 missing_key None",
                "a.yaml:2:15 unknown_key None",
            ],
        ),
        ("segments: []\ngroups: []\n", []),
        ("groups: []\n", []),
        ("groups: {}\n", ["a.yaml:1:9 wrong_type None"]),
        ("groups: [5]\n", ["a.yaml:1:10 wrong_type None"]),
        ("groups: [{key: g}]\n", ["a.yaml:1:10 missing_key None"]),
        ("groups: [{key: g, exclusive: []}]\n", ["a.yaml:1:30 empty None"]),
        (
            "groups: [{key: G, exclusive: [a], exlusive: 5}]\n",
            ["a.yaml:1:16 bad_key None", "a.yaml:1:31 unknown_segment None", "a.yaml:1:35 unknown_key None"],
        ),
        ("segments: []\nsegmnts: []\n", ["a.yaml:2:1 unknown_key None"]),
        ("segments: [5]\n", ["a.yaml:1:12 wrong_type None"]),
        (f"segments:\n  - key: a\n    cooldown: 3d\n{WHEN}", []),
        (
            f"segments:\n  - key: a\n    cooldown: 3\n    enter_after: 0d\n{WHEN}",
            ["a.yaml:3:15 bad_duration a", "a.yaml:4:18 bad_duration a"],
        ),
        (f"segments:\n  - key: a\n    nmae: x\n{WHEN}", ["a.yaml:3:5 unknown_key a"]),
        (
            f"segments:\n  - key: a\n    name:\n    tags: x\n{WHEN}",
            ["a.yaml:3:10 wrong_type a", "a.yaml:4:11 wrong_type a"],
        ),
        (f"segments:\n  - key: Hot Buyers\n{WHEN}", ["a.yaml:2:10 bad_key Hot Buyers"]),
        (f"segments:\n  - key: {'a' * 64}\n{WHEN}", [f"a.yaml:2:10 bad_key {'a' * 64}"]),
        (f"segments:\n  - key: 5\n{WHEN}", ["a.yaml:2:10 wrong_type None"]),
        (f"segments:\n  - name: x\n{WHEN}", ["a.yaml:2:5 missing_key None"]),
        (
            "segments:\n  - key: a\n    campaign: c\n    did: A\n",
            ["a.yaml:2:5 missing_key a", "a.yaml:4:5 unknown_key a"],
        ),
        (
            f"segments:\n  - key: a\n{WHEN}  - key: a\n    campaign: c\n    when: {{did: B}}\n",
            ["a.yaml:5:10 duplicate_segment a"],
        ),
        ("segments:\n  - key: a\n    when: {did: A}\n", ["a.yaml:2:10 no_campaign a"]),
        ("segments:\n\t- key: a\n", ["a.yaml:2:1 yaml None"]),
        (
            f"segments:\n  - key: a\n    key: b\n{WHEN}    <<: {{}}\n    name: !x y\n    owner: 1e999\n    5: 6\n",
            [
                "a.yaml:3:5 duplicate_key a",
                "a.yaml:6:5 yaml a",
                "a.yaml:7:11 yaml a",
                "a.yaml:8:12 wrong_type a",
                "a.yaml:9:5 wrong_type a",
            ],
        ),
        ("segments: []\ngroups: !x []\n", ["a.yaml:2:9 yaml None"]),
        ("segments: []\n---\nsegments: []\n", ["a.yaml:2:1 yaml None"]),
        ("segments: [\n", ["a.yaml:2:1 yaml None"]),
        ("segments: &a [*a]\n", ["a.yaml:1:11 yaml None"]),
        ("segments: [*b]\n", ["a.yaml:1:12 yaml None"]),
        ('segments: ["\\Uffffffff"]\n', ["a.yaml:1:15 yaml None"]),
        ("segments: []\nname: \x01\n", ["a.yaml:2:7 yaml None"]),
        ("segments: " + "[" * 5000, ["a.yaml:1:110 too_deep None"]),
    ],
)
def test_a_file_and_its_segments_are_checked_key_by_key(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert findings(write(tmp_path, text)) == expected


def test_a_file_that_is_not_utf8_is_named_with_the_line_of_the_wrong_byte(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"segments: []\n# caf\xe9\n")
    assert findings(tmp_path) == ["a.yml:2:6 encoding None"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").symlink_to(tmp_path / "nothing.yaml")
    assert findings(tmp_path) == ["a.yaml:1:1 unreadable None", "b.yaml:1:1 unreadable None"]


def test_aliases_that_multiply_are_refused(tmp_path: Path) -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    write(tmp_path, f"segments: []\na0: &a0 [x]\n{levels}")
    assert [found.code for found in check(tmp_path)] == ["yaml"]


def test_a_missing_directory_a_file_and_an_empty_tree_are_errors(tmp_path: Path) -> None:
    assert "does not exist" in str(check(tmp_path / "none")[0])
    assert "there are no definitions" in str(check(tmp_path)[0])
    write(tmp_path, "segments: []")
    assert "is no directory" in str(check(tmp_path / "a.yaml")[0])


def test_definitions_are_read_from_the_whole_tree_but_examples_and_hidden_names_are_not(
    tmp_path: Path,
) -> None:
    write(tmp_path, f"segments:\n  - key: b\n{WHEN}", "b.yml")
    write(tmp_path / "sub" / "deep", "segments:\n  - {key: a, campaign: c, when: {did: B}}\n")
    write(tmp_path, "tests: []", "b.test.yaml")
    write(tmp_path / "..2026_01_05", f"segments:\n  - key: b\n{WHEN}")
    (tmp_path / "sub" / "loop").symlink_to(tmp_path)
    found = load(tmp_path)
    assert [segment.key for segment in found.segments] == ["a", "b"]
    assert [Path(file).name for file in found.files] == ["b.yml", "a.yaml"]


def test_a_key_that_two_files_share_names_both_places(tmp_path: Path) -> None:
    write(tmp_path, f"segments:\n  - key: a\n{WHEN}", "one.yaml")
    write(tmp_path, f"segments:\n  - key: a\n{WHEN}", "two.yaml")
    (found,) = [found for found in check(tmp_path) if found.severity == "error"]
    assert found.file.endswith("two.yaml")
    assert "one.yaml:2" in found.message


def test_load_raises_every_error_at_once_and_no_warning(tmp_path: Path) -> None:
    write(
        tmp_path,
        "segments:\n  - {key: a, when: {did: A, withn: 3d}}\n  - {key: b, when: {did_not: A}}\n  - {key: C, when: 5}\n",
    )
    with pytest.raises(DefinitionError) as raised:
        load(tmp_path)
    assert [found.code for found in raised.value.findings] == ["unknown_key", "bad_key", "wrong_type"]


def nested(levels: int) -> str:
    return "{all: [" * (levels - 1) + "{did: A}" + "]}" * (levels - 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (nested(20), []),
        (nested(21), ["too_deep"]),
        (nested(48), ["too_deep"]),
        ("{not: " * 95 + "{did: A}" + "}" * 95, ["too_deep"]),
        (f"{{any: [{', '.join(f'{{did: A{n}}}' for n in range(99))}]}}", []),
        (f"{{any: [{', '.join(f'{{did: A{n}}}' for n in range(100))}]}}", ["too_many"]),
    ],
    ids=["20 levels", "21 levels", "48 levels", "96 levels", "100 conditions", "101 conditions"],
)
def test_a_segment_has_at_most_100_conditions_and_20_levels(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert [found.code for found in of_condition(tmp_path, text)] == expected


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("{did_not: A}", True),
        ("{all: [{did_not: A}, {trait: b, is_not: 3}]}", True),
        ("{trait: a, exists: false}", True),
        ("{did: A, at_most: 3}", True),
        ("{none: [{did: A}, {trait: b, is: 1}]}", True),
        ("{not: {did: A}}", True),
        ("{at_least: 2, of: [{did_not: A}, {did_not: B}, {did: C}]}", True),
        ("{all: [{did_not: A}, {known_for: 7d}]}", False),
        ("{not: {known_for: 7d}}", False),
        ("{all: [{did_not: A}, {did: B}]}", False),
        ("{not: {did_not: A}}", False),
        ("{latest: A, property: p, exists: false}", False),
        ("{trait: a, is_not: 3, exists: true}", False),
        ("{sample: 10}", False),
    ],
)
def test_a_segment_that_every_newcomer_matches_is_warned_of(tmp_path: Path, text: str, warned: bool) -> None:
    codes = [found.code for found in check(write(tmp_path, f"{HEAD}{text}\n"))]
    assert codes == (["negative_only"] if warned else [])


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("▸{all: [{did: A}, {did_not: A}]}", ["never"]),
        ("▸{all: [{did: A, at_least: 3}, {did: A, at_most: 2}]}", ["never"]),
        ("{all: [{did: A, at_least: 3}, {did: A, at_most: 3}]}", []),
        ("▸{all: [{did: A, within: 7d}, {did_not: A, within: 30d}]}", ["never"]),
        ("{all: [{did: A, within: 30d}, {did_not: A, within: 7d}]}", []),
        ("▸{all: [{did: A, within: 7d}, {did_not: A}]}", ["never"]),
        ("{all: [{did: A, where: {x: 1}}, {did_not: A}]}", []),
        ("▸{any: [{did: A, at_least: 2}, {did: A, at_most: 3}]}", ["always"]),
        ("▸{any: [{trait: a, is: 1}, {trait: a, is_not: 1}]}", ["always"]),
        ("{any: [{trait: a, is: 1}, {trait: a, is: 2}]}", []),
        (
            (
                "▸{all: [{at_least: 2, of: [{did: A}, {did: B}, {did: C}]}, "
                "{at_least: 2, of: [{did_not: C}, {did_not: B}, {did_not: A}]}]}"
            ),
            ["never"],
        ),
        (
            "▸{all: [{did: A, sum: t, at_least: 9, within: 7d}, {not: {did: A, sum: t, at_least: 5, within: 7d}}]}",
            ["never"],
        ),
        (
            "{all: [{did: A, sum: t, at_least: 9, within: 7d}, {not: {did: A, sum: t, at_least: 5, within: 30d}}]}",
            [],
        ),
        (
            (
                "▸{all: [{did: A, distinct: t, at_least: 9, within: 7d}, "
                "{not: {did: A, distinct: t, at_least: 5, within: 30d}}]}"
            ),
            ["never"],
        ),
        ("{all: [{did: B}, ▸{none: [{did: A}, {not: {did: A}}]}]}", ["never"]),
        ("▸{all: [{did: A}, {all: [{did: B}, {not: {did: A}}]}]}", ["never"]),
        ("{all: [{trait: a, is: 1}, {trait: a, is: 2}]}", []),
        ("{score: {at_least: 1, of: [{points: 1, when: ▸{all: [{did: A}, {did_not: A}]}}]}}", ["never"]),
    ],
)
def test_conditions_that_contradict_or_complete_each_other_are_warned_of(
    tmp_path: Path, text: str, codes: list[str]
) -> None:
    column = len(HEAD.splitlines()[-1]) + text.find("▸") + 1 if "▸" in text else 0
    found = [
        (each.column, each.code)
        for each in check(write(tmp_path, f"{HEAD}{text.replace('▸', '')}\n"))
        if each.code != "negative_only"
    ]
    assert found == [(column, code) for code in codes]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("{all: [{did: A}, {did: B}]}", "{all: [{did: B}, {did: A}]}", True),
        ("{all: [{did: A}, {all: [{did: B}, {did: A}]}]}", "{at_least: 2, of: [{did: B}, {did: A}]}", True),
        ("{any: [{did: A, within: 7d}]}", "{within: 1w, did: [A], at_least: 1}", True),
        ("{not: {not: {did: A}}}", "{did: A, more_than: 0}", True),
        ("{none: [{did: A}, {did: B}]}", "{all: [{did_not: B}, {did: A, exactly: 0}]}", True),
        (
            "{did: A, at_least: 2, at_most: 4}",
            "{all: [{did: A, at_least: 2}, {not: {did: A, at_least: 5}}]}",
            True,
        ),
        ("{did: A, where: {b: c}}", "{did: A, where: {b: {in: [c]}}}", True),
        (
            "{latest: A, property: p, is: 1, where: {b: c}}",
            "{latest: A, property: p, is: 1, where: {b: {in: [c]}}}",
            True,
        ),
        (
            "{sequence: {steps: [{did: A, where: {b: c}}, {did: B, within: 1h}]}}",
            "{sequence: {steps: [{did: [A], where: {b: {in: [c]}}}, {did: B, within: 60m}]}}",
            True,
        ),
        (
            "{score: {at_least: 10, of: [{points: 10, each: {did: A, where: {b: c}}}]}}",
            "{score: {more_than: 0, of: [{points: 1, each: {did: A, where: {b: {in: [c]}}}}]}}",
            True,
        ),
        (
            "{not: {at_least: 2, of: [{did: A}, {did: B}, {did: C}]}}",
            "{at_least: 2, of: [{did_not: C}, {did_not: B}, {did_not: A}]}",
            True,
        ),
        ("{trait: a, is_not: 1}", "{not: {trait: a, in: [1.0]}}", True),
        ("{trait: a, is: 1}", "{trait: a, is: true}", False),
        ("{trait: a, is: 1}", "{trait: a, is: '1'}", False),
        ("{trait: a, exists: true, is_not: 1}", "{trait: a, is_not: 1}", False),
        ("{all: [{did: A}, {did: B}]}", "{any: [{did: A}, {did: B}]}", False),
        ("{did: A, within: 7d}", "{did: A, within: 8d}", False),
        ("{sample: 10}", "{sample: 10}", False),
        ("{sample: 10, seed: x}", "{sample: 10.0, seed: x}", True),
        ("{sample: 10}", "{sample: 10, seed: a}", True),
    ],
)
def test_two_segments_that_mean_the_same_are_warned_of(
    tmp_path: Path, one: str, other: str, same: bool
) -> None:
    write(tmp_path, f"{HEAD}{one}\n  - key: b\n    campaign: d\n    when: {other}\n")
    found = [found for found in check(tmp_path) if found.code == "same_meaning"]
    assert [(warning.segment, warning.line) for warning in found] == ([("b", 7)] if same else [])
