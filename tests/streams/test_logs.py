"""What the log looks like, and what is kept out of it."""

import io
import json
import logging
import re
import warnings
from collections.abc import Iterator

import pytest

from streams.logs import LIBRARIES, set_up_logs


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in LIBRARIES}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    for name, number in levels.items():
        logging.getLogger(name).setLevel(number)


def test_a_console_line_has_the_time_the_level_the_place_the_text_and_the_fields() -> None:
    out = io.StringIO()
    set_up_logs("info", "console", out)
    logging.getLogger("streams.app").info("partitions %s assigned", [0, 1], extra={"group": "g"})
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{3} INFO    streams\.app  partitions \[0, 1\] assigned  group=g\n", out.getvalue()
    )


def test_a_json_line_is_one_object_whatever_is_in_it() -> None:
    out = io.StringIO()
    set_up_logs("info", "json", out)
    try:
        raise ValueError("two\nlines")  # noqa: TRY301
    except ValueError:
        logging.getLogger("streams.lane").exception("failed\nbadly", extra={"partition": 3, "message_": {1}})
    (line,) = out.getvalue().splitlines()
    found = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert "two\nlines" in found.pop("traceback")
    assert found == {
        "level": "error",
        "logger": "streams.lane",
        "message": "failed\nbadly",
        "partition": 3,
        "message_": "{1}",
    }


@pytest.mark.parametrize(
    "evil", ["a\nINFO forged", "a\r", "a\x1b[2J", "a\x9b2J", "a\u2028b", "a\u202eb", "a\x00"]
)
def test_no_text_can_forge_a_line_or_move_the_cursor(evil: str) -> None:
    out = io.StringIO()
    set_up_logs("info", "console", out)
    logging.getLogger("streams").warning("segment %s", evil, extra={"key": evil})
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().endswith("\n")
    assert out.getvalue()[:-1].isprintable()


def test_a_traceback_stays_readable_and_indented() -> None:
    out = io.StringIO()
    set_up_logs("info", "console", out)
    try:
        raise ValueError("x")  # noqa: TRY301
    except ValueError:
        logging.getLogger("streams").exception("failed")
    first, *rest = out.getvalue().splitlines()
    assert first.endswith("failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
@pytest.mark.parametrize(
    "name", ["aiokafka.consumer.fetcher", "faust.agents.agent", "mode.services", "kafka.conn"]
)
def test_libraries_never_log_at_the_level_that_shows_contents_of_records(level: str, name: str) -> None:
    logging.getLogger(name).setLevel(logging.DEBUG)
    out = io.StringIO()
    set_up_logs(level, "console", out)
    logging.getLogger(name).debug("record of jane@example.com")
    assert out.getvalue() == ""
    logging.getLogger(name).error("broker away")
    assert "broker away" in out.getvalue()


def test_the_level_is_a_floor_and_a_second_call_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    set_up_logs("debug", "console", first)
    set_up_logs("warning", "json", second)
    logging.getLogger("streams").info("quiet")
    logging.getLogger("streams").warning("loud")
    assert first.getvalue() == ""
    assert json.loads(second.getvalue())["message"] == "loud"


def test_warnings_of_python_go_to_the_log() -> None:
    out = io.StringIO()
    set_up_logs("info", "json", out)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old ways", UserWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "old ways" in json.loads(out.getvalue())["message"]
