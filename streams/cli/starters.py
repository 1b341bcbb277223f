"""The command that copies starter segments: init."""

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from streams.cli.command import Command, Section
from streams.cli.definitions import directory_of


@click.command(
    "init",
    cls=Command,
    section=Section.DEFINITIONS,
    examples=[
        "segments init                  # what there is",
        "segments init abandoned        # into the directory that SEGMENTS_DEFINITIONS names",
        "segments init lifecycle --into ./segments",
    ],
)
@click.argument("template", required=False)
@click.option(
    "--into",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory of the definitions; made where it is not there.",
)
def init(template: str | None, directory: Path | None) -> None:
    """Copy starter segments to your definitions.

    Each set has at most five segments, with a campaign for each and with examples that pass. Without TEMPLATE: lists the sets.
    """
    found = {Path(each.name).stem: each for each in _templates()}
    if template is None:
        width = max(map(len, found))
        for name, each in found.items():
            click.echo(f"{click.style(f'{name:<{width}}', bold=True)}  {_about(each)}")
        return
    if template not in found:
        raise click.UsageError(f"there is no template {template!r}: there are {', '.join(found)}")
    into = directory_of(directory)
    target = into / f"{template}.yaml"
    try:
        into.mkdir(parents=True, exist_ok=True)
        # "x": what somebody may have changed is never overwritten.
        with target.open("x", encoding="utf-8") as file:
            file.write(found[template].read_text(encoding="utf-8"))
    except FileExistsError:
        raise click.UsageError(f"{target} is there already: move it away, or choose another --into") from None
    except OSError as error:
        raise click.UsageError(f"{target} cannot be written: {error.strerror}") from None
    click.echo(f"{target} is yours now: set the names of events and traits to yours, then run")
    click.echo(f"  segments test {into}")


def _templates() -> list[Traversable]:
    folder = resources.files("rules") / "templates"
    return sorted(
        (each for each in folder.iterdir() if each.name.endswith(".yaml")), key=lambda each: each.name
    )


def _about(template: Traversable) -> str:
    """The first line, which says what it is."""
    return template.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
