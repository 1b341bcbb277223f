"""What all commands have in common: help, exit codes, and one line for whatever fails."""

import importlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streams.cli import program
from streams.cli.command import Command, Section
from tests.streams.cli.running import command, environment, segments

COMMANDS = sorted(program.segments.commands)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No .env and no definitions of this checkout."""
    monkeypatch.chdir(tmp_path)


def test_help_lists_every_command_under_its_heading() -> None:
    told = CliRunner().invoke(program.segments, ["--help"]).output
    headings = [told.index(f"{section}:") for section in Section]
    assert headings == sorted(headings)
    for name in COMMANDS:
        assert f"\n  {name} " in told


def test_segments_alone_shows_the_help(tmp_path: Path) -> None:
    done = segments(cwd=tmp_path)
    assert done.returncode == 0
    assert b"Start here:" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_examples_that_call_it_in_its_help(name: str) -> None:
    one = program.segments.commands[name]
    assert isinstance(one, Command)
    told = CliRunner().invoke(program.segments, [name, "--help"]).output
    for example in one.examples:
        assert f"  {example}\n" in told
        assert (
            f"segments {name}" in example or f"| segments {name}" in example or "segments up --env" in example
        )


@pytest.mark.parametrize("name", COMMANDS)
def test_a_short_help_is_not_cut_off(name: str) -> None:
    assert not program.segments.commands[name].get_short_help_str(65).endswith("...")


def test_help_waits_for_nothing_heavy() -> None:
    look = (
        "import sys; from streams.cli.program import run; run(['--help']);"
        "sys.exit(' '.join({'faust', 'kafka', 'aiokafka', 'pydantic', 'redis', 'yaml'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_version(tmp_path: Path) -> None:
    done = segments("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.split()[0]) == (0, b"livesegments")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["chek"], "segments: there is no command 'chek': did you mean check? (see segments --help)"),
        (["frobnicate"], "segments: there is no command 'frobnicate' (see segments --help)"),
        (
            ["check", "--jsn"],
            "segments check: No such option: --jsn Did you mean --json? (see segments check --help)",
        ),
        (
            ["check", "nowhere"],
            "segments check: Invalid value for '[DIRECTORY]': Directory 'nowhere' does not exist (see segments check --help)",
        ),
        (["replay"], "segments replay: Missing option '--segments' (see segments replay --help)"),
        (
            ["up", "--env", "--json"],
            "segments up: --env and --json exclude each other: give one of them (see segments up --help)",
        ),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.run(arguments) == 2
    assert capsys.readouterr() == ("", f"{line}\n")


def test_each_wrong_setting_is_a_line_and_exit_code_78(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGMENTS_PARTITIONS", "many")
    monkeypatch.setenv("SEGMENTS_CLOCK", "sundial")
    assert program.run(["tail"]) == 78
    assert capsys.readouterr().err.splitlines() == [
        "segments: SEGMENTS_PARTITIONS='many': must be a whole number from 1 to 10000",
        "segments: SEGMENTS_CLOCK='sundial': must be one of wall, events",
    ]


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("fail")
    def fail() -> None:
        raise ValueError("this\nnever happens")

    monkeypatch.setitem(program.segments.commands, "fail", fail)


def test_what_nobody_expected_is_one_line_too(fails: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run(["fail"]) == 1
    assert capsys.readouterr().err == (
        "segments: unexpected ValueError: this (SEGMENTS_LOG_LEVEL=debug shows where)\n"
    )


def test_a_traceback_is_shown_where_it_is_asked_for(
    fails: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENTS_LOG_LEVEL", "debug")
    monkeypatch.setattr(program, "_quiet_libraries", lambda: None)  # the log of this process stays as it is
    assert program.run(["fail"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(program._EXIT_CODES))
def test_errors_that_have_exit_codes_exist(name: str) -> None:
    module, _, error = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), error), Exception)


def test_nobody_is_told_of_a_broken_pipe(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    line = json.dumps({"type": "track", "event": "A", "userId": "u{}", "timestamp": 1767225600000})
    events.write_text("".join(line.replace("{}", str(number)) + "\n" for number in range(5000)))
    (tmp_path / "a.yaml").write_text("segments:\n  - {key: a, campaign: c, when: {did: A}}\n")
    told = command("replay", "--segments", tmp_path, "--events", events)
    process = subprocess.Popen(
        told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=tmp_path
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b'{"messageId"')
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 141
    process.stderr.close()


def test_ctrl_c_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("segments:\n  - {key: a, campaign: c, when: {did: A}}\n")
    told = command("replay", "--segments", tmp_path, "--events", "-")
    process = subprocess.Popen(
        told,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=tmp_path,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(b"no json\n")
    process.stdin.flush()
    assert process.stderr.readline().startswith(b"line 1: not_json")
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"")


@pytest.mark.parametrize("output", ["/dev/full"])
def test_a_full_disk_is_one_line(tmp_path: Path, output: str) -> None:
    with Path(output).open("wb") as full:
        done = subprocess.run(
            command("schema"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            cwd=tmp_path,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"segments: No space left on device\n")
