"""The page about the layout knows every module."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def names(folder: Path) -> set[str]:
    """The modules and packages directly in a folder."""
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    return packages | {path.stem for path in folder.glob("*.py") if not path.stem.startswith("__")}


@pytest.mark.parametrize("package", ["rules", "streams"])
def test_every_module_has_its_place_in_the_layout(package: str) -> None:
    assert names(ROOT / package) - set(re.findall(r"`(\w+)/?`", PAGE)) == set()


def test_every_folder_of_tests_is_explained() -> None:
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    assert folders - set(re.findall(r"`tests/(\w+)/`", PAGE)) == set()
