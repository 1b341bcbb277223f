"""Looks whether the locked packages have known vulnerabilities. Exit code 1 where one has.

Where the service that knows of them cannot be reached, or does not know the packages, one line says so, and that is all:
a machine without the internet must be able to run the other checks.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "test-data.lock")
"""Those of the image are parts of the first."""
SERVICES = ("pypi", "osv")
ANSWER_S = 15
UNREACHED = (
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "ProxyError",
    "SSLError",
    "HTTPError",
    "ServiceError",
)
"""What it says on stderr of a service that cannot be reached, as the last lines of a traceback."""


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        pip_audit = _installed(Path(scratch))
        reports = [_report(pip_audit, service) for service in SERVICES]
    told, code = verdict(reports)
    print(told)
    return code


def verdict(reports: Sequence[dict[str, Any] | None]) -> tuple[str, int]:
    """What to say of what each service says (None: not reached), and the exit code."""
    known: set[str] = set()
    every: set[str] = set()
    found: dict[str, None] = {}
    for report in reports:
        for package in (report or {}).get("dependencies", []):
            name = f"{package['name']} {package.get('version', '')}".strip()
            every.add(package["name"])
            if "skip_reason" in package:
                continue
            known.add(package["name"])
            for each in package["vulns"]:
                fixed = ", ".join(each["fix_versions"]) or "no version yet"
                found[f"error: {name} has {each['id']}, mended in {fixed}"] = None
    if found:
        return "\n".join(found), 1
    if not known:
        return "notice: no service of advisories can be reached from here: the packages are not audited", 0
    unknown = len(every - known)
    more = f"; notice: nothing could be asked of {unknown} others" if unknown else ""
    return f"{len(known)} packages have no known vulnerability{more}", 0


def _installed(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    uv = Path(sys.executable).with_name("uv")
    install = [str(uv), "pip", "install", "--quiet", "--require-hashes", "-r", str(ROOT / ".ci/audit.lock")]
    subprocess.run([*install, "--python", str(folder / "bin/python")], check=True)
    return folder / "bin/pip-audit"


def _report(pip_audit: Path, service: str) -> dict[str, Any] | None:
    command = [
        str(pip_audit),
        "--disable-pip",
        "--require-hashes",
        "--progress-spinner",
        "off",
        "--format",
        "json",
    ]
    command += ["--vulnerability-service", service, "--timeout", str(ANSWER_S)]
    for lock in LOCKS:
        command += ["-r", str(ROOT / lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        if any(sign in done.stderr for sign in UNREACHED):
            return None
        raise SystemExit(f"error: pip-audit failed: {done.stderr.strip() or 'it says nothing'}") from None
    return report


if __name__ == "__main__":
    sys.exit(main())
