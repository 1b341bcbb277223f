"""Definitions that the documentation shows can be used as they stand there."""

from pathlib import Path

import pytest

from rules.catalog import Blueprint
from rules.checker import check
from rules.loading import read
from streams.examples import run, scope_of
from tests.docs.pages import ROOT, Block, blocks

FILES = [block for block in blocks("yaml") if block.text.startswith(("segments:", "#"))]
CONDITIONS = [block for block in blocks("yaml") if block not in FILES]


@pytest.mark.parametrize("block", FILES, ids=str)
def test_a_file_of_definitions_has_no_findings(block: Block, tmp_path: Path) -> None:
    assert findings(block.text, tmp_path) == []


@pytest.mark.parametrize("block", [block for block in FILES if "\ntests:" in block.text], ids=str)
def test_the_examples_of_a_file_come_out_as_they_say(block: Block, tmp_path: Path) -> None:
    (tmp_path / "shown.yaml").write_text(block.text, encoding="utf-8")
    reading = read(tmp_path)
    catalog = Blueprint(reading.definitions).catalog()
    for located in reading.examples:
        assert run(located.value, catalog, scope_of(located, reading)) == []


@pytest.mark.parametrize("block", CONDITIONS, ids=str)
def test_a_condition_has_no_errors(block: Block, tmp_path: Path) -> None:
    inner = "\n".join(f"      {line}" for line in block.text.splitlines())
    text = f"segments:\n  - key: shown\n    campaign: none\n    when:\n{inner}\n"
    assert [finding for finding in findings(text, tmp_path) if ": error: " in finding] == []


@pytest.mark.parametrize("folder", ["segments", "examples/cdnow/segments"])
def test_the_examples_have_no_findings(folder: str) -> None:
    assert [str(finding) for finding in check(ROOT / folder)] == []


def findings(text: str, folder: Path) -> list[str]:
    (folder / "shown.yaml").write_text(text, encoding="utf-8")
    return [str(finding) for finding in check(folder)]
