"""`segments` in a process of its own, as users run it."""

import os
import subprocess
import sys
from pathlib import Path

WITHOUT_SETTINGS = {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTS_")}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "streams.cli", *map(str, arguments)]


def segments(
    *arguments: str | Path,
    cwd: Path,
    stdin: bytes | None = None,
    **settings: str,
) -> subprocess.CompletedProcess[bytes]:
    """Runs a command to its end. `KAFKA="..."` is the setting SEGMENTS_KAFKA."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**settings),
        input=b"" if stdin is None else stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def environment(**settings: str) -> dict[str, str]:
    return WITHOUT_SETTINGS | {f"SEGMENTS_{name}": value for name, value in settings.items()}
