"""Scenarios as data: definitions, what happens in simulated time, and which transitions follow.

    - name: an event leaves its window at exactly its time plus the window
      segments:
        - {key: recent, when: {did: A, within: 5s}}
      steps:
        - {at: 0s, track: A, id: m1}
        - {at: 9s, tick: }                      # a record of somebody else that moves the clock and no more
      expect:
        u: [0s enter recent by m1, 5s exit recent by time]

A moment is an offset from the scenario's start: `1h 1ms`, `-3s`. In definitions and in what is sent, a text such as
`T+5s` or `T-1d` is that moment as ISO 8601. A step names one of `track`, `page`, `screen`, `identify` (its traits),
`group`, `alias`, `tick`, and takes:

    at          received time                            time    event time, if another
    who         contact, `u` if absent                   anonymous   the contact's anonymous id in its place
    id          messageId                                times   so many records like it, with ids `<id>-1`, ...
    properties, context, name, category                  raw     fields of the record that go before all these

The end is the last received time; `until` says another. `by <messageId>`, `by an event` (without a messageId) or
`by time` says what did it. Sequence numbers and how long a membership lasted follow from the order. `dead_letters` lists
their reasons. `verbatim`: keys and contacts are kept as they are where scenarios share a worker.
"""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.reference import Expected
from tests.reference.moments import duration_ms
from tests.reference.records import KINDS

START_MS = 1_767_607_200_000
"""2026-01-05T10:00:00Z."""
KEYS = {"name", "segments", "groups", "steps", "expect", "until", "dead_letters", "verbatim"}
STEP_KEYS = {
    "at",
    "time",
    "who",
    "anonymous",
    "id",
    "times",
    "properties",
    "context",
    "name",
    "category",
    "raw",
    "tick",
}
_EXPECTED = re.compile(r"(?P<at>.+?) (?P<move>enter|exit) (?P<segment>\S+) by (?P<by>.+)")


@dataclass(frozen=True)
class Scenario:
    """One scenario at one place in time; `prefix` keeps its contacts and segments apart from others'."""

    title: str
    raw: dict[str, Any] = field(repr=False)
    start_ms: int = START_MS
    prefix: str = ""

    def __str__(self) -> str:
        return self.title

    def moved(self, start_ms: int, prefix: str) -> "Scenario":
        return Scenario(self.title, self.raw, start_ms, "" if self.raw.get("verbatim") else prefix)

    @property
    def segments(self) -> list[dict[str, Any]]:
        placed: list[dict[str, Any]] = self._placed(self.raw["segments"])
        return [self._renamed({**segment, "key": f"{self.prefix}{segment['key']}"}) for segment in placed]

    @property
    def groups(self) -> list[dict[str, Any]]:
        return [
            {
                "key": f"{self.prefix}{group['key']}",
                "exclusive": [f"{self.prefix}{key}" for key in group["exclusive"]],
            }
            for group in self.raw.get("groups", ())
        ]

    def _renamed(self, condition: Any) -> Any:
        """With the prefix where a condition names a segment."""
        if isinstance(condition, list):
            return [self._renamed(inner) for inner in condition]
        if not isinstance(condition, dict):
            return condition
        return {
            key: f"{self.prefix}{value}" if key in {"member_of", "not_member_of"} else self._renamed(value)
            for key, value in condition.items()
        }

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for step in self.raw["steps"] for record in self._records(step)]

    @property
    def end_ms(self) -> int:
        """Up to when, inclusive, wakes happen."""
        if "until" in self.raw:
            return self._at(self.raw["until"])
        return max(self._at(step["at"]) for step in self.raw["steps"])

    @property
    def until_ms(self) -> int | None:
        return self._at(self.raw["until"]) if "until" in self.raw else None

    @property
    def dead_letters(self) -> list[str]:
        return list(self.raw.get("dead_letters", ()))

    @property
    def expected(self) -> dict[str, list[Expected]]:
        found = {}
        for who, lines in self.raw["expect"].items():
            contact = self._contact(str(who))
            if lines:
                found[contact] = list(self._expected(contact, lines))
        return found

    def _expected(self, contact: str, lines: list[str]) -> Iterator[Expected]:
        latest: dict[str, Expected] = {}
        for line in lines:
            match = _EXPECTED.fullmatch(line)
            assert match is not None, f"{self.title}: {line!r} is no expectation"
            segment, by = f"{self.prefix}{match['segment']}", match["by"]
            before, at_ms = latest.get(segment), self._at(match["at"])
            latest[segment] = transition = Expected(
                contact=contact,
                segment=segment,
                entered=match["move"] == "enter",
                at_ms=at_ms,
                sequence=1 if before is None else before.sequence + 1,
                reason="time" if by == "time" else "event",
                cause=None if by in {"time", "an event"} else by,
                member_for_ms=at_ms - before.at_ms if before is not None and before.entered else None,
            )
            yield transition

    def _records(self, step: dict[str, Any]) -> Iterator[dict[str, Any]]:
        kinds = [kind for kind in KINDS if kind in step]
        assert set(step) <= STEP_KEYS | set(KINDS), f"{self.title}: {step}"
        assert len(kinds) + ("tick" in step) == 1, f"{self.title}: {step}"
        record: dict[str, Any] = {"receivedAt": self._iso(self._at(step["at"]))}
        if "tick" in step:
            yield {**record, "type": "group", "userId": f"{self.prefix}clock"}
            return
        record["type"] = kind = kinds[0]
        if kind == "track":
            record["event"] = step["track"]
        elif kind == "identify":
            record["traits"] = self._placed(step["identify"])
        for name in ("properties", "context", "name", "category"):
            if name in step:
                record[name] = self._placed(step[name])
        if "time" in step:
            record["timestamp"] = self._iso(self._at(step["time"]))
        if "anonymous" in step:
            record["anonymousId"] = f"{self.prefix}{step['anonymous']}"
        else:
            record["userId"] = f"{self.prefix}{step.get('who', 'u')}"
        for number in range(1, step.get("times", 1) + 1):
            message_id = f"{step.get('id')}-{number}" if "times" in step else step.get("id")
            yield {**record, "messageId": message_id, **self._placed(step.get("raw", {}))}

    def _contact(self, who: str) -> str:
        if who.startswith("anonymous:"):
            return f"anonymous:{self.prefix}{who.removeprefix('anonymous:')}"
        return f"{self.prefix}{who}"

    def _at(self, offset: str) -> int:
        sign = -1 if offset.startswith("-") else 1
        return self.start_ms + sign * sum(duration_ms(part) for part in offset.removeprefix("-").split())

    def _iso(self, moment_ms: int) -> str:
        moment = dt.datetime.fromtimestamp(0, tz=dt.UTC) + dt.timedelta(milliseconds=moment_ms)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _placed(self, value: Any) -> Any:
        """The value with the moments in it put where the scenario is."""
        if isinstance(value, dict):
            return {key: self._placed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._placed(inner) for inner in value]
        if isinstance(value, str) and re.fullmatch(r"T[+-][0-9][0-9a-z ]*", value):
            return self._iso(self._at(value[1:].removeprefix("+")))
        return value


def scenarios() -> list[Scenario]:
    """All of them, in the order of the files."""
    found = []
    for path in sorted((Path(__file__).parent / "data").glob("*.yaml")):
        for raw in yaml.safe_load(path.read_text(encoding="utf-8")):
            assert set(raw) <= KEYS, (path.name, raw.keys() - KEYS)
            found.append(Scenario(f"{path.stem}: {raw['name']}", raw))
    assert len({scenario.title for scenario in found}) == len(found)
    return found
