"""What is said of a record that could not be taken. Its key, value and other headers stay as they were, but for what
``carried`` leaves out."""

from collections.abc import Iterable

from streams.wire.reasons import Rejected

Headers = list[tuple[str, bytes | None]]


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
