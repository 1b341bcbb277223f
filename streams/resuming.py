"""Lets a partition go on that stands still until somebody has looked: what is in its topics now may be dead letters; or
these are the topics of before, whatever their ids say."""

from collections.abc import Collection
from dataclasses import dataclass

from streams.admission import RESTORED_FIELD, encode_topics
from streams.connections import KafkaConnection
from streams.errors import RetryLater, StreamsError
from streams.flood import PASSED_FIELD, encode_passed
from streams.identities import TopicIds
from streams.outbox import PublishFailed
from streams.recovery import TailReader
from streams.store import ContactStore
from streams.topics import TopicNames


class NoSuchPartition(StreamsError):
    """There is nothing that could go on."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """One partition, and how many records wait in it that may become dead letters."""

    partition: int
    waiting: int


async def resume(
    connection: KafkaConnection,
    topics: TopicNames,
    store: ContactStore,
    partitions: Collection[int],
    *,
    topics_restored: bool = False,
) -> list[Resumed]:
    """Lets the partitions (none named: all) take what is there now, dead letters or not. What comes later counts as
    ever. Their workers see it when they next look, within half a minute.

    With ``topics_restored``: lets them go on although the source topics have other ids; nothing else.

    Raises NoSuchPartition, RetryLater, and what the store does.
    """
    count = await store.partition_count()
    if count is None:
        raise NoSuchPartition(
            "nothing is stored yet: no worker has run with this SEGMENTS_REDIS and SEGMENTS_GROUP"
        )
    for partition in partitions:
        if partition >= count:
            raise NoSuchPartition(f"there is no partition {partition}: they go from 0 to {count - 1}")
    chosen = sorted(partitions) or range(count)
    try:
        ids = await TopicIds(connection, topics.sources)() if topics_restored else {}
        ends = await TailReader(connection).ends(
            [(topic, number) for topic in topics.sources for number in chosen]
        )
    except PublishFailed as error:
        raise RetryLater(f"{error}: `segments doctor` tells more") from error
    resumed = []
    for number in chosen:
        passed = {topic: ends[(topic, number)] for topic in topics.sources}
        offsets = (await store.peek(number)).offsets
        if topics_restored:
            await store.note(number, RESTORED_FIELD, encode_topics(ids))
        else:
            await store.note(number, PASSED_FIELD, encode_passed(passed))
        waiting = sum(max(end - offsets.get(topic, 0), 0) for topic, end in passed.items())
        resumed.append(Resumed(number, waiting))
    return resumed
