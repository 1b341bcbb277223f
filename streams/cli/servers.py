"""Commands about the Kafka and Redis of this machine: up, down."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from streams.cli.command import Command, Section
from streams.cli.terminal import ProgressLine

USUAL_DATA = Path(".segments")

_data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=USUAL_DATA,
    show_default=True,
    help="Where their data is kept.",
)


@click.command(
    "up",
    cls=Command,
    section=Section.RUNNING,
    examples=[
        "segments up",
        'eval "$(segments up --env)"     # and the other commands of this shell find them',
        "segments up --data /var/tmp/segments",
    ],
)
@_data_option
@click.option("--env", "as_exports", is_flag=True, help="Shell exports, and nothing else on standard output.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def up(data: Path, *, as_exports: bool, as_json: bool) -> None:
    """Start a Kafka and a Redis on this machine, with the topics.

    Both run until `segments down`, on the usual ports, or on free ones where those are taken. A second `up` on the
    same directory finds its data again, and leaves alone what runs already.
    """
    if as_exports and as_json:
        raise click.UsageError("--env and --json exclude each other: give one of them")
    from streams.connections import KafkaConnection
    from streams.local import stack
    from streams.settings import load_settings
    from streams.topics import TopicNames, ensure

    settings, _ = load_settings()
    with ProgressLine() as line:
        endpoints = stack.up(data, line.step)
        line.step("Making the topics")
        names = TopicNames.of(settings)
        partitions = ensure(KafkaConnection((endpoints.kafka,)), names, settings.partitions)
    found = endpoints.environment()
    if as_exports:
        for name, value in found.items():
            click.echo(f"export {name}={shlex.quote(value)}")
    elif as_json:
        import json

        more = {"data": str(data.absolute()), "topics": list(names.all), "partitions": partitions}
        click.echo(json.dumps({**found, **more}))
    else:
        _tell(data, found, names.all, partitions)


@click.command(
    "down",
    cls=Command,
    section=Section.RUNNING,
    examples=["segments down", "segments down --data /var/tmp/segments"],
)
@_data_option
def down(data: Path) -> None:
    """Stop the Kafka and Redis that `segments up` started.

    Their data stays, and the next `segments up` finds it again.
    """
    from streams.local import stack

    with ProgressLine() as line:
        stopped = stack.down(data, line.step)
    if stopped:
        click.echo(
            f"Stopped {' and '.join(name.capitalize() for name in stopped)}. The data stays in {data}."
        )
    else:
        click.echo(f"Nothing runs on {data}.")


def _tell(data: Path, settings: Mapping[str, str], topics: Sequence[str], partitions: int) -> None:
    which = "" if data == USUAL_DATA else f" --data {shlex.quote(str(data))}"
    click.echo(f"Kafka and Redis run, with their data in {data.absolute()}")
    click.echo(f"and the topics {', '.join(topics)}, {partitions} partitions each. The settings to use:\n")
    for name, value in settings.items():
        click.echo(click.style(f"{name}={value}", bold=True))
    commands = {
        f'eval "$(segments up{which} --env)"': "sets them in this shell",
        "segments worker": "keeps the memberships, by the definitions in ./segments",
        f"segments down{which}": "stops Kafka and Redis",
    }
    width = max(map(len, commands))
    click.echo()
    for command, does in commands.items():
        click.echo(f"  {command:<{width}}   {does}")
