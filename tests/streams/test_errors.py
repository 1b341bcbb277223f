"""An error that nobody foresaw is told by its kind and place alone: its text may be a contact's id."""

import logging
from io import StringIO

import pytest

from streams.errors import unspoken
from streams.logs import ConsoleLines, JsonLines

WHO = "jane" + "@example.com"


def _failure() -> Exception | None:
    try:
        try:
            {}[WHO]  # type: ignore[index]
        except KeyError as error:
            raise ValueError(f"{WHO} is no number") from error
    except ValueError as error:
        return error
    return None


@pytest.mark.parametrize("form", [ConsoleLines, JsonLines])
def test_what_an_unforeseen_error_says_is_not_told_and_where_it_happened_is(
    form: type[logging.Formatter],
) -> None:
    failure = _failure()
    assert failure is not None
    told = unspoken(failure)
    assert str(told).startswith("ValueError at test_errors.py:")
    out = StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(form())
    logger = logging.Logger("x")  # noqa: LOG001 - one that nobody else has
    logger.addHandler(handler)
    logger.error("partition 3 stands still: %s", told, exc_info=told)
    assert "in _failure" in out.getvalue()
    assert "Unspoken: ValueError at test_errors.py" in out.getvalue()
    assert "jane" not in out.getvalue()
