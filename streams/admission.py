"""What of a partition's stored metadata keeps its lane from beginning: whoever goes on in spite of it destroys state."""

from collections.abc import Mapping

import msgspec

from streams.errors import PartitionStopped

REBUILD_FIELD = "rebuild"
"""Set, and not empty, from when a rebuild has dropped a partition's state until it has made it anew."""
TOPICS_FIELD = "topics"
"""Source topic -> the id that Kafka has given it, of the topic that the offsets are of."""
RESTORED_FIELD = "topics_restored"
"""The same, of topics that somebody has put back as they were, under other ids."""


class TopicMadeAnew(PartitionStopped):
    """The offsets say nothing of the records that the topic holds now. Somebody has to say what these are."""

    def __init__(self, partition: int, topic: str, before: str, now: str) -> None:
        super().__init__(
            partition,
            f"the topic {topic} is not the one that its state is of (id {before}, and now {now}): it was deleted and made "
            "anew. Stop all workers and make the state anew with `segments rebuild`; or say `segments resume "
            "--topics-restored`, if it holds the same records under the same offsets as before",
        )


def refuse_unready(partition: int, meta: Mapping[str, bytes]) -> None:
    """Raises PartitionStopped while the stored state is only a part of what it has to be."""
    if meta.get(REBUILD_FIELD):
        raise PartitionStopped(
            partition,
            "its state is being rebuilt: wait until `segments rebuild` is done; if it was broken off, run it again",
        )


def topics_to_store(
    partition: int, offsets: Mapping[str, int], meta: Mapping[str, bytes], ids: Mapping[str, str]
) -> bytes | None:
    """The ids of source topics to store with the state; None: they stand there already. A topic of which Kafka says no
    id, or the state, is taken for the right one; so is any of which nothing was taken.

    Raises TopicMadeAnew where it is another.
    """
    stored, restored = decode_topics(meta.get(TOPICS_FIELD)), decode_topics(meta.get(RESTORED_FIELD))
    for topic, now in ids.items():
        before = stored.get(topic, now)
        if topic in offsets and now not in (before, restored.get(topic)):
            raise TopicMadeAnew(partition, topic, before, now)
    found = stored | dict(ids)
    return None if found == stored else encode_topics(found)


def encode_topics(ids: Mapping[str, str]) -> bytes:
    """What ``TOPICS_FIELD`` and ``RESTORED_FIELD`` hold."""
    return msgspec.msgpack.encode(dict(ids))


def decode_topics(stored: bytes | None) -> dict[str, str]:
    """What ``encode_topics`` was given; nothing where nothing is stored."""
    return {} if stored is None else msgspec.msgpack.decode(stored, type=dict[str, str])
