"""How the explanation of a contact is shown."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from streams.cli.terminal import plural
from streams.cli.transition_lines import printable

if TYPE_CHECKING:
    from rules.explanation import LeafView, SegmentView
    from streams.explain import ContactView


def for_programs(view: "ContactView") -> dict[str, Any]:
    """Moments as ISO 8601 in place of milliseconds."""

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key.removesuffix("_ms"): _moment(inner)
                if key.endswith("_ms") and inner is not None
                else told(inner)
                for key, inner in value.items()
            }
        return [told(each) for each in value] if isinstance(value, list | tuple) else value

    found: dict[str, Any] = told(asdict(view))
    return found


def tell_contact(view: "ContactView") -> None:
    """Prints all memberships of a contact."""
    members = [each for each in view.segments if each.member]
    click.echo(
        f"{click.style(printable(view.contact), bold=True)} is in {len(members)} of {len(view.segments)} segments"
    )
    seen = "has no event yet" if view.first_seen_ms is None else f"first seen {_moment(view.first_seen_ms)}"
    now = "" if view.now_ms is None else f", its own time is {_moment(view.now_ms)}"
    click.echo(f"{seen}{now}; this is as of {_moment(view.as_of_ms)}\n")
    width = max((len(each.segment) for each in view.segments), default=0)
    for each in [*members, *(each for each in view.segments if not each.member)]:
        click.echo(f"  {_in_or_out(each)}  {each.segment:<{width}}  {_since(each)}")
    for key in view.gone:
        click.echo(
            f"  {click.style('in ', fg='green')}  {key:<{width}}  no longer defined; it leaves when a worker comes to it"
        )
    moments = [(each.changes_ms, each) for each in view.segments if each.changes_ms is not None]
    if moments:
        at_ms, each = min(moments, key=lambda moment: moment[0])
        does = "leaves" if each.member else "enters"
        click.echo(f"\nIf nothing happens, the next change is at {_moment(at_ms)}: it {does} {each.segment}.")
    else:
        click.echo("\nTime alone changes nothing.")


def tell_segment(view: "ContactView", told: "SegmentView") -> None:
    """Prints why a contact is in a segment or not."""
    is_in = click.style("is in" if told.member else "is not in", fg="green" if told.member else "red")
    click.echo(
        f"{click.style(printable(view.contact), bold=True)} {is_in} {click.style(told.segment, bold=True)} ({_since(told)})"
    )
    if told.version is None:
        click.echo("This definition is not in force yet: start the workers again.")
    else:
        click.echo(f"Version {told.version} of the definition, as of {_moment(view.as_of_ms)}")
    click.echo()
    width = max((len(leaf.condition) for leaf in told.leaves), default=0)
    for leaf in told.leaves:
        click.echo(_leaf_line(leaf, width))
    if told.leaves:
        click.echo()
    if told.judged_otherwise:
        click.echo("The conditions say otherwise by now; it changes as soon as a worker comes to it.")
    verb = "leave" if told.member else "enter"
    if told.needs is not None and not told.judged_otherwise:
        click.echo(f"It would {verb} with: {printable(told.needs)}")
    if told.waits is not None:
        click.echo(f"It waits: {printable(told.waits)}.")
    if told.changes_ms is not None:
        click.echo(f"If nothing happens, it {verb}s at {_moment(told.changes_ms)}.")
    elif not told.judged_otherwise:
        click.echo("Time alone changes nothing.")


def _leaf_line(leaf: "LeafView", width: int) -> str:
    holds = click.style("yes", fg="green") if leaf.holds else click.style("no ", fg="red")
    observed = (
        "nothing" if leaf.observed is None else json.dumps(leaf.observed, ensure_ascii=False, default=str)
    )
    if leaf.inexact:
        observed = f"about {observed}"
    since = "" if leaf.counted_since_ms is None else f"   counted since {_moment(leaf.counted_since_ms)} only"
    return f"  {holds}  {printable(leaf.condition):<{width}}   {printable(observed)}{click.style(since, fg='yellow')}"


def _in_or_out(told: "SegmentView") -> str:
    return click.style("in ", fg="green") if told.member else click.style("out", dim=True)


def _since(told: "SegmentView") -> str:
    if told.since_ms is None:
        return "never was"
    times = plural((told.transitions + 1) // 2, "time")
    what = "since" if told.member else "left at"
    return f"{what} {_moment(told.since_ms)}, entered {times}"


def _moment(moment_ms: int) -> str:
    from rules.durations import format_moment

    return format_moment(moment_ms)
