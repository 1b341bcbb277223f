"""check, schema, replay."""

import gzip
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from streams.cli.program import run
from tests.streams.cli.running import segments

SOUND = """
segments:
  - key: buyers
    campaign: thanks
    when: {did: Order Completed, within: 1h}
"""
SUSPICIOUS = "segments:\n  - {key: nobody, when: {did_not: Order Completed}}\n"
WRONG = "segments:\n  - {key: buyers, campaign: c, when: {did: Order Completed, witin: 1h}}\n"
T0 = "2026-01-05T10:00:00Z"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("SEGMENTS_DEFINITIONS", "SEGMENTS_MAX_FUTURE_SKEW"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "segments"
    folder.mkdir()
    return folder


class TestCheck:
    def test_sound_definitions_pass(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (directory / "a.yaml").write_text(SOUND)
        assert run(["check"]) == 0
        assert capsys.readouterr() == ("no errors, no warnings\n", "")

    def test_each_finding_is_a_line_with_its_place_and_errors_are_exit_code_1(
        self, directory: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (directory / "a.yaml").write_text(WRONG)
        (directory / "b.yaml").write_text(SUSPICIOUS)
        assert run(["check", str(directory)]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith(f"{directory}/a.yaml:2:")
        assert "error: segment buyers: unknown key `witin`" in lines[0]
        assert "`within`" in lines[0]
        assert lines[-1] == f"1 error, {len(lines) - 2} warnings"

    def test_warnings_alone_are_no_failure(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (directory / "b.yaml").write_text(SUSPICIOUS)
        assert run(["check"]) == 0
        assert capsys.readouterr().out.endswith("no errors, 2 warnings\n")

    def test_json_for_programs(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (directory / "a.yaml").write_text(WRONG)
        assert run(["check", "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert (found["errors"], found["warnings"]) == (1, 0)
        assert found["findings"][0]["code"] == "unknown_key"
        assert found["findings"][0]["line"] == 2

    def test_the_directory_is_that_of_the_settings(
        self, directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SEGMENTS_DEFINITIONS", "elsewhere")
        assert run(["check"]) == 1
        assert capsys.readouterr().out.startswith("elsewhere: error: the directory does not exist")

    def test_colours_are_for_terminals_only(
        self, directory: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (directory / "a.yaml").write_text(WRONG)
        run(["check"])
        assert "\x1b" not in capsys.readouterr().out


def test_the_schema_is_one_that_sound_definitions_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(SOUND), schema)


def event(user: str, name: str, at: str, **more: object) -> bytes:
    return (
        json.dumps({"type": "track", "userId": user, "event": name, "timestamp": at, **more}).encode() + b"\n"
    )


def told(out: bytes | str) -> list[tuple[str, str, str]]:
    rows = [json.loads(line) for line in out.splitlines()]
    return [(row["userId"], row["event"].split()[1], row["timestamp"]) for row in rows]


class TestReplay:
    @pytest.fixture(autouse=True)
    def _definitions(self, directory: Path) -> None:
        (directory / "a.yaml").write_text(SOUND)

    def test_transitions_come_as_json_lines_and_dead_letters_are_told(self, tmp_path: Path) -> None:
        lines = event("u1", "Order Completed", T0) + b"\nnot json\n" + event("u2", "", T0)
        (tmp_path / "e.jsonl").write_bytes(lines + event("u2", "Order Completed", "2026-01-05T12:00:00Z"))
        done = segments("replay", "--segments", "segments", "--events", "e.jsonl", cwd=tmp_path)
        assert done.returncode == 0
        assert told(done.stdout) == [
            ("u1", "Entered", "2026-01-05T10:00:00.000Z"),
            ("u2", "Entered", "2026-01-05T12:00:00.000Z"),
            ("u1", "Exited", "2026-01-05T11:00:00.000Z"),
        ]
        errors = done.stderr.decode().splitlines()
        assert errors[0].startswith("line 3: not_json: ")
        assert errors[1].startswith("line 4: missing_event: ")
        assert errors[2:] == ["2 dead letters"]

    @pytest.mark.parametrize("until", ["2026-01-05T10:59:59.999Z", "2026-01-05T11:00:00Z"])
    def test_until_lets_time_go_on_to_that_moment(self, tmp_path: Path, until: str) -> None:
        arguments = ["replay", "--segments", "segments", "--events", "-", "--until", until]
        done = segments(*arguments, cwd=tmp_path, stdin=event("u1", "Order Completed", T0))
        assert len(told(done.stdout)) == (2 if until.endswith("11:00:00Z") else 1)
        assert done.stderr == b"0 dead letters\n"

    def test_records_received_after_until_are_not_taken_but_defective_ones_are_told(
        self, tmp_path: Path
    ) -> None:
        arguments = ["replay", "--segments", "segments", "--events", "-", "--until", "2026-01-05"]
        lines = event("u1", "Order Completed", T0) + event("", "Order Completed", T0)
        done = segments(*arguments, cwd=tmp_path, stdin=lines)
        assert done.stdout == b""
        assert done.stderr.splitlines()[-1] == b"1 dead letters"

    def test_a_compressed_file_and_an_output_file(self, tmp_path: Path, capfdbinary: object) -> None:
        (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress(event("u1", "Order Completed", T0)))
        assert (
            run(["replay", "--segments", "segments", "--events", "e.jsonl.gz", "--output", "out.jsonl"]) == 0
        )
        assert told((tmp_path / "out.jsonl").read_text()) == [("u1", "Entered", "2026-01-05T10:00:00.000Z")]

    def test_a_line_without_end_takes_no_memory(self, tmp_path: Path) -> None:
        lines = b"x" * 5_000_000 + b"\n" + event("u1", "Order Completed", T0)
        done = segments("replay", "--segments", "segments", "--events", "-", cwd=tmp_path, stdin=lines)
        assert len(told(done.stdout)) == 1
        assert done.stderr.splitlines()[0].startswith(b"line 1: too_large: ")

    def test_it_explains_a_contact_as_it_is_at_the_end(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "e.jsonl").write_bytes(event("u1", "Order Completed", T0))
        arguments = ["replay", "--segments", "segments", "--events", "e.jsonl", "--explain"]
        assert run([*arguments, "u1"]) == 0
        out, errors = capfd.readouterr()
        assert out.startswith("u1 is in 1 of 1 segments\n")
        assert "It would leave with: no Order Completed until Monday 2026-01-05 11:00 UTC\n" in out
        assert errors == "0 dead letters\n"
        assert run([*arguments, "u1", "--output", "out.jsonl", "--until", "2026-01-06"]) == 0
        assert capfd.readouterr().out.startswith("u1 is in 0 of 1 segments\n")
        assert len(told((tmp_path / "out.jsonl").read_text())) == 2
        assert run([*arguments, "u1", "--json"]) == 0
        [view] = json.loads(capfd.readouterr().out)["segments"]
        assert (view["member"], view["needs"]) == (
            True,
            "no Order Completed until Monday 2026-01-05 11:00 UTC",
        )
        assert run(["replay", "--segments", "segments", "--events", "e.jsonl", "--json"]) == 2
        assert "--json goes with --explain" in capfd.readouterr().err
        assert run([*arguments, "u11"]) == 1
        assert "did you mean 'u1'?" in capfd.readouterr().err

    def test_wrong_definitions_are_exit_code_1(
        self, directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (directory / "b.yaml").write_text(WRONG)
        (tmp_path / "e.jsonl").write_bytes(b"")
        assert run(["replay", "--segments", "segments", "--events", "e.jsonl"]) == 1
        out, errors = capsys.readouterr()
        assert out == ""
        assert "b.yaml:2:" in errors.splitlines()[0]

    @pytest.mark.parametrize("events", ["nowhere.jsonl", ".", "broken.gz"])
    def test_a_file_that_cannot_be_read_is_one_line_and_exit_code_2(
        self, tmp_path: Path, events: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "broken.gz").write_bytes(gzip.compress(b"x" * 100)[:-10])
        assert run(["replay", "--segments", "segments", "--events", events]) == 2
        errors = capfd.readouterr().err.splitlines()
        assert len(errors) == 1
        assert events in errors[0]

    def test_an_output_that_cannot_be_written_is_one_line_and_exit_code_2(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "e.jsonl").write_bytes(b"")
        assert run(["replay", "--segments", "segments", "--events", "e.jsonl", "--output", "no/where"]) == 2
        assert "no/where cannot be written" in capfd.readouterr().err

    def test_the_events_are_not_written_over(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "e.jsonl").write_bytes(b"{}\n")
        (tmp_path / "other.jsonl").symlink_to("e.jsonl")
        for output in ("e.jsonl", "other.jsonl"):
            assert run(["replay", "--segments", "segments", "--events", "e.jsonl", "--output", output]) == 2
            assert f"{output} holds the events" in capfd.readouterr().err
        assert (tmp_path / "e.jsonl").read_bytes() == b"{}\n"

    def test_a_wrong_moment_is_exit_code_2(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "e.jsonl").write_bytes(b"")
        assert run(["replay", "--segments", "segments", "--events", "e.jsonl", "--until", "tomorrow"]) == 2
        assert "'tomorrow' is no moment" in capsys.readouterr().err


class TestExamples:
    def test_they_are_run_and_what_is_wrong_is_shown(
        self, directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (directory / "a.yaml").write_text(SOUND)
        steps = "[{track: Order Completed}, {members: [%s]}]"
        key = SOUND.split("key: ")[1].split(maxsplit=1)[0].strip(",")
        text = f"tests:\n  - {{name: right, steps: {steps % key}}}\n"
        (directory / "a.test.yaml").write_text(text)
        assert run(["test"]) == 0
        out = capsys.readouterr().out
        assert out.splitlines()[0] == "ok     segments/a.test.yaml:2  right"
        assert out.splitlines()[-1] == "1 example, none wrong"
        (directory / "a.test.yaml").write_text(f"{text}  - {{name: left, steps: {steps % ''}}}\n")
        assert run(["test", "segments"]) == 1
        assert capsys.readouterr().out.splitlines()[1:] == [
            "wrong  segments/a.test.yaml:3  left",
            f"         step 2, at 0s: somebody is in {key}",
            f"         + {key}: not expected",
            "2 examples, 1 wrong",
        ]
        assert run(["test", "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert (found["wrong"], [each["line"] for each in found["examples"]]) == (1, [2, 3])

    def test_wrong_definitions_or_examples_are_exit_code_1(
        self, directory: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (directory / "a.yaml").write_text(SOUND)
        (directory / "a.test.yaml").write_text("tests: [{name: x, steps: [{track: A}]}]")
        assert run(["test"]) == 1
        assert "a.test.yaml:1:" in capsys.readouterr().err

    def test_no_examples_are_said_so(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (directory / "a.yaml").write_text(SOUND)
        assert run(["test"]) == 0
        assert capsys.readouterr().out == "no examples, none wrong\n"


class TestInit:
    def test_it_lists_the_sets(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["init"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("abandoned ")
        assert len(lines) == 11

    def test_a_set_is_copied_once_and_passes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert run(["init", "abandoned", "--into", "new/segments"]) == 0
        assert run(["test", "new/segments"]) == 0
        (tmp_path / "new/segments/abandoned.yaml").write_text("segments: []")
        assert run(["init", "abandoned", "--into", "new/segments"]) == 2
        assert (tmp_path / "new/segments/abandoned.yaml").read_text() == "segments: []"
        assert run(["init", "abandond"]) == 2
        assert "there is no template 'abandond'" in capsys.readouterr().err
