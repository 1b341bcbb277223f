"""Runs the examples that stand beside definitions, in simulated time, with no Kafka and no Redis."""

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from rules.catalog import Catalog
from rules.durations import format_moment, parse_moment
from rules.examples import EVENTS, Example, Move, Step
from rules.fields import format_offset
from rules.loading import SUFFIXES
from rules.reading import Located, Reading
from rules.step import Transition
from streams.replay import Replay
from streams.wire import Rejected, decode_line

START_MS = parse_moment("2026-01-05T10:00:00Z")


def scope_of(located: Located[Example], reading: Reading) -> set[str]:
    """The segments that an example is about: those that it names, and those of its file; of a ``name.test.yaml``,
    those of ``name.yaml`` beside it, or where that is not there, of all the files beside it."""
    path = Path(located.file)
    stem = re.sub(r"\.test$", "", path.stem)
    files = {located.file} if stem == path.stem else {str(path.with_name(stem + end)) for end in SUFFIXES}
    if not files & set(reading.files):
        files = {file for file in reading.files if Path(file).parent == path.parent}
    return {key for key, _ in located.value.named} | {
        other.value.key for other in reading.located if other.file in files
    }


def run(example: Example, catalog: Catalog, scope: Collection[str]) -> list[str]:
    """What is wrong with an example, in lines; nothing if it holds. ``scope``: the segments that it is about."""
    return list(_Run(example, catalog, scope).failures())


class _Run:
    def __init__(self, example: Example, catalog: Catalog, scope: Collection[str]) -> None:
        self._example, self._catalog, self._scope = example, catalog, scope
        self._start_ms = START_MS if example.start is None else example.start
        self._now_ms = self._start_ms
        self._replay = Replay(catalog)
        self._came: list[Transition] = []

    def failures(self) -> Iterator[str]:
        for number, step in enumerate(self._example.steps, 1):
            if step.kind in EVENTS:
                yield from self._happen(number, step)
            elif step.wait is not None:
                self._now_ms += step.wait
            else:
                yield from self._look(number, step)
        self._pass_wakes()
        if self._example.transitions is not None:
            yield from self._compare(self._example.transitions)

    def _happen(self, number: int, step: Step) -> Iterator[str]:
        event = decode_line(json.dumps(self._record(step)).encode(), max_future_skew_ms=0)
        if isinstance(event, Rejected):
            yield f"step {number}: the event is refused: {event.reason}: {event.detail}"
        else:
            self._came += self._replay.take(event)

    def _record(self, step: Step) -> dict[str, Any]:
        record: dict[str, Any] = {
            "type": step.kind,
            "userId": step.who,
            "receivedAt": format_moment(self._now_ms),
            "timestamp": format_moment(self._now_ms - (step.ago or 0)),
            "messageId": step.id,
            "context": step.context,
        }
        if step.kind == "identify":
            record["traits"] = step.identify
        else:
            record["event" if step.kind == "track" else "name"] = getattr(step, step.kind)
            record["properties"] = step.properties
        return {key: value for key, value in record.items() if value is not None}

    def _pass_wakes(self) -> None:
        """What has happened by now by time alone; as it is served only here, an event at the same moment as a wake is
        judged together with it."""
        self._came += self._replay.finish(self._now_ms)

    def _look(self, number: int, step: Step) -> Iterator[str]:
        self._pass_wakes()
        contact = self._replay.contacts.get(step.who)
        members = set()
        if contact is not None:
            programs = self._catalog.by_number
            members = {
                programs[key].key for key, each in contact.memberships.items() if each.is_member
            } & set(self._scope)
        expected = set(step.members or ())
        if members != expected:
            when = format_offset(self._now_ms - self._start_ms)
            yield f"step {number}, at {when}: {step.who} is in {_listed(members)}"
            yield from (f"+ {key}: not expected" for key in sorted(members - expected))
            yield from (f"- {key}: expected" for key in sorted(expected - members))

    def _compare(self, expected: tuple[Move, ...]) -> Iterator[str]:
        wanted = [(move.who, move.enter is not None, move.segment, move.at) for move in expected]
        came = [
            (move.contact_id, move.entered, move.segment, move.at_ms - self._start_ms)
            for move in self._came
            if move.segment in self._scope
        ]
        whos = dict.fromkeys([move[0] for move in (*wanted, *came)])
        for who in whos:
            # Order across contacts is free.
            of_one = [move for move in wanted if move[0] == who], [move for move in came if move[0] == who]
            if of_one[0] != of_one[1]:
                yield f"the transitions of {who}:"
                yield from _difference(*of_one)


_Moved = tuple[str, bool, str, int]


def _difference(wanted: list[_Moved], came: list[_Moved]) -> Iterator[str]:
    """Both in one list, in the order of time."""
    left = list(came)
    missing = [move for move in wanted if not _take(left, move)]
    every = sorted(set(wanted) | set(came), key=lambda move: (move[3], (wanted + came).index(move)))
    for move in every:
        sign, note = " ", ""
        if move in missing:
            sign, note = "-", "  expected"
        elif move in left:
            sign, note = "+", "  not expected"
        _, entered, segment, at_ms = move
        yield f"{sign} {'enter' if entered else 'exit'} {segment} at {format_offset(at_ms)}{note}"
    if not missing and not left:
        yield "  came in another order"


def _take(moves: list[_Moved], move: _Moved) -> bool:
    if move in moves:
        moves.remove(move)
        return True
    return False


def _listed(keys: Collection[str]) -> str:
    return ", ".join(sorted(keys)) or "no segment"
