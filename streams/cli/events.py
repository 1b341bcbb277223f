"""Commands about what goes through Kafka: send, tail."""

import asyncio
import time
from typing import TYPE_CHECKING

import click

from streams.cli.command import Command, Section
from streams.cli.files import EventFile
from streams.cli.terminal import ProgressLine, plural
from streams.cli.transition_lines import columns, printable_json, transition_line

if TYPE_CHECKING:
    from streams.sending import Sent


@click.command(
    "send",
    cls=Command,
    section=Section.RUNNING,
    examples=[
        "segments send events.jsonl",
        "segments send history.jsonl.gz --event-time     # with SEGMENTS_CLOCK=events in the worker",
        "my-exporter | segments send -",
    ],
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--event-time", is_flag=True, help="An event without receivedAt counts as received at its timestamp."
)
@click.option("--rate", type=click.IntRange(min=1), metavar="N", help="At most N events a second.")
def send(file: str, *, event_time: bool, rate: int | None) -> None:
    """Send events, one JSON object a line, to the events topic.

    Each goes under the key of its contact, with its receivedAt as the received time where it has one. - is standard
    input, .gz is unpacked. What is defective is sent as well, and becomes a dead letter.
    """
    from streams.connections import KafkaConnection
    from streams.sending import send as send_lines
    from streams.settings import load_settings

    settings, _ = load_settings()
    begun = time.monotonic()
    with ProgressLine() as progress:

        def told(sent: "Sent") -> None:
            if progress.is_due:
                progress.show(f"{sent.lines:,} lines sent, {sent.lines / (time.monotonic() - begun):,.0f}/s")

        sent = asyncio.run(
            send_lines(
                EventFile(file, progress, silent=True),
                KafkaConnection.of(settings),
                settings.events_topic,
                event_time=event_time,
                per_second=rate,
                told=told,
                refused=lambda line, reason: progress.say(f"line {line}: not sent: {reason}"),
            )
        )
    took_s = time.monotonic() - begun
    click.echo(f"Sent {plural(sent.lines, 'event')} to {settings.events_topic} in {took_s:.1f} s")
    if sent.unkeyed:
        click.echo(f"{plural(sent.unkeyed, 'line')} without a contact: dead letters", err=True)
    if sent.too_long:
        raise click.exceptions.Exit(1)


@click.command(
    "tail",
    cls=Command,
    section=Section.LOOKING,
    examples=[
        "segments tail",
        "segments tail --from-beginning --contact u42",
        "segments tail --segment hot-mobile-buyers --json | jq .userId",
    ],
)
@click.option("--json", "as_json", is_flag=True, help="The records as they are, one a line, for programs.")
@click.option("--segment", metavar="KEY", help="Of this segment only.")
@click.option("--contact", metavar="ID", help="Of this contact only.")
@click.option("--from-beginning", is_flag=True, help="First those that are in the topic already.")
def tail(*, as_json: bool, segment: str | None, contact: str | None, from_beginning: bool) -> None:
    """Show transitions as they come, until Ctrl-C."""
    asyncio.run(_tail(as_json, segment, contact, from_beginning))


async def _tail(as_json: bool, segment: str | None, contact: str | None, from_beginning: bool) -> None:
    import sys

    import orjson

    from streams.connections import KafkaConnection
    from streams.settings import load_settings
    from streams.watching import watch

    settings, _ = load_settings()
    key = None if contact is None else contact.encode(errors="surrogateescape")

    def ready() -> None:
        if sys.stderr.isatty():
            click.echo(
                f"Waiting for transitions in {settings.transitions_topic}. Ctrl-C ends this.", err=True
            )

    records = watch(
        KafkaConnection.of(settings), settings.transitions_topic, from_beginning=from_beginning, ready=ready
    )
    async for record in records:
        if key is not None and record.key != key:
            continue
        try:
            value = orjson.loads(record.value or b"")
            if segment is not None and value["properties"]["audience_key"] != segment:
                continue
            line = (
                printable_json(record.value.decode())
                if as_json
                else transition_line(value, value["timestamp"], columns=columns())
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            where = f"partition {record.partition}, offset {record.offset}"
            click.echo(
                f"{settings.transitions_topic} holds a record that is no transition: {where}", err=True
            )
            continue
        click.echo(line)
