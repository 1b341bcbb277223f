"""`make` and `make setup`, as somebody meets them who has just cloned the repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIM = "#!/bin/sh\necho 'no such version' >&2\nexit 127\n"
TOOLS = ["sh", "cat", "cksum", "dirname", "awk", "rm", "env"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "scripts").mkdir(parents=True)
    for name in ("requirements.lock", "test-data.lock", "pyproject.toml", "scripts/setup.sh"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with the plainest tools and no Python that runs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        (folder / name).write_text(SHIM)
        (folder / name).chmod(0o755)
    return folder


def setup(checkout: Path, tools: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(tools), "HOME": str(checkout), **settings}
    words = ["scripts/setup.sh"]
    return subprocess.run(words, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = {line.split()[1] for line in done.stdout.splitlines()}
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    assert listed == set(phony.split()[1:])


def test_setup_without_a_python_that_fits_says_what_to_install(checkout: Path, tools: Path) -> None:
    done = setup(checkout, tools)
    assert done.returncode == 1
    assert done.stderr.startswith("setup: no Python 3.11, 3.12 or 3.13 found")


def test_setup_passes_over_commands_that_are_there_and_do_not_run(checkout: Path, tools: Path) -> None:
    """The python3.13 of a version manager may only print that it is not installed."""
    (tools / "python3.12").unlink()
    (tools / "python3.12").write_text(
        f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"\n'
    )
    (tools / "python3.12").chmod(0o755)
    done = setup(checkout, tools)
    assert done.returncode == 1
    assert done.stderr.startswith(f"setup: {tools}/python3.12 lacks the venv module")


@pytest.mark.parametrize(
    ("pythons", "taken"),
    [
        ({"python3.13": "slow", "python3.12": "quick", "python3.11": "quick"}, "python3.12"),
        ({"python3.13": "slow", "python3.12": "slow"}, "python3.13"),
        ({"python3.13": "bare", "python3.12": "slow"}, "python3.12"),
    ],
)
def test_setup_takes_the_newest_python_that_was_compiled_to_be_quick(
    checkout: Path, tools: Path, pythons: dict[str, str], taken: str
) -> None:
    """Where there is none, the newest that can make an environment."""
    answers = {
        "quick": "*CONFIG_ARGS*) exit 0;;",
        "slow": "*CONFIG_ARGS*) exit 1;;",
        "bare": "*ensurepip*) exit 1;;",
    }
    for name, kind in pythons.items():
        (tools / name).write_text(
            f'#!/bin/sh\ncase "$*" in {answers[kind]} "-m venv"*) echo taken: {name} >&2; exit 3;; esac\n'
            f'exec "{sys.executable}" "$@"\n'
        )
    done = setup(checkout, tools)
    assert (done.returncode, done.stderr) == (3, f"taken: {taken}\n")


def test_setup_does_nothing_where_nothing_changed(checkout: Path, tools: Path) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").symlink_to(Path(sys.executable).resolve())
    script = f'set -eu; cd "{checkout}"; eval "$(sed -n "/^fingerprint()/,/^}}/p" scripts/setup.sh)"; fingerprint >.venv/.ready'
    subprocess.run(["sh", "-c", script], check=True, env=os.environ)
    done = setup(checkout, tools)
    assert (done.returncode, done.stderr) == (0, "")
