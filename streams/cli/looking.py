"""Commands that look into what there is: explain, doctor."""

import asyncio
import json
import time
from typing import TYPE_CHECKING

import click

from streams.cli.command import Command, Section
from streams.cli.explaining import for_programs, tell_contact, tell_segment
from streams.cli.terminal import plural
from streams.cli.transition_lines import printable

if TYPE_CHECKING:
    from streams.explain import ContactView

_GRADES = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "wrong": ("wrong", "red")}


@click.command(
    "explain",
    cls=Command,
    section=Section.LOOKING,
    examples=[
        "segments explain u42",
        "segments explain u42 hot-mobile-buyers",
        "segments explain anonymous:8f2c --json",
    ],
)
@click.argument("contact")
@click.argument("segment", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def explain(contact: str, segment: str | None, *, as_json: bool) -> None:
    """Tell why a contact is in a segment or not.

    And what would change that, and when it changes by itself. Without SEGMENT: all of the contact's memberships.
    Reads what the workers have stored, and changes nothing.
    """
    try:
        contact.encode()
    except UnicodeEncodeError:
        raise click.UsageError("CONTACT is no UTF-8, as the ids of all contacts are") from None
    view = asyncio.run(_view(contact, segment))
    if as_json:
        click.echo(json.dumps(for_programs(view), indent=2, default=str))
    elif segment is None:
        tell_contact(view)
    else:
        tell_segment(view, view.segments[0])


async def _view(contact: str, segment: str | None) -> "ContactView":
    from dataclasses import replace

    from rules.errors import DefinitionError
    from rules.loading import load
    from streams.errors import ConfigurationError
    from streams.explain import Explainer
    from streams.settings import ClockSource, load_settings
    from streams.store import StoreUnavailable
    from streams.store.redis import RedisStore

    settings, _ = load_settings()
    try:
        definitions = load(settings.definitions_directory)
    except DefinitionError as error:
        raise ConfigurationError(*map(str, error.findings)) from None
    store = RedisStore(settings.redis.get_secret_value(), settings.group)
    wall_ms = time.time_ns() // 1_000_000 - settings.wake_delay_ms
    try:
        explainer = Explainer(definitions, store)
        await explainer.open()
        if segment is not None:
            explainer.segment(segment)
        view = await explainer.contact(contact, wall_ms if settings.clock is ClockSource.WALL else None)
    except StoreUnavailable as error:
        raise settings.redis_unusable(error.detail) from error
    finally:
        await store.close()
    if segment is None:
        return view
    return replace(view, segments=tuple(each for each in view.segments if each.segment == segment))


@click.command(
    "doctor",
    cls=Command,
    section=Section.LOOKING,
    examples=["segments doctor", "segments doctor --json | jq '.[] | select(.grade != \"ok\")'"],
)
@click.option("--json", "as_json", is_flag=True, help="One JSON list, for programs.")
def doctor(*, as_json: bool) -> None:
    """Check Kafka, Redis, topics and definitions.

    Says of each thing that is wrong what to do. Exit code 1 if something is wrong; warnings alone are no failure.
    """
    from streams.diagnostics import Grade, diagnose
    from streams.settings import load_settings

    settings, warnings = load_settings()
    for warning in warnings:
        click.echo(f"segments: {warning}", err=True)
    found = asyncio.run(diagnose(settings))
    if as_json:
        click.echo(json.dumps([diagnosis.as_dict() for diagnosis in found], indent=2))
    else:
        width = max(len(diagnosis.what) for diagnosis in found)
        for diagnosis in found:
            word, colour = _GRADES[diagnosis.grade]
            click.echo(
                f"{click.style(f'{word:<7}', fg=colour)}  {diagnosis.what:<{width}}  {printable(diagnosis.found)}"
            )
            if diagnosis.fix:
                click.echo(f"{'':<7}  {'':<{width}}  -> {diagnosis.fix}")
    wrong = sum(diagnosis.grade is Grade.WRONG for diagnosis in found)
    if wrong:
        click.echo(f"{plural(wrong, 'thing')} to mend", err=True)
        raise click.exceptions.Exit(1)
