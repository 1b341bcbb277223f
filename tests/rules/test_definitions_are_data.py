"""No definition can become a program, and none can hold a worker up: patterns, YAML, generated code."""

import ast
import contextlib
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rules.catalog import Blueprint
from rules.documents import Unreadable, read_document
from rules.errors import DefinitionError
from rules.fields import compiled
from rules.loading import load

# Every text that a definition may hold, each of them marked, with what would end a string or a line of Python in it.
_EVIL = "marked'); import os #\\n\\\"\\\\"
_DEFINITIONS = f"""
segments:
  - key: marked-a
    name: "{_EVIL}"
    campaign: "{_EVIL}"
    when:
      all:
        - {{did: "{_EVIL}", within: 30d, where: {{"{_EVIL}": "{_EVIL}", "b.{_EVIL}": {{in: ["{_EVIL}", 3], is_not: "x{_EVIL}"}}}}}}
        - {{did: ["{_EVIL}", "marked two"], sum: "{_EVIL}", at_least: 5, within: 7d}}
        - {{did: "{_EVIL}", distinct: "{_EVIL}", at_least: 2}}
        - {{did: "{_EVIL}", days: Europe/Berlin, at_least: 2, within: 9d}}
        - {{did: "{_EVIL}", average: "{_EVIL}", more_than: 1.5}}
        - {{did: "{_EVIL}", maximum: "{_EVIL}", less_than: 7, within: 4d}}
        - {{did_not: "{_EVIL}", between: ["2026-01-05", "2026-02-05"]}}
        - {{latest: "{_EVIL}", property: "{_EVIL}", starts_with: "{_EVIL}"}}
        - {{first: "{_EVIL}", property: "{_EVIL}", contains: "{_EVIL}", ends_with: "{_EVIL}"}}
        - {{trait: "{_EVIL}", matches: "marked[')]+", exists: true}}
        - {{trait: "{_EVIL} moment", within_last: 3d}}
        - {{known_for: 3d}}
        - {{sample: 12.5, seed: "{_EVIL}"}}
        - {{member_of: marked-b}}
        - at_least: 1
          of: [{{trait: "{_EVIL}", is: "{_EVIL}"}}, {{not: {{trait: "{_EVIL}", older_than: 2d}}}}]
        - score: {{at_least: 5, of: [{{points: 2.5, each: {{did: "{_EVIL}", within: 5d}}, max: 9}}, {{points: -1, when: {{trait: "{_EVIL}", is: 1}}}}]}}
  - key: marked-b
    campaign: c
    enter_after: 1h
    when:
      sequence:
        steps: [{{did: "{_EVIL}"}}, {{did: "{_EVIL}", within: 1h, where: {{"{_EVIL}": "{_EVIL}"}}}}]
        then_not: {{did: "{_EVIL}", within: 2h}}
        by: "{_EVIL}"
groups:
  - {{key: marked-c, exclusive: [marked-b]}}
"""
_compiled: list[str] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "compile" and _compiled is not None and isinstance(arguments[0], str | bytes):
        source = arguments[0]
        _compiled.append(source if isinstance(source, str) else source.decode())


@pytest.fixture
def sources() -> Any:
    """Everything that Python is given to compile as a text meanwhile, as Python itself says."""
    global _compiled  # noqa: PLW0603 - an audit hook can never be taken off again
    if not getattr(_listen, "added", False):
        sys.addaudithook(_listen)
        _listen.added = True  # type: ignore[attr-defined]
    _compiled = []
    yield _compiled
    _compiled = None


def test_no_text_of_a_definition_reaches_the_compiler(sources: list[str], tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(_DEFINITIONS)
    catalog = Blueprint(load(tmp_path)).catalog()
    assert {program.key for program in catalog.programs} == {"marked-a", "marked-b"}
    generated = [source for source in sources if source.startswith("def judge(")]
    assert len(generated) >= 2
    assert "marked" not in "".join(sources)
    for source in generated:
        for node in ast.walk(ast.parse(source)):
            # Our own short names, integers and operators: no text, no import, nothing with two underscores.
            if isinstance(node, ast.Constant):
                assert node.value is None or isinstance(node.value, int | float)
            elif isinstance(node, ast.Name):
                assert re.fullmatch(r"[a-z_]+|[cfv]\d+|ALWAYS|NEVER", node.id), node.id
                assert "__" not in node.id
            else:
                assert not isinstance(node, ast.Import | ast.ImportFrom | ast.Global | ast.Lambda), source


_RANDOM = random.Random(1)
_TEXTS = ["a" * 262_144, "".join(_RANDOM.choice("ab") for _ in range(262_144)), "x1" * 131_072]


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(x+x+)+y",
        "([a-z]*\\d*){200}!",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(a|a)*b",
        "(.*a){20}.*zzz",
        "[ab]*a[ab]{200}c",
    ],
)
def test_a_pattern_takes_linear_time_whatever_it_is_searched_in(pattern: str) -> None:
    """Python's own would take longer than the world is old for these."""
    search = compiled(pattern).search
    began = time.process_time()
    for text in _TEXTS:
        search(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "pattern", ["(?=a)b", "(a)\\1", "(?<!a)b", "(", "((a{100}){100}){100}", "(.{999}|.{998}|.{997}|.{996})"]
)
def test_patterns_that_are_not_linear_or_too_large_are_refused(pattern: str, tmp_path: Path) -> None:
    written = f"segments: [{{key: x, campaign: c, when: {{trait: t, matches: '{pattern}'}}}}]"
    (tmp_path / "a.yaml").write_text(written)
    with pytest.raises(DefinitionError) as refused:
        load(tmp_path)
    assert [finding.code for finding in refused.value.findings] == ["bad_pattern"]


_BOMB = "\n".join(
    ["a: &a [x,x,x,x,x,x,x,x,x]"]
    + [f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]" for n in range(9)]
)


@pytest.mark.parametrize(
    "text",
    [
        _BOMB,
        "[" * 100_000,
        "{a: " * 5000,
        "- " * 3000,
        "&a [*a]",
        '"' + "\\n" * 200_000,
        "#" * 1_000_000,
        "1" * 1_000_000,
    ],
    ids=["aliases", "lists", "mappings", "dashes", "itself", "open", "comment", "number"],
)
def test_no_yaml_takes_long_or_becomes_large(text: str) -> None:
    began = time.process_time()
    with contextlib.suppress(Unreadable):
        assert read_document(text.encode()).value in (None, [])
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!binary",
        "!include",
    ],
)
def test_a_tag_makes_nothing_but_a_finding(tag: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        f"segments: [{{key: {tag} ['touch {tmp_path}/made'], when: {{known_for: 1d}}}}]"
    )
    with pytest.raises(DefinitionError) as refused:
        load(tmp_path)
    assert "yaml" in {finding.code for finding in refused.value.findings}
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]
