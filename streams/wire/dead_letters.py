"""What is said of a record that could not be taken. Its key, value and other headers stay as they were, but for what
``carried`` leaves out."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.wire.carried import CUT, carried
from streams.wire.reasons import Rejected

Headers = list[tuple[str, bytes | None]]

_OURS = ["reason", "detail", "source_topic", "source_partition", "source_offset", "failed_at"]
"""What stands behind the record's own headers, in this order. Of a record that was sent on ``source_offset`` is followed by
another, whatever headers its producer gave it."""


def dead_letter_headers(
    rejected: Rejected,
    *,
    source_topic: str,
    source_partition: int,
    source_offset: int,
    received_ms: int | None,
    failed_ms: int,
    headers: Iterable[tuple[str, bytes | None]] = (),
) -> Headers:
    """The headers of the dead letter: the record's own, and ours as text in place of any of the same name.

    Times are milliseconds UTC since 1970 as decimal text. Of a record without a readable received time the header
    ``received_at`` is left as it was.
    """
    ours: Headers = [
        ("reason", rejected.reason.encode()),
        ("detail", rejected.detail.encode()),
        ("source_topic", source_topic.encode()),
        ("source_partition", b"%d" % source_partition),
        ("source_offset", b"%d" % source_offset),
        ("failed_at", b"%d" % failed_ms),
    ]
    if received_ms is not None:
        ours.append(("received_at", b"%d" % received_ms))
    names = {name for name, _ in ours}
    return [header for header in headers if header[0] not in names] + ours


class Shortened(NamedTuple):
    """A dead letter that carries the beginning of its record alone."""

    key: bytes | None
    value: bytes | None
    headers: Headers


def shortened(
    key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]
) -> Shortened | None:
    """The short form of a dead letter, for a topic that does not take it whole: what ``carried`` leaves of a record that
    is too long. It follows from the dead letter alone, so that whoever publishes it after a crash says the same.

    None of what has no shorter form: a dead letter that is as short as that already, or another record.
    """
    begin = _begin_of_ours([name for name, _ in headers])
    if begin is None or CUT in dict(headers[begin:]):
        return None
    letter = carried(key, value, headers[:begin], most_bytes=0)
    if (letter.key, letter.value, len(letter.headers)) == (key, value, begin):
        return None
    return Shortened(letter.key, letter.value, [*letter.headers, *headers[begin:], *letter.said])


def _begin_of_ours(names: Sequence[str]) -> int | None:
    """None: it is no dead letter."""
    offset = len(names) - 1 - names[::-1].index("source_offset") if "source_offset" in names else 0
    begin = offset - _OURS.index("source_offset")
    return begin if begin >= 0 and list(names[begin : begin + len(_OURS)]) == _OURS else None
