"""What peers run in: a virtual environment with locked packages, or the jars of a Maven project. Made once, below .venv."""

import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

PEERS = Path(__file__).parent
JAVA = PEERS / "java"
MADE = Path(__file__).parents[3] / ".venv" / "benchmarks"
JAVA_SINCE = 17


class LeftOut(Exception):
    """A peer cannot be run here; the message says why, in one line."""


def python_of(name: str) -> Path:
    """The interpreter of the environment that `NAME.lock` locks. Raises LeftOut where it cannot be made."""
    lock = PEERS / f"{name}.lock"
    folder, python = MADE / name, MADE / name / "bin" / "python"
    wanted = _digest(lock)
    if _is_ready(folder, wanted):
        return python
    print(f"installing {name} ...", flush=True)
    uv = Path(sys.executable).with_name("uv")
    _done([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)], folder.parent)
    _done(
        [str(uv), "pip", "install", "--quiet", "--require-hashes", "-r", str(lock), "--python", str(python)],
        folder,
    )
    (folder / "ready").write_text(wanted)
    return python


def jars_of(name: str) -> str:
    """The class path of the Maven project of that name, which has `java/rules` in it. Raises LeftOut where it cannot be
    built."""
    project, folder = JAVA / name, MADE / name
    sources = sorted(path for each in (project, JAVA / "rules") for path in each.rglob("*") if path.is_file())
    wanted = _digest(*sources)
    if not _is_ready(folder, wanted):
        _check_java()
        print(f"building {name} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _done(
            ["mvn", "--quiet", "--batch-mode", f"-Dbuilt={folder}", "package", "dependency:copy-dependencies",
             f"-DoutputDirectory={folder / 'jars'}"],
            project,
        )  # fmt: skip
        (folder / "ready").write_text(wanted)
    return os.pathsep.join([str(folder / "classes"), str(folder / "jars" / "*")])


def java_version() -> str:
    """What `java -version` calls itself."""
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "([^"]+)"', said)
    return found[1] if found else "unknown"


def _check_java() -> None:
    if shutil.which("mvn") is None or shutil.which("java") is None:
        raise LeftOut(f"there is no Maven and Java {JAVA_SINCE} here")
    found = java_version()
    if not found[:2].isdigit() or int(found[:2]) < JAVA_SINCE:
        raise LeftOut(f"it needs Java {JAVA_SINCE}, and there is Java {found}")


def _is_ready(folder: Path, wanted: str) -> bool:
    stamp = folder / "ready"
    return stamp.is_file() and stamp.read_text() == wanted


def _digest(*files: Path) -> str:
    """Changes with the files and the interpreter."""
    found = sha256(sys.version.encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()


def _done(command: list[str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it says nothing"]
        raise LeftOut(f"`{Path(command[0]).name}` failed: {lines[0]}")
