"""Libraries that repeat themselves are heard now and then."""

import logging

from streams.paced import Paced


def test_the_same_message_is_let_through_once_in_a_while_and_counted() -> None:
    now = 0.0
    pacing = Paced(("aiokafka",), every_s=10, monotonic=lambda: now)

    def said(name: str, text: str, *args: object) -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "", 0, text, args, None)
        return record.getMessage() if pacing.filter(record) else None

    assert said("aiokafka.client", "no node %d", 1) == "no node 1"
    assert said("aiokafka.client", "no node %d", 2) is None
    assert said("aiokafka.client", "other") == "other"
    assert said("streams.runner", "no node %d", 3) == "no node 3"
    assert said("streams.runner", "no node %d", 3) == "no node 3"
    now = 11.0
    assert said("aiokafka.client", "no node %d", 4) == "no node 4 (and 1 times more)"
    assert said("aiokafka.client", "no node %d", 5) is None
