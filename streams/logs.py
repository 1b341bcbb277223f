"""What the log looks like, and what is kept out of it.

A contact's id and the contents of records belong at the debug level, if anywhere. What libraries log at that level
shows contents of records, so they never get there.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

LIBRARIES = ("aiokafka", "asyncio", "faust", "kafka", "mode", "redis", "urllib3")

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_UNPRINTABLE = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
    **{code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
}
"""Characters that end a line, move the cursor, colour the text or turn its direction: no record may do that."""


def set_up_logs(level: str, form: str, stream: TextIO | None = None) -> None:
    """Sends all logs to a stream (default: stderr), as ``console`` lines or as ``json``, one object a line.

    Libraries speak up from ``warning``, and with ``level`` debug from ``info``. May be called again.
    """
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else ConsoleLines())
    number = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    logging.captureWarnings(capture=True)
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(number, logging.INFO if number <= logging.DEBUG else logging.WARNING))
    # Their children may have levels of their own, which would go before their parent's.
    for name, child in list(logging.Logger.manager.loggerDict.items()):
        if isinstance(child, logging.Logger) and name.startswith(
            tuple(f"{library}." for library in LIBRARIES)
        ):
            child.setLevel(logging.NOTSET)


class ConsoleLines(logging.Formatter):
    """``12:00:00.123 INFO    streams.app  text  field=value``; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).astimezone()
        fields = "".join(f"  {name}={value}" for name, value in _fields(record).items())
        text = f"{record.getMessage()}{fields}".translate(_UNPRINTABLE)
        line = (
            f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03} {record.levelname:<7} {record.name}  {text}"
        )
        trace = _traceback(record)
        if not trace:
            return line
        return line + "".join(f"\n    {row.translate(_UNPRINTABLE)}" for row in trace.splitlines())


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, the record's own fields, ``traceback``."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in _fields(record).items():
            line.setdefault(name, value)
        if trace := _traceback(record):
            line["traceback"] = trace
        return json.dumps(line, default=str)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as ``extra``."""
    return {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return "".join(traceback.format_exception(*record.exc_info)).rstrip()
