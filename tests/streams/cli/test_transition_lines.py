"""A transition as a line for people."""

import json
from typing import Any

import click
import pytest

from rules.step import Transition
from streams.cli.transition_lines import evidence, printable, printable_json, roughly, transition_line, why
from streams.wire import encode


def published(**more: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "contact_id": "u1",
        "segment": "buyers",
        "entered": True,
        "sequence": 1,
        "at_ms": 0,
        "reason": "event",
        "cause": "m1",
        "member_for_ms": None,
        "version": 1,
        "evidence": [("did A", 1, True), ("trait plan is gold", "silver", False)],
    }
    value: dict[str, Any] = json.loads(encode(Transition(**(fields | more)))[1])
    return value


def test_an_enter_says_by_what_holds() -> None:
    line = transition_line(published(), "10:00")
    assert "u1" in line
    assert "entered" in line
    assert line.split("buyers")[1].strip("\x1b[0m2 ") == "event: did A (1)"


def test_an_exit_says_what_no_longer_holds_and_how_long_it_was() -> None:
    exit_ = published(entered=False, sequence=2, reason="time", member_for_ms=90_000)
    about = exit_["context"]["segment"]
    assert why(about, entered=False) == "time, after 2m: trait plan is gold (silver)"
    assert "left" in transition_line(exit_, "10:00")


@pytest.mark.parametrize("columns", [70, 80, 200])
def test_a_line_is_no_wider_than_the_terminal(columns: int) -> None:
    line = click.unstyle(transition_line(published(), "10:00", columns=columns))
    assert len(line) <= columns
    assert line.endswith(".." if columns == 70 else "event: did A (1)")


def test_an_anonymous_contact_has_its_whole_id() -> None:
    assert "anonymous:a1" in transition_line(published(contact_id="anonymous:a1"), "10:00")


def test_long_evidence_is_cut() -> None:
    found = [{"condition": f"did {name}", "observed": "x" * 100, "holds": True} for name in "ABCDE"]
    told = evidence(found, entered=True)
    assert told.endswith("; and 2 more")
    assert len(told) < 200


def test_where_nothing_speaks_for_it_everything_is_said() -> None:
    assert evidence([{"condition": "did A", "observed": 1, "holds": True}], entered=False) == "did A (1)"


@pytest.mark.parametrize(
    ("duration_ms", "told"),
    [
        (0, "0.0s"),
        (59_900, "59.9s"),
        (60_000, "1m"),
        (7_199_000, "120m"),
        (7_200_000, "2h"),
        (864_000_000, "10d"),
    ],
)
def test_durations_are_short(duration_ms: int, told: str) -> None:
    assert roughly(duration_ms) == told


def test_what_events_say_cannot_move_the_cursor() -> None:
    assert printable("u\x1b[2J\n\u202e") == "u\\x1b[2J\\n\\u202e"


NASTY = "\x1b[31m\x9b2J\x07\u202e\x7f\u2028\n\U000e0001"


@pytest.mark.parametrize("foreign", [False, True])
def test_nothing_of_a_record_reaches_a_terminal_as_a_command(foreign: bool) -> None:
    found = published(contact_id=NASTY, evidence=[(f"did {NASTY}", NASTY, True)])
    if foreign:  # A record that is not ours
        found["properties"] = {"audience_key": NASTY, NASTY: True}
    line = transition_line(found, NASTY if foreign else "10:00")
    assert click.unstyle(line).isprintable()


def test_json_for_a_terminal_says_the_same_without_commands() -> None:
    value = {"a": [NASTY, "é\U0001f600"], NASTY: 1}
    text = json.dumps(value, ensure_ascii=False, indent=2)
    told = printable_json(text)
    assert told.isprintable()
    assert json.loads(told) == value
    assert printable_json('{"é":1}') == '{"é":1}'
