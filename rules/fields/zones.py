"""Time zones by whose dates days are counted."""

from typing import Annotated, Any, TypeAlias
from zoneinfo import available_timezones

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rules.problems import Problem, closest, refuse, shown

UTC = "UTC"


def _zone(value: Any) -> str:
    if value is True:
        return UTC
    if not isinstance(value, str):
        refuse(Problem("wrong_type", f"wants true or a time zone, not {shown(value)}", "write days: true"))
    zones = available_timezones()
    if value not in zones:
        refuse(Problem("bad_zone", f"{shown(value)} is no time zone", _hint(value, zones)))
    return UTC if value in {"Etc/UTC", "Etc/UCT", "Etc/Zulu", "Zulu", "UCT"} else value


def _hint(value: str, zones: set[str]) -> str:
    by_end = {zone.rpartition("/")[2].lower(): zone for zone in sorted(zones)}
    spelled = value.strip().replace(" ", "_")
    meant = by_end.get(spelled.rpartition("/")[2].lower())
    if meant is None:
        found = closest(spelled, [zone.lower() for zone in zones])
        meant = next((zone for zone in sorted(zones) if zone.lower() == found), None)
    return f"did you mean {meant}?" if meant else "write true for UTC, or a name such as Europe/Berlin"


Zone: TypeAlias = Annotated[
    str,
    PlainValidator(_zone),
    PlainSerializer(lambda zone: True if zone == UTC else zone),
    WithJsonSchema({"anyOf": [{"const": True}, {"type": "string", "examples": ["Europe/Berlin"]}]}),
]
"""A zone's name; ``true`` is UTC."""
