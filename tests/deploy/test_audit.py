"""What CI makes of what pip-audit says of the locked packages."""

import importlib.util
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci/audit.py")
assert _spec is not None
assert _spec.loader is not None
audit = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(audit)


def _report(*packages: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": list(packages), "fixes": []}


SOUND = {"name": "redis", "version": "8.1.0", "vulns": []}
SKIPPED = {"name": "yarl", "skip_reason": "Dependency not found and could not be audited: yarl (1.25.1)"}
BAD = {
    "name": "click",
    "version": "8.1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["8.1.1"], "aliases": [], "description": "x"}],
}


def test_a_known_vulnerability_fails_whatever_the_other_service_says() -> None:
    told, code = audit.verdict([_report(SOUND, BAD), None])
    assert (told, code) == ("error: click 8.1.0 has PYSEC-1, mended in 8.1.1", 1)


def test_sound_packages_pass_and_those_that_nobody_knows_are_counted() -> None:
    told, code = audit.verdict([_report(SOUND, SKIPPED), None])
    assert code == 0
    assert told == "1 packages have no known vulnerability; notice: nothing could be asked of 1 others"


def test_services_that_cannot_be_reached_are_one_notice() -> None:
    for reports in ([None, None], [_report(SKIPPED, SKIPPED), None]):
        told, code = audit.verdict(reports)
        assert code == 0
        assert told.startswith("notice: ")
        assert "\n" not in told


def test_ci_audits_all_that_is_locked() -> None:
    assert set(audit.LOCKS) == {path.name for path in ROOT.glob("*.lock")}
    assert ".ci/audit.py" in (ROOT / ".ci/run").read_text()
