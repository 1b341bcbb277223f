"""The reference says what the code says."""

import subprocess
import sys

from streams.wire.reasons import Reason
from tests.docs.pages import ROOT


def test_the_reference_is_what_the_code_would_write_now() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "reference.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_reason_of_a_dead_letter_is_explained_in_the_order_in_which_it_applies() -> None:
    page = (ROOT / "docs" / "reference" / "records.md").read_text(encoding="utf-8")
    places = [page.find(f"| `{reason}` |") for reason in Reason]
    assert min(places) > 0
    assert places == sorted(places)
