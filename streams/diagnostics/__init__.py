"""Looks at everything that a worker needs, and says of each thing that is wrong what to do. Changes nothing."""

import asyncio
from collections.abc import Callable

from rules.definitions import Definitions
from rules.errors import DefinitionError
from rules.loading import load
from streams.clock import wall_ms as wall_clock_ms
from streams.diagnostics.definitions import diagnose_definitions, longest_window_ms
from streams.diagnostics.diagnosis import Diagnosis, Grade
from streams.diagnostics.kafka import diagnose_kafka
from streams.diagnostics.redis import diagnose_redis
from streams.errors import ConfigurationError
from streams.settings import Settings

__all__ = ["Diagnosis", "Grade", "diagnose"]


async def diagnose(settings: Settings, wall_ms: Callable[[], int] = wall_clock_ms) -> list[Diagnosis]:
    """Everything, in the order in which to mend it. Never raises for what is wrong with Kafka, Redis or definitions.

    ``wall_ms``: this machine's clock, milliseconds UTC.
    """
    window_ms = longest_window_ms(_loaded(settings))
    kafka, sources = await diagnose_kafka(settings, window_ms, wall_ms)
    redis = await diagnose_redis(settings, sources, wall_ms)
    definitions = await asyncio.to_thread(diagnose_definitions, settings)
    return [*kafka, *redis, *definitions]


def _loaded(settings: Settings) -> Definitions | None:
    try:
        return load(settings.definitions_directory)
    except (DefinitionError, ConfigurationError):
        return None
