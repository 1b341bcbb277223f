"""The command that makes lost state anew: rebuild."""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from streams.cli.command import Command, Section
from streams.cli.terminal import ProgressLine, plural

if TYPE_CHECKING:
    from streams.rebuild.report import Done


@click.command(
    "rebuild",
    cls=Command,
    section=Section.RUNNING,
    examples=[
        "segments rebuild",
        "segments rebuild --yes --json | jq .corrected",
        "segments rebuild --begin-anew                       # rebuilds nothing: everything is published again",
    ],
)
@click.option(
    "--begin-anew", is_flag=True,
    help="Make nothing anew: let workers begin with nothing, take all events there are, and publish all transitions that "
    "follow from them, numbered from 1, also those that consumers have.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Drop what state there is without asking.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object at the end, for programs.")
def rebuild(*, begin_anew: bool, yes: bool, as_json: bool) -> None:
    """Make the state in Redis anew from Kafka.

    For when Redis was lost for good, or put back to something that cannot be used. Stop all workers first. Takes all
    events again, by the present definitions; publishes only what never was, and lets numbering go on. What consumers
    have and is no longer so is put right, with the reason "definition".

    May be broken off and run again. Until it is done, no worker takes a partition.
    """
    began = time.monotonic()
    done = asyncio.run(_rebuild(begin_anew=begin_anew, yes=yes))
    took_s = time.monotonic() - began
    if as_json:
        told = {key: value for key, value in asdict(done).items() if key not in _PASSING}
        click.echo(json.dumps(told | {"took_s": round(took_s, 3)}))
    elif begin_anew:
        click.echo(
            f"{plural(done.partitions, 'partition')} may begin with nothing: workers will take {plural(done.events, 'record')}."
        )
    else:
        _tell(done, took_s)


_PASSING = ("step", "total", "records", "trouble")


async def _rebuild(*, begin_anew: bool, yes: bool) -> "Done":
    from rules.errors import DefinitionError
    from rules.loading import load
    from streams.errors import ConfigurationError
    from streams.rebuild.run import opened_rebuild
    from streams.settings import load_settings

    settings, warnings = load_settings()
    for warning in warnings:
        click.echo(f"segments: {warning}", err=True)
    try:
        definitions = load(settings.definitions_directory)
    except DefinitionError as error:
        raise ConfigurationError(*map(str, error.findings)) from None
    async with opened_rebuild(settings, definitions) as run:
        found = await run.survey()
        if (found.state or begin_anew) and not yes:
            _ask(found, settings.group, settings.redis_place, begin_anew=begin_anew)
        if begin_anew:
            return await run.begin_anew()
        with ProgressLine() as line:
            return await run.run(_Pace(line).show)


def _ask(found: "Done", group: str, place: str, *, begin_anew: bool) -> None:
    what, then = f"Redis at {place} holds no state of the group {group}", ""
    if found.state:
        what = f"Redis at {place} holds state of the group {group} ({len(found.state)} of {found.partitions} partitions)"
        then = ", which would be dropped"
    if begin_anew:
        then += "; all transitions would be published again, numbered from 1"
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what}{then}: say so with --yes")
    click.confirm(
        f"{what}{then}. {'Begin with nothing' if begin_anew else 'Drop it, and make it anew from Kafka'}?",
        abort=True,
        err=True,
    )


class _Pace:
    """Shows how far it is, and how long the step will still take."""

    def __init__(self, line: ProgressLine) -> None:
        self._line, self._step, self._began = line, "", 0.0
        self._trouble: str | None = None

    def show(self, done: "Done") -> None:
        if done.step != self._step:
            self._step, self._began = done.step, time.monotonic()
        if done.trouble != self._trouble:
            self._trouble = done.trouble
            self._line.say(f"waits, and tries again: {done.trouble}" if done.trouble else "it works again")
        if not self._line.is_due:
            return
        per_s = done.records / max(time.monotonic() - self._began, 0.001)
        text = f"{done.step}: {done.records:,} of {done.total:,} records, {per_s:,.0f}/s"
        if per_s and done.total:
            text += f", {_for_people(max(done.total - done.records, 0) / per_s)} left"
        self._line.show(text)


def _for_people(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _tell(done: "Done", took_s: float) -> None:
    from rules.durations import format_moment

    for gap in done.gaps:
        when = "" if gap.first_received_ms is None else f" of {format_moment(gap.first_received_ms)}"
        click.echo(
            f"events before offset {gap.first_offset:,}{when} in {gap.topic}/{gap.partition} are gone: "
            "counts begin there",
            err=True,
        )
    if done.unreadable:
        click.echo(
            f"{plural(done.unreadable, 'record')} among the transitions could not be read, and counted for nothing",
            err=True,
        )
    news = f"published {done.published:,} more" if done.published else "none was missing"
    if done.corrected:
        news += f", {done.corrected:,} of them to put right what they had"
    click.echo(
        f"Rebuilt {plural(done.partitions, 'partition')} from {plural(done.events, 'record')} in {took_s:.1f} s. "
        f"Consumers had {plural(done.heard, 'transition')}; {news}."
    )
