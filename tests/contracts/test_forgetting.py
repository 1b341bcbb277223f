"""Dropping a partition's state, and versions from elsewhere: one contract for all stores."""

import pytest

from streams.store import Commit, ContactStore, FenceLost
from tests.contracts.stores import IDS, PARTITION, SEGMENTS, Owner, seen


def _everything(owner: Owner) -> Commit:
    return owner.batch(
        offsets={"events": (0, 5)}, contacts={"u1": b"1"}, wakes={"u1": 7}, entered={"hot": ["u1"]},
        counts={"n": 1}, outbox=b"entry", meta={"m": b"1"},
    )  # fmt: skip


async def test_nothing_is_left_of_a_partition_but_what_is_said_of_it(
    store: ContactStore, owner: Owner
) -> None:
    await store.commit(_everything(owner))
    await store.forget(PARTITION, SEGMENTS, {"rebuild": b"1"})
    assert await seen(store, IDS, SEGMENTS) == {
        "offsets": {}, "clock_ms": None, "outbox": [], "meta": {"rebuild": b"1"}, "next_wake_ms": None, "due": [],
        "contacts": dict.fromkeys(IDS), "scanned": {}, "counts": {}, "members": dict.fromkeys(SEGMENTS, 0),
    }  # fmt: skip


async def test_whoever_had_the_partition_before_commits_nothing_any_more(
    store: ContactStore, owner: Owner
) -> None:
    await store.forget(PARTITION, SEGMENTS, {})
    with pytest.raises(FenceLost):
        await store.commit(_everything(owner))
    assert (await store.take(PARTITION)).fence > owner.fence


async def test_other_partitions_keep_theirs(store: ContactStore, owner: Owner) -> None:
    await store.commit(_everything(owner))
    await store.forget(PARTITION - 1, SEGMENTS, {})
    assert await store.load(PARTITION, ["u1"]) == [b"1"]
    assert await store.members("hot") == 1


async def test_a_version_is_raised_and_never_lowered(store: ContactStore) -> None:
    await store.register({"hot": b"1", "cold": b"1"})
    await store.raise_versions({"hot": 5, "cold": 0, "gone": 3})
    assert await store.versions() == {"hot": 5, "cold": 1, "gone": 3}
    assert await store.register({"hot": b"1", "cold": b"2", "gone": b"1"}) == {"hot": 5, "cold": 2, "gone": 4}
