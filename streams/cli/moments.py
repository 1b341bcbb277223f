"""Moments and durations on the command line, and how moments are shown."""

from typing import Any

import click


class Moment(click.ParamType):
    """ISO 8601, or a number of seconds or milliseconds since 1970; becomes milliseconds UTC."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from rules.durations import moment_of_number, parse_moment

        if isinstance(value, int):
            return value
        try:
            return moment_of_number(value) if value.lstrip("-").isdigit() else parse_moment(value)
        except ValueError:
            self.fail(f"{value!r} is no moment: write for example 2026-01-05T10:00:00Z", param, ctx)


class Duration(click.ParamType):
    """``90s``; becomes milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from rules.durations import parse_duration

        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError:
            self.fail(f"{value!r} is no duration: write for example 30s or 5m", param, ctx)
