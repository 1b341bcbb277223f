"""Commands about definitions: check, schema, replay."""

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from streams.cli.command import Command, Section
from streams.cli.files import EventFile
from streams.cli.moments import Moment
from streams.cli.terminal import ProgressLine, plural
from streams.cli.transition_lines import printable_json

if TYPE_CHECKING:
    from streams.replay import Replay

DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
EVENTS = click.Path(exists=True, dir_okay=False, allow_dash=True)

_COLOURS = {"error": "red", "warning": "yellow"}


@click.command(
    "check",
    cls=Command,
    section=Section.DEFINITIONS,
    examples=[
        "segments check                  # the directory that SEGMENTS_DEFINITIONS names",
        "segments check ./segments",
        "segments check --json | jq '.findings[].message'",
    ],
)
@click.argument("directory", required=False, type=DIRECTORY)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def check(directory: Path | None, *, as_json: bool) -> None:
    """Find everything that is wrong with definitions.

    Each finding is one line with file, line and column, and says what to write instead. Exit code 1 if there are
    errors; warnings alone are no failure.
    """
    from rules.checker import check as check_definitions

    findings = check_definitions(directory_of(directory))
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    if as_json:
        import json

        found = [finding.as_dict() for finding in findings]
        click.echo(json.dumps({"findings": found, "errors": errors, "warnings": warnings}, indent=2))
    else:
        for finding in findings:
            click.echo(coloured(str(finding), finding.severity))
        click.echo(f"{plural(errors, 'error')}, {plural(warnings, 'warning')}")
    if errors:
        raise click.exceptions.Exit(1)


@click.command(
    "schema",
    cls=Command,
    section=Section.DEFINITIONS,
    examples=["segments schema > segments.schema.json"],
)
def schema() -> None:
    """Print the JSON Schema of definition files.

    It is draft-07, which editors use to complete and check YAML files while they are written.
    """
    import json

    from rules.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


@click.command(
    "replay",
    cls=Command,
    section=Section.DEFINITIONS,
    examples=[
        "segments replay --segments ./segments --events events.jsonl",
        "zcat events.jsonl.gz | segments replay --segments ./segments --events -",
        "segments replay --segments ./segments --events events.jsonl.gz --until 2026-02-01 --output transitions.jsonl",
        "segments replay --segments ./segments --events events.jsonl --explain u42",
        "segments replay --segments ./segments --events events.jsonl --explain u42 --json | jq '.segments[].needs'",
    ],
)
@click.option("--segments", "directory", required=True, type=DIRECTORY, help="Directory of the definitions.")
@click.option(
    "--events", required=True, type=EVENTS, help="Events as JSON lines, also as .gz; - is standard input."
)
@click.option(
    "--until", "until_ms", type=Moment(), help="Take what was received up to this moment, and stop there."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the transitions go, as JSON lines; standard output if not given.",
)
@click.option(
    "--explain",
    "contact",
    metavar="CONTACT",
    help="Tell at the end why this contact is in each segment or not, in place of the transitions on standard output.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="What --explain tells, as one JSON object, for programs."
)
def replay(
    directory: Path,
    events: str,
    until_ms: int | None,
    output: Path | None,
    contact: str | None,
    *,
    as_json: bool,
) -> None:
    """Run events of a file through definitions.

    Needs no Kafka and no Redis. Writes the transitions as JSON lines, as the worker would publish them. A record that cannot be taken is told on
    standard error and is no failure.
    """
    if as_json and contact is None:
        raise click.UsageError("--json goes with --explain: transitions are JSON lines anyway")
    from rules.catalog import Blueprint
    from rules.errors import DefinitionError
    from rules.loading import load
    from streams.replay import Replay
    from streams.settings import load_settings
    from streams.wire import Rejected, encode

    settings, _ = load_settings()
    if output is not None and output.exists() and events != "-" and output.samefile(events):
        # It would be emptied before it is read.
        raise click.UsageError(f"{output} holds the events: write the transitions to another file")
    try:
        run = Replay(Blueprint(load(directory)).catalog())
    except DefinitionError as error:
        for finding in error.findings:
            click.echo(coloured(str(finding), finding.severity), err=True)
        raise click.exceptions.Exit(1) from None
    dead = 0
    with ProgressLine() as progress, ExitStack() as ending:

        def reject(line: int, rejected: Rejected) -> None:
            nonlocal dead
            dead += 1
            progress.say(f"line {line}: {rejected.reason}: {rejected.detail}")

        write = _nowhere if contact is not None and output is None else _writer(output, ending)
        found = run.run(
            EventFile(events, progress),
            until_ms=until_ms,
            max_future_skew_ms=settings.max_future_skew_ms,
            reject=reject,
        )
        _write_lines(write, (encode(transition)[1] for transition in found))
    click.echo(f"{dead} dead letters", err=True)
    if contact is not None:
        _explain(run, contact, until_ms, as_json=as_json)


def _explain(run: "Replay", contact_id: str, until_ms: int | None, *, as_json: bool) -> None:
    from streams.cli.explaining import for_programs, tell_contact, tell_segment
    from streams.explain import replayed

    view = replayed(run, contact_id, until_ms)
    if as_json:
        import json

        click.echo(json.dumps(for_programs(view), indent=2, default=str))
        return
    tell_contact(view)
    for told in view.segments:
        click.echo()
        tell_segment(view, told)


def _nowhere(line: bytes) -> None:
    """Drops the line."""


def _write_lines(write: Callable[[bytes], object], lines: Iterable[bytes]) -> None:
    for line in lines:
        write(line)
        write(b"\n")


def _writer(output: Path | None, ending: ExitStack) -> Callable[[bytes], object]:
    file: BinaryIO
    if output is None:
        file = sys.stdout.buffer
        ending.callback(file.flush)
        if sys.stdout.isatty():
            return lambda line: file.write(line if line == b"\n" else printable_json(line.decode()).encode())
    else:
        try:
            file = ending.enter_context(output.open("wb"))
        except OSError as error:
            raise click.UsageError(f"{output} cannot be written: {error.strerror}") from None
    return file.write


def directory_of(given: Path | None) -> Path:
    """The directory of definitions: the one given, or that of the settings."""
    if given is not None:
        return given
    from streams.settings import load_settings

    return load_settings()[0].definitions


def coloured(line: str, severity: str) -> str:
    """A finding's line, with its severity in colour."""
    return line.replace(f"{severity}:", click.style(f"{severity}:", fg=_COLOURS[severity]), 1)
