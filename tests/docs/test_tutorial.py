"""The first tutorial's findings and transitions are those that its readers see."""

import json
import re
from pathlib import Path

import click
import pytest

from rules.catalog import Blueprint
from rules.checker import check
from rules.durations import format_moment, parse_moment
from rules.loading import load
from streams.cli.explaining import tell_segment
from streams.explain import replayed
from streams.replay import Replay, replay_lines
from streams.wire import Rejected, decode_line
from tests.docs.pages import ROOT, blocks

START_MS = 1_800_000_000_000
TUTORIAL = ROOT / "docs" / "tutorial.md"


def shown(language: str, start: str) -> str:
    """The first block of the tutorial that begins so."""
    return next(b.text for b in blocks(language) if b.page == TUTORIAL and b.text.startswith(start))


def test_the_mistakes_are_found_where_the_tutorial_says(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(shown("text", "segments:"), encoding="utf-8")
    found = [str(finding).replace(f"{tmp_path}/", "segments/") for finding in check(tmp_path)]
    assert shown("console", "$ segments check\n").splitlines()[1:-1] == found


def test_the_events_bring_about_what_the_tutorial_shows(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(shown("yaml", "segments:"), encoding="utf-8")
    events = [json.loads(line) for line in shown("json", '{"type": "identify"').splitlines()]
    lines = [json.dumps({**event, "receivedAt": format_moment(START_MS)}).encode() for event in events]
    found = replay_lines(
        Blueprint(load(tmp_path)).catalog(),
        lines,
        until_ms=START_MS + 65_000,
        max_future_skew_ms=0,
        reject=lambda line, why: None,
    )
    moves = [
        [move.contact_id, "entered" if move.entered else "left", move.segment, str(move.reason)]
        for move in found
    ]
    told = [line.replace(",", ":").split()[1:5] for line in shown("text", "2026").splitlines()]
    assert moves == [[contact, move, segment, reason.rstrip(":")] for contact, move, segment, reason in told]


def test_the_explanation_is_as_the_tutorial_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.yaml").write_text(shown("yaml", "segments:"), encoding="utf-8")
    told = shown("console", "$ segments explain ann keen").splitlines()[1:]
    received, as_of = (re.findall(r"[0-9T:.-]{23}Z", line)[0] for line in told[:2])
    replay = Replay(Blueprint(load(tmp_path)).catalog())
    for line in shown("json", '{"type": "identify"').splitlines():
        event = decode_line(json.dumps({**json.loads(line), "receivedAt": received}).encode())
        assert not isinstance(event, Rejected)
        replay.take(event)
    view = replayed(replay, "ann", parse_moment(as_of))
    tell_segment(view, next(each for each in view.segments if each.segment == "keen-browsers"))
    assert click.unstyle(capsys.readouterr().out).splitlines() == told
