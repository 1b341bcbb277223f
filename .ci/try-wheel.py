"""Tries an installed `segments` from a folder that is no checkout: help, schema, check, and a replay of a few events."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

DEFINITIONS = """
segments:
  - key: keen
    campaign: wheel
    when: {did: Order Completed, at_least: 2, within: 1d}
"""


def event(moment: str) -> str:
    return json.dumps({"type": "track", "userId": "u1", "event": "Order Completed", "timestamp": moment})


def main() -> int:
    segments, examples = sys.argv[1], Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:

        def run(*words: str) -> str:
            done = subprocess.run(
                [segments, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
            )
            if done.returncode != 0:
                sys.exit(
                    f"segments {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
                )
            return done.stdout

        (Path(folder) / "definitions").mkdir()
        (Path(folder) / "definitions" / "keen.yaml").write_text(DEFINITIONS)
        moments = ("2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z")
        (Path(folder) / "events.jsonl").write_text("".join(event(moment) + "\n" for moment in moments))
        assert "replay" in run("--help")
        assert json.loads(run("schema"))["$schema"].startswith("http://json-schema.org/draft-07")
        run("check", "definitions")
        run("check", str(examples))
        replay = (
            "replay",
            "--segments",
            "definitions",
            "--events",
            "events.jsonl",
            "--until",
            "2026-01-07T00:00:00Z",
        )
        transitions = [json.loads(line) for line in run(*replay).splitlines()]
        told = [(each["event"], each["timestamp"]) for each in transitions]
        expected = [
            ("Audience Entered", "2026-01-05T11:00:00.000Z"),
            ("Audience Exited", "2026-01-06T10:00:00.000Z"),
        ]
        assert told == expected, told
    print("the wheel works")
    return 0


if __name__ == "__main__":
    sys.exit(main())
