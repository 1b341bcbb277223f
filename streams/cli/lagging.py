"""The command that shows what waits: lag."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from math import isinf
from typing import TYPE_CHECKING, Any

import click

from streams.cli.command import Command, Section
from streams.cli.moments import Duration
from streams.cli.terminal import ProgressLine, plural

if TYPE_CHECKING:
    from streams.lag import Lag, PartitionLag
    from streams.pace import Pace

WINDOW_S = 10.0
"""Over which time a pace is taken while it is watched."""


@click.command(
    "lag",
    cls=Command,
    section=Section.LOOKING,
    examples=[
        "segments lag",
        "segments lag --watch",
        "segments lag --until-done && echo caught up",
        "segments lag --json | jq .seconds_left",
    ],
)
@click.option("--watch", is_flag=True, help="Go on, until Ctrl-C.")
@click.option("--until-done", is_flag=True, help="Go on until nothing waits.")
@click.option(
    "--over", "over_ms", type=Duration(), default="1s", show_default=True,
    help="The time between two looks, from which the pace is taken.",
)  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object, for programs; while it goes on, one a line."
)
def lag(*, watch: bool, until_done: bool, over_ms: int, as_json: bool) -> None:
    """Show what waits, how fast it is taken, and the time left.

    For each partition: records that are not taken yet, the age of the first of them, records taken and come per second,
    the time left, and wakes that are due. Beside these, transitions that are committed and not published. Only reads:
    the topics, and what the workers have stored, whether they run or not.
    """
    if over_ms < 1:
        raise click.BadParameter("looks cannot be at the same moment", param_hint="--over")
    with ProgressLine() as progress:
        asyncio.run(_show(progress, watch or until_done, until_done, over_ms / 1000, as_json))


async def _show(progress: ProgressLine, watch: bool, until_done: bool, over_s: float, as_json: bool) -> None:
    async with aclosing(_looks(watch, over_s)) as looks:
        async for found in looks:
            is_last = not watch or (until_done and found.is_done)
            if as_json:
                click.echo(json.dumps(for_programs(found), indent=None if watch else 2))
            elif is_last:
                progress.clear()
                _tell(found)
            elif sys.stderr.isatty():
                progress.show(_line(found))
            else:
                click.echo(_line(found))
            if is_last:
                return


async def _looks(watch: bool, over_s: float) -> "AsyncGenerator[Lag, None]":
    from streams.backlog import BacklogReader
    from streams.connections import KafkaConnection
    from streams.lag import Lags
    from streams.settings import ClockSource, load_settings
    from streams.store import StoreUnavailable
    from streams.store.redis import RedisStore
    from streams.topics import TopicNames

    settings, _ = load_settings()
    delay_ms = settings.wake_delay_ms if settings.clock is ClockSource.WALL else None
    store = RedisStore(settings.redis.get_secret_value(), settings.group)
    try:
        async with BacklogReader(
            KafkaConnection.of(settings), TopicNames.of(settings), store, delay_ms
        ) as reader:
            lags = Lags(reader, WINDOW_S)
            while True:
                yield await lags.next(over_s, oldest=not watch)
    except StoreUnavailable as error:
        raise settings.redis_unusable(error.detail) from error
    finally:
        await store.close()


def for_programs(found: "Lag") -> dict[str, Any]:
    """All figures, by names that stay; seconds and records a second. Null: it cannot be told, or there is none."""
    return {
        **_figures(found.pace, found.oldest_s, found.due),
        "outputs_unpublished": found.unpublished,
        "partitions": [_partition(number, each) for number, each in found.partitions.items()],
    }


def _partition(number: int, each: "PartitionLag") -> dict[str, Any]:
    topics = {
        topic: {"offset": part.offset, "end": part.end, "waiting": part.waiting}
        for topic, part in each.look.parts.items()
    }
    return {"partition": number, **_figures(each.pace, each.oldest_s, each.look.due), "topics": topics}


def _figures(pace: "Pace", oldest_s: float | None, due: int | None) -> dict[str, Any]:
    return {
        "waiting": pace.waiting,
        "oldest_s": oldest_s,
        "taken_per_s": round(pace.taken_per_s, 1),
        "come_per_s": round(pace.come_per_s, 1),
        "seconds_left": None if isinf(pace.left_s) else round(pace.left_s, 1),
        "wakes_due": due,
    }


def _line(found: "Lag") -> str:
    from streams.pace import spelled

    return f"{spelled(found.pace)}{_wakes(found.due)}"


def _wakes(due: int | None) -> str:
    return f", {plural(due, 'wake')} due" if due else ""


def _tell(found: "Lag") -> None:
    heads = ("partition", "records wait", "oldest", "taken/s", "come/s", "left", "wakes due")
    rows = [
        _row(str(number), each.pace, each.oldest_s, each.look.due)
        for number, each in found.partitions.items()
    ]
    rows.append(_row("in all", found.pace, found.oldest_s, found.due))
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    click.echo(click.style(_aligned(heads, widths), dim=True))
    paces = [*(each.pace for each in found.partitions.values()), found.pace]
    for row, pace in zip(rows, paces, strict=True):
        click.echo(click.style(_aligned(row, widths), fg=_colour(pace)))
    if found.unpublished:
        click.echo(f"{plural(found.unpublished, 'output')} committed and not published")
    for what, rights in (
        ("how many wakes are due", "ACL SETUSER … +zcount" if found.due is None else None),
        (
            "whether all is published",
            "READ on transitions and dead letters" if found.unpublished is None else None,
        ),
    ):
        if rights is not None:
            click.echo(f"segments: {what} cannot be told: {rights} (docs/how-to/secure.md)", err=True)


def _row(name: str, pace: "Pace", oldest_s: float | None, due: int | None) -> tuple[str, ...]:
    from streams.pace import duration, left

    return (
        name,
        f"{pace.waiting:,}",
        "" if oldest_s is None else duration(oldest_s),
        f"{pace.taken_per_s:,.0f}",
        f"{pace.come_per_s:,.0f}",
        left(pace).removesuffix(" left"),
        "?" if due is None else f"{due:,}",
    )


def _aligned(row: "tuple[str, ...]", widths: list[int]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _colour(pace: "Pace") -> str | None:
    if pace.waiting == 0:
        return "green"
    return "red" if isinf(pace.left_s) else None
