"""Finds promtool: on the PATH, or where `.ci/run` puts it."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def promtool(*words: str) -> None:
    """Runs it and expects it to be content. Skips the test where it is not installed."""
    program = shutil.which("promtool") or shutil.which("promtool", path=str(ROOT / ".venv/bin"))
    if program is None:
        pytest.skip("promtool is not installed (Debian, Ubuntu: package prometheus)")
    done = subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
