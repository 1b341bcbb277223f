"""Numbers for names, and looking at a partition without taking it: one contract for all stores."""

from streams.store import Commit, ContactStore, Enrolled
from tests.contracts.stores import NewStore


async def test_a_name_keeps_its_number_and_its_moment(store: ContactStore) -> None:
    first = await store.enrol("features", ["a", "b"], 1000, keep_others=False)
    again = await store.enrol("features", ["b", "a"], 2000, keep_others=False)
    assert first == again
    assert {enrolled.since_ms for enrolled in first.values()} == {1000}
    assert first["a"].number != first["b"].number


async def test_a_name_that_was_dropped_comes_back_under_a_number_never_given_before(
    store: ContactStore,
) -> None:
    before = await store.enrol("features", ["a", "b"], 1000, keep_others=False)
    await store.enrol("features", ["b"], 2000, keep_others=False)
    after = await store.enrol("features", ["a", "b"], 3000, keep_others=False)
    assert after["b"] == before["b"]
    assert after["a"].since_ms == 3000
    assert after["a"].number not in {enrolled.number for enrolled in before.values()}


async def test_names_that_are_kept_survive_a_call_without_them(store: ContactStore) -> None:
    before = await store.enrol("segments", ["hot", 'say "x"\n'], 1000, keep_others=True)
    await store.enrol("segments", ["cold"], 2000, keep_others=True)
    after = await store.enrolled("segments")
    assert {name: after[name] for name in before} == before
    assert after["cold"].since_ms == 2000


async def test_kinds_do_not_share_names(store: ContactStore) -> None:
    await store.enrol("features", ["a"], 1000, keep_others=False)
    assert await store.enrolled("segments") == {}
    assert await store.enrolled("features") == {"a": Enrolled(1, 1000)}


async def test_versions_are_read_without_registering(store: ContactStore) -> None:
    assert await store.versions() == {}
    await store.register({"hot": b"1"})
    await store.register({"hot": b"2"})
    assert await store.versions() == {"hot": 2}


async def test_who_looks_at_a_partition_does_not_take_it(store: ContactStore) -> None:
    assert (await store.peek(0)).fence == 0
    taken = await store.take(0)
    await store.commit(
        Commit(partition=0, fence=taken.fence, clock_ms=5, wakes={"u": 7}, offsets={"events": (0, 3)})
    )
    seen = await store.peek(0)
    assert (seen.fence, seen.clock_ms, seen.next_wake_ms, seen.offsets) == (taken.fence, 5, 7, {"events": 3})
    await store.commit(Commit(partition=0, fence=taken.fence, clock_ms=6))


async def test_the_number_of_partitions_is_known_once_it_was_opened(new_store: NewStore) -> None:
    store = new_store()
    assert await store.partition_count() is None
    await store.open(4)
    assert await store.partition_count() == 4
