"""Records that were sent on to their contact's partition, next to those that came there by themselves."""

import json

import pytest

from streams.intake import home
from tests.integration.conftest import Install
from tests.integration.history import Sent, hash_of, history
from tests.integration.installation import assert_came_true, outcome

EVENTS = 20_000


@pytest.mark.timeout(120)
async def test_a_backlog_of_both_topics_is_taken_in_the_order_of_received_times(install: Install) -> None:
    """As after a day off: what was sent on by other workers waits in one topic, the rest in the other one, and there is
    much more of the one than of the other."""
    installation = install()
    sent = [record for record in history(7, EVENTS, installation.partitions) if _is_usual(record)]
    await installation.produce([record for record in sent if not _was_sent_on(record)], at_once=1000)
    by_contact = [record for record in sent if _was_sent_on(record)]
    assert len(by_contact) > EVENTS / 10
    await installation.produce(by_contact, at_once=1000, topic=installation.topics.by_contact)
    worker = installation.worker()
    worker.start()
    await installation.drained()
    worker.stop()
    await assert_came_true(installation, outcome(sent))


def _is_usual(record: Sent) -> bool:
    """Not defective, and under the right key."""
    return (
        record.key is not None and not record.key.startswith(b"session-") and _contact(record) == record.key
    )


def _contact(record: Sent) -> bytes | None:
    try:
        value = json.loads(record.value)
    except ValueError:
        return None
    if "userId" in value:
        return str(value["userId"]).encode()
    return f"anonymous:{value['anonymousId']}".encode() if "anonymousId" in value else None


def _was_sent_on(record: Sent) -> bool:
    assert record.key is not None
    # Of one partition nearly all, so that there the events are few.
    return hash_of(record.key.decode()) % (8 if home(record.key.decode(), 4) else 1) == 0
