"""A record as a lane gets it."""

from collections.abc import Sequence
from typing import Any

import msgspec

Header = tuple[str, bytes | None]


class FetchedRecord(msgspec.Struct, gc=False):
    """What a lane looks at of a record. It takes a fifth of the time that aiokafka's ``ConsumerRecord`` does to make."""

    offset: int
    timestamp: int
    """In milliseconds UTC; -1 where the producer gave none."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    size: int
    """In bytes, whatever part of it is large."""


def fetched(_: Any, record: Any) -> FetchedRecord:
    """In place of ``PartitionRecords._consumer_record``: from the partition and aiokafka's record of a batch."""
    key, value, headers = record.key, record.value, record.headers
    size = (0 if key is None else len(key)) + (0 if value is None else len(value))
    if headers:
        size += sum([len(carried) for _, carried in headers if carried is not None])
    return FetchedRecord(record.offset, record.timestamp, key, value, tuple(headers) if headers else (), size)
