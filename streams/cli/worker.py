"""The command that runs a worker."""

import logging
from collections.abc import Sequence

import click

from streams.cli.command import Command, Section
from streams.errors import StreamsError

logger = logging.getLogger(__name__)


@click.command(
    "worker",
    cls=Command,
    section=Section.RUNNING,
    examples=[
        "segments worker",
        "SEGMENTS_KAFKA=kafka-1:9092,kafka-2:9092 SEGMENTS_REDIS=rediss://redis:6379/0 segments worker",
    ],
)
def worker() -> None:
    """Run a worker: events in, transitions out.

    Several may run, on one machine or many; they share the partitions. Missing topics are made. Ctrl-C or SIGTERM
    lets it finish what it has in hand.
    """
    import asyncio

    from rules.errors import DefinitionError
    from rules.loading import load
    from streams.logs import set_up_logs
    from streams.settings import LogFormat, load_settings

    settings, warnings = load_settings()
    set_up_logs(settings.log_level, settings.log_format)
    as_json = settings.log_format is LogFormat.JSON
    for warning in warnings:
        logger.warning(warning)
    try:
        definitions = load(settings.definitions_directory)
    except DefinitionError as error:
        raise _refused([str(finding) for finding in error.findings], 78, as_json=as_json) from None
    except StreamsError as error:
        raise _stopped(error, as_json=as_json) from None
    from streams.service import serve  # brings Faust: wrong definitions need not wait for it

    try:
        asyncio.run(serve(settings, definitions))
    except StreamsError as error:
        raise _stopped(error, as_json=as_json) from None


def _stopped(error: StreamsError, *, as_json: bool) -> click.exceptions.Exit:
    lines = [f"segments: {line}" for line in str(error).splitlines()]
    return _refused(lines, error.exit_code, as_json=as_json)


def _refused(lines: Sequence[str], code: int, *, as_json: bool) -> click.exceptions.Exit:
    """Tells why the worker ends; as JSON where all else that it says is JSON."""
    for line in lines:
        if as_json:
            logger.critical(line)
        else:
            click.echo(line, err=True)
    return click.exceptions.Exit(code)
