"""The program around the commands: its help, and how every failure becomes one line and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from streams.cli.command import Commands
from streams.cli.definitions import check, replay, schema
from streams.cli.demo import demo
from streams.cli.events import send, tail
from streams.cli.examples import test
from streams.cli.lagging import lag
from streams.cli.looking import doctor, explain
from streams.cli.rebuilding import rebuild
from streams.cli.redriving import redrive, resume
from streams.cli.servers import down, up
from streams.cli.starters import init
from streams.cli.transition_lines import printable
from streams.cli.worker import worker

FAILED = 1
USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell says of a program that SIGINT, or SIGPIPE, has ended."""

_EXIT_CODES = {
    "rules.errors.DefinitionError": FAILED,
    "streams.local.errors.LocalError": FAILED,
    "streams.store.errors.StoreRefused": 78,
    "streams.store.errors.StoreError": FAILED,
    "streams.records.NewerRecord": FAILED,
}
"""Errors whose text says what to do, by name: importing them here would make every command wait for their modules."""


@click.group(
    cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="livesegments", message="%(package)s %(version)s")
@click.pass_context
def segments(context: click.Context) -> None:
    """Assigns contacts to segments in real time: exact membership at every moment, from events in Kafka.

    Settings come from environment variables that begin with SEGMENTS_, or from the file .env.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _command in (
    demo,
    init,
    check,
    test,
    schema,
    replay,
    up,
    down,
    worker,
    rebuild,
    send,
    redrive,
    resume,
    tail,
    explain,
    lag,
    doctor,
):
    segments.add_command(_command)


def main() -> NoReturn:
    """The program `segments`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs a command and returns the exit code; whatever fails is told in one line, for each problem, on stderr."""
    _quiet_libraries()
    try:
        # click's own main would end the process at a broken pipe, and write to stderr at Ctrl-C.
        with segments.make_context("segments", list(arguments)) as context:
            segments.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "segments"
        return _fail(where, f"{error.format_message().rstrip('.')} (see {where} --help)", USAGE)
    except click.ClickException as error:
        return _fail("segments", error.format_message(), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        if sys.stderr.isatty():
            click.echo(err=True)  # the terminal has written ^C
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last one to hear of it
        return _failure(error)
    return 0


def _failure(error: Exception) -> int:
    code = _exit_code(error)
    if code is not None:
        for line in str(error).splitlines():
            _fail("segments", line, code)
        return code
    if isinstance(error, OSError):
        _drop_output()
        named = f"{error.filename}: " if error.filename else ""
        return _fail("segments", f"{named}{error.strerror or error}", FAILED)
    if _debugging():
        traceback.print_exception(error)
        return FAILED
    said = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
    return _fail("segments", f"unexpected {what} (SEGMENTS_LOG_LEVEL=debug shows where)", FAILED)


def _exit_code(error: Exception) -> int | None:
    """The exit code of an error that speaks to the user; None of any other."""
    from streams.errors import StreamsError

    if isinstance(error, StreamsError):
        return error.exit_code
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((_EXIT_CODES[name] for name in names if name in _EXIT_CODES), None)


def _fail(where: str, message: str, code: int) -> int:
    """One line, whatever the message holds."""
    try:
        click.echo(f"{where}: {printable(' '.join(message.split()))}", err=True)
    except OSError:  # nobody listens
        return code
    return code


def _quiet_libraries() -> None:
    """Kafka clients log what a command says itself, in one line and better; only for debugging it helps."""
    import logging

    if _debugging():
        from streams.logs import set_up_logs

        set_up_logs("debug", "console")
    else:
        logging.getLogger().addHandler(logging.NullHandler())


def _debugging() -> bool:
    return os.environ.get("SEGMENTS_LOG_LEVEL", "").lower() == "debug"


def _drop_output() -> None:
    """Nothing more can be written; without this the interpreter tries again at its end, and complains."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
