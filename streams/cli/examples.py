"""The command that runs the examples beside definitions: test."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli.command import Command, Section
from streams.cli.definitions import DIRECTORY, coloured, directory_of
from streams.cli.terminal import plural
from streams.cli.transition_lines import printable

if TYPE_CHECKING:
    from rules.reading import Reading


@dataclass(frozen=True, slots=True)
class _Outcome:
    file: str
    line: int
    name: str
    wrong: tuple[str, ...]
    """What came otherwise than expected; nothing: it holds."""


@click.command(
    "test",
    cls=Command,
    section=Section.DEFINITIONS,
    examples=[
        "segments test                  # the directory that SEGMENTS_DEFINITIONS names",
        "segments test ./segments",
        "segments test --json | jq '.examples[] | select(.wrong != [])'",
    ],
)
@click.argument("directory", required=False, type=DIRECTORY)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def test(directory: Path | None, *, as_json: bool) -> None:
    """Run the examples that stand beside definitions.

    They stand under tests: in a definition file, or in a *.test.yaml beside it, and are run in simulated time, with no Kafka and no Redis. Exit
    code 1 if one of them comes out otherwise than it says, or if the definitions have errors.
    """
    from rules.loading import read

    reading = read(directory_of(directory))
    errors = [*reading.errors, *reading.example_findings]
    if errors:
        for finding in sorted(errors, key=lambda finding: finding.place):
            click.echo(coloured(str(finding), finding.severity), err=True)
        raise click.exceptions.Exit(1)
    outcomes = _run(reading)
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    if as_json:
        import json
        from dataclasses import asdict

        click.echo(json.dumps({"examples": [asdict(each) for each in outcomes], "wrong": wrong}, indent=2))
    else:
        for outcome in outcomes:
            _tell(outcome)
        click.echo(f"{plural(len(outcomes), 'example')}, {wrong or 'none'} wrong")
    if wrong:
        raise click.exceptions.Exit(1)


def _run(reading: "Reading") -> list[_Outcome]:
    from rules.catalog import Blueprint
    from streams.examples import run, scope_of

    catalog = Blueprint(reading.definitions).catalog()
    outcomes = []
    for located in reading.examples:
        failures = run(located.value, catalog, scope_of(located, reading))
        line, _ = located.document.place(located.at)
        outcomes.append(_Outcome(located.file, line, located.value.name, tuple(failures)))
    return outcomes


def _tell(outcome: _Outcome) -> None:
    word = click.style("wrong", fg="red") if outcome.wrong else click.style("ok   ", fg="green")
    click.echo(f"{word}  {outcome.file}:{outcome.line}  {printable(outcome.name)}")
    colours = {"+": "red", "-": "green"}
    for line in outcome.wrong:
        click.echo(f"         {click.style(printable(line), fg=colours.get(line[:1]))}")
