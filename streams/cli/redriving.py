"""Commands about dead letters: redrive, resume."""

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import click

from streams.cli.command import Command, Section
from streams.cli.terminal import ProgressLine, plural
from streams.cli.transition_lines import printable

if TYPE_CHECKING:
    from streams.redrive import Place, Redriven
    from streams.resuming import Resumed

REASONS = (
    "too_large", "not_json", "not_an_object", "unknown_type", "missing_contact", "bad_id", "missing_event",
    "bad_field", "bad_timestamp", "future_timestamp", "future_received",
)  # fmt: skip
"""The same as ``streams.wire.Reason``, which takes a while to import."""


class Bound(click.ParamType):
    """An offset, or ISO 8601."""

    name = "offset or moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "Place":
        from rules.durations import parse_moment
        from streams.redrive import Place

        if isinstance(value, Place):
            return value
        if re.fullmatch(r"[0-9]{1,18}", value):
            return Place(offset=int(value))
        try:
            return Place(moment_ms=parse_moment(value))
        except ValueError:
            self.fail(
                f"{value!r} is neither an offset nor a moment: write for example 1200 or 2026-01-05T10:00:00Z",
                param,
                ctx,
            )


@click.command(
    "redrive",
    cls=Command,
    section=Section.RUNNING,
    examples=[
        "segments redrive --dry-run                          # how many there are, by reason",
        "segments redrive --reason future_received --reason future_timestamp",
        "segments redrive --from 2026-01-05T10:00:00Z --until 2026-01-05T12:00:00Z",
        "segments redrive --partition 2 --from 1200 --until 1300 --json",
    ],
)
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    type=click.Choice(REASONS),
    help="Of this reason only; may be repeated.",
)
@click.option(
    "--partition", "partitions", multiple=True, type=click.IntRange(min=0), metavar="N",
    help="Of this partition only; may be repeated.",
)  # fmt: skip
@click.option(
    "--from", "begin", type=Bound(), metavar="BOUND",
    help="From this offset of the dead letters' partitions on, or from those written at this moment on.",
)  # fmt: skip
@click.option(
    "--until", "end", type=Bound(), metavar="BOUND", help="Up to, and without, this offset or moment."
)
@click.option(
    "--again", is_flag=True, help="Also those that were put back once before and became dead letters again."
)
@click.option("--dry-run", is_flag=True, help="Only count them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def redrive(
    *,
    reasons: tuple[str, ...],
    partitions: tuple[int, ...],
    begin: "Place | None",
    end: "Place | None",
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put dead letters back onto the events topic.

    After the cause is mended: value, key and partition as they were, with their received time in the header
    received_at. Each is put back once, however often this is run, also if it is killed half way or run twice at a
    time.
    """
    from streams.connections import KafkaConnection
    from streams.redrive import Selection
    from streams.redrive import redrive as put_back
    from streams.settings import load_settings
    from streams.topics import TopicNames

    settings, _ = load_settings()
    selection = Selection(frozenset(reasons), frozenset(partitions), begin, end, again)
    topics = TopicNames.of(settings)
    with ProgressLine() as progress:

        def told(done: "Redriven") -> None:
            if progress.is_due:
                put = sum(done.put_back.values())
                progress.show(f"{done.looked_at:,} dead letters looked at, {put:,} put back")

        done = asyncio.run(
            put_back(KafkaConnection.of(settings), topics, selection, dry_run=dry_run, told=told)
        )
    if as_json:
        click.echo(json.dumps(for_programs(done, dry_run=dry_run), indent=2))
    else:
        _tell(done, topics.events, dry_run=dry_run)
    if done.too_large:
        click.echo(
            f"segments: {plural(done.too_large, 'dead letter')} not put back: more than {topics.events} takes: "
            "raise its max.message.bytes and begin again",
            err=True,
        )
        raise click.exceptions.Exit(1)


def for_programs(done: "Redriven", *, dry_run: bool) -> dict[str, Any]:
    """What has become of them, by names that stay."""
    return {
        "dry_run": dry_run,
        "redriven": sum(done.put_back.values()),
        "by_reason": dict(sorted(done.put_back.items())),
        "redriven_before": done.sent_before,
        "came_back": done.came_back,
        "cut": done.cut,
        "too_large": done.too_large,
        "not_dead_letters": done.not_ours,
    }


def _tell(done: "Redriven", events: str, *, dry_run: bool) -> None:
    total = sum(done.put_back.values())
    verb = "would be put back" if dry_run else "put back"
    click.echo(f"{plural(total, 'dead letter')} {verb} onto {events}")
    width = max((len(reason) for reason in done.put_back), default=0)
    for reason, count in done.put_back.most_common():
        click.echo(f"  {printable(reason):<{width}}  {count:,}")
    if done.sent_before:
        click.echo(f"{plural(done.sent_before, 'dead letter')} had been put back before")
    if done.came_back:
        click.echo(
            f"{plural(done.came_back, 'dead letter')} had been put back once and came again: --again takes them, too"
        )
    if done.cut:
        click.echo(
            f"{plural(done.cut, 'dead letter')} left alone, as only the beginning of the record is there"
        )
    if done.not_ours:
        click.echo(f"{plural(done.not_ours, 'record')} without a reason left alone")


@click.command(
    "resume",
    cls=Command,
    section=Section.RUNNING,
    examples=["segments resume", "segments resume --partition 2", "segments resume --topics-restored"],
)
@click.option(
    "--partition", "partitions", multiple=True, type=click.IntRange(min=0), metavar="N",
    help="Of this partition only; may be repeated.",
)  # fmt: skip
@click.option(
    "--topics-restored", is_flag=True,
    help="Another thing: the events were put back, with the same records under the same offsets, into topics that were "
    "made anew. Go on with these.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for programs.")
def resume(*, partitions: tuple[int, ...], topics_restored: bool, as_json: bool) -> None:
    """Let partitions go on that a flood of dead letters has stopped.

    All that is in their topics now may become dead letters; what comes later counts as ever. A worker goes on within
    half a minute. Nothing is to be done where the cause is gone: then it goes on by itself.
    """
    resumed = asyncio.run(_resume(partitions, topics_restored=topics_restored))
    if as_json:
        found = [{"partition": each.partition, "waiting": each.waiting} for each in resumed]
        click.echo(json.dumps(found, indent=2))
        return
    may = "wait" if topics_restored else "may be taken, or be dead letters"
    for each in resumed:
        click.echo(f"partition {each.partition}: {plural(each.waiting, 'record')} {may}")


async def _resume(partitions: tuple[int, ...], *, topics_restored: bool) -> "list[Resumed]":
    from streams.connections import KafkaConnection
    from streams.errors import RetryLater
    from streams.resuming import resume as let_go_on
    from streams.settings import load_settings
    from streams.store import StoreUnavailable
    from streams.store.redis import RedisStore
    from streams.topics import TopicNames

    settings, _ = load_settings()
    store = RedisStore(settings.redis.get_secret_value(), settings.group)
    try:
        return await let_go_on(
            KafkaConnection.of(settings), TopicNames.of(settings), store, frozenset(partitions),
            topics_restored=topics_restored,
        )  # fmt: skip
    except StoreUnavailable as error:
        raise RetryLater(
            f"Redis at {settings.redis_place} cannot be used: {error.detail.rstrip('.')}: `segments doctor` tells more"
        ) from error
    finally:
        await store.close()
