"""Who may commit, on what, and how often: fences, offsets and repeated commits, tested on each store."""

import pytest

from streams.store import ContactStore, FenceLost, OffsetMismatch, StateMoved
from tests.contracts.stores import IDS, PARTITION, SEGMENTS, NewStore, Owner, seen

# ---------------------------------------------------------------------------------------------------- fence, offsets


async def test_the_fence_only_grows(store: ContactStore, new_store: NewStore) -> None:
    other = new_store()
    fences = [(await each.take(PARTITION)).fence for each in (store, other, store, other)]
    assert fences == sorted(set(fences))


async def test_an_owner_whose_fence_was_taken_writes_nothing(
    owner: Owner, store: ContactStore, new_store: NewStore
) -> None:
    await store.commit(owner.batch(offsets={"events": (0, 1)}, contacts={"u1": b"one"}))
    other = await Owner.of(new_store())
    for _ in range(2):
        with pytest.raises(FenceLost, match=f"partition {PARTITION}"):
            await store.commit(owner.batch(offsets={"events": (1, 2)}, contacts={"u1": b"no"}, outbox=b"no"))
    await other.store.commit(other.batch(offsets={"events": (1, 2)}))
    now = await seen(store, IDS, SEGMENTS)
    assert (now["contacts"], now["outbox"]) == ({"u1": b"one", "u2": None, "u3": None}, [])


async def test_who_has_not_taken_a_partition_cannot_commit(store: ContactStore) -> None:
    with pytest.raises(FenceLost):
        await store.commit(Owner(store, 1).batch())


async def test_taking_again_ends_the_fence_that_the_same_worker_held(
    owner: Owner, store: ContactStore
) -> None:
    old = owner.batch(counts={"a": 1})
    again = await Owner.of(store)
    with pytest.raises(FenceLost):
        await store.commit(old)
    await store.commit(again.batch(counts={"a": 1}))
    assert await store.counts(PARTITION) == {"a": 1}


async def test_a_batch_that_does_not_begin_at_the_stored_offset_writes_nothing(
    owner: Owner, store: ContactStore
) -> None:
    await store.commit(owner.batch(offsets={"events": (0, 10)}, contacts={"u1": b"one"}))
    for expected in (9, 11):
        with pytest.raises(OffsetMismatch) as refused:
            await store.commit(
                owner.batch(
                    offsets={"other": (0, 1), "events": (expected, 12)},
                    clock_ms=5000,
                    contacts={"u1": b"no", "u2": b"no"},
                    wakes={"u1": 1},
                    entered={"hot": ["u1"]},
                    counts={"a": 1},
                    outbox=b"no",
                    meta={"x": b"no"},
                )
            )
        assert (refused.value.topic, refused.value.expected, refused.value.stored) == ("events", expected, 10)
    assert await seen(store, IDS, SEGMENTS) == {
        "offsets": {"events": 10},
        "clock_ms": 1000,
        "outbox": [],
        "meta": {},
        "next_wake_ms": None,
        "due": [],
        "contacts": {"u1": b"one", "u2": None, "u3": None},
        "scanned": {"u1": b"one"},
        "counts": {},
        "members": {"hot": 0, "lapsed": 0},
    }


async def test_the_first_commit_of_a_topic_begins_wherever_it_says(owner: Owner, store: ContactStore) -> None:
    await store.commit(owner.batch(offsets={"events": (123, 130)}))
    await store.commit(owner.batch(offsets={"events": (130, 131), "other": (5, 5)}))
    assert (await store.take(PARTITION)).offsets == {"events": 131, "other": 5}


async def test_after_a_refusal_the_owner_may_commit_what_is_right(owner: Owner, store: ContactStore) -> None:
    await store.commit(owner.batch(offsets={"events": (0, 10)}))
    wrong = owner.batch(offsets={"events": (5, 6)}, counts={"a": 1})
    with pytest.raises(OffsetMismatch):
        await store.commit(wrong)
    await store.commit(owner.batch(offsets={"events": (10, 20)}))
    with pytest.raises(OffsetMismatch):
        await store.commit(wrong)
    assert await store.counts(PARTITION) == {}


# ---------------------------------------------------------------------------------------------------- tried again


async def test_the_same_commit_tried_again_is_answered_alike_and_applied_once(
    owner: Owner, store: ContactStore
) -> None:
    batch = owner.batch(
        offsets={"events": (0, 10)}, counts={"a": 1}, outbox=b"blob", wakes={"u1": 5}, entered={"hot": ["u1"]}
    )
    first = await store.commit(batch)
    assert [await store.commit(batch) for _ in range(3)] == [first] * 3
    following = await store.commit(owner.batch(offsets={"events": (10, 20)}, counts={"a": 1}, outbox=b"next"))
    assert following.outbox_sequence == 2
    now = await seen(store, IDS, SEGMENTS)
    assert (now["counts"], now["outbox"]) == ({"a": 2}, [(1, b"blob"), (2, b"next")])


async def test_a_commit_of_wakes_alone_tried_again_is_applied_once(owner: Owner, store: ContactStore) -> None:
    batch = owner.batch(counts={"a": 1})
    await store.commit(batch)
    await store.commit(batch)
    assert await store.counts(PARTITION) == {"a": 1}


async def test_an_equal_commit_that_is_another_one_is_applied_too(owner: Owner, store: ContactStore) -> None:
    await store.commit(owner.batch(counts={"a": 1}))
    await store.commit(owner.batch(counts={"a": 1}))
    assert await store.counts(PARTITION) == {"a": 2}


async def test_a_commit_tried_again_after_a_later_one_is_refused_for_good(
    owner: Owner, store: ContactStore
) -> None:
    old = owner.batch(counts={"a": 1})
    await store.commit(old)
    await store.commit(owner.batch(counts={"a": 1}))
    for _ in range(3):
        with pytest.raises(StateMoved):
            await store.commit(old)
    await store.commit(owner.batch(counts={"a": 1}))
    assert await store.counts(PARTITION) == {"a": 3}


async def test_a_commit_of_a_lost_fence_stays_refused(
    owner: Owner, store: ContactStore, new_store: NewStore
) -> None:
    batch = owner.batch(counts={"a": 1})
    await store.commit(batch)
    await new_store().take(PARTITION)
    for _ in range(2):
        with pytest.raises(FenceLost):
            await store.commit(batch)
