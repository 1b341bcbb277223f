"""What a command of `segments` is: a click command with a section of the help to stand in, and with examples."""

import difflib
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import click


class Section(StrEnum):
    """The groups of `segments --help`, in this order."""

    START = "Start here"
    DEFINITIONS = "Definitions"
    RUNNING = "Running"
    LOOKING = "Looking"


class Command(click.Command):
    """A command that stands in a section and shows examples."""

    def __init__(self, *args: Any, section: Section, examples: Sequence[str], **options: Any) -> None:
        super().__init__(*args, **options)
        self.section = section
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        super().format_epilog(ctx, formatter)


class Commands(click.Group):
    """The commands, listed by section."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        commands = [command for command in self.commands.values() if isinstance(command, Command)]
        limit = formatter.width - 6 - max(len(command.name or "") for command in commands)
        for section in Section:
            rows = [
                (command.name or "", command.get_short_help_str(limit))
                for command in commands
                if command.section is section
            ]
            if rows:
                with formatter.section(section):
                    formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            close = difflib.get_close_matches(args[0], list(self.commands), n=1)
            hint = f": did you mean {close[0]}?" if close else ""
            ctx.fail(f"there is no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)
