"""What every contact store promises to keep, tested on each of them."""

import asyncio

import pytest

from streams.store import CommitResult, ContactStore, Glance, PartitionCountMismatch
from tests.contracts.stores import IDS, PARTITION, SEGMENTS, NewStore, Owner, seen

STRANGE = ["", "a\nb", "{3}", "a b", "\x00\x7f", "ключ", "🛒" * 50, "members:hot", "'\"\\", "x" * 5000]


# ---------------------------------------------------------------------------------------------------- the partitions


async def test_a_store_opens_again_with_the_same_number_of_partitions(
    store: ContactStore, new_store: NewStore
) -> None:
    await store.open(4)
    await new_store().open(4)


async def test_another_number_of_partitions_is_refused(store: ContactStore, new_store: NewStore) -> None:
    with pytest.raises(PartitionCountMismatch) as refused:
        await new_store().open(8)
    assert (refused.value.stored, refused.value.asked) == (4, 8)
    await new_store().open(4)


async def test_an_untouched_partition_is_empty(store: ContactStore) -> None:
    state = await store.take(PARTITION)
    assert (state.offsets, state.clock_ms, state.outbox) == ({}, None, [])
    assert (state.meta, state.next_wake_ms) == ({}, None)
    assert await store.load(PARTITION, IDS) == [None, None, None]
    assert await store.load(PARTITION, []) == []
    assert await store.scan(PARTITION, 0, 10) == (0, [])
    assert await store.due(PARTITION, 2**52, 10) == []
    assert await store.counts(PARTITION) == {}
    assert await store.members("hot") == 0
    assert await store.member_counts([]) == {}


# ---------------------------------------------------------------------------------------------------- versions


async def test_a_version_counts_up_each_time_the_definition_differs(store: ContactStore) -> None:
    assert await store.register({"hot": b"1", "lapsed": b"1"}) == {"hot": 1, "lapsed": 1}
    assert await store.register({"hot": b"2", "lapsed": b"1"}) == {"hot": 2, "lapsed": 1}
    assert await store.register({"hot": b"2", "lapsed": b"1"}) == {"hot": 2, "lapsed": 1}
    assert await store.register({"hot": b"1", "lapsed": b"1"}) == {"hot": 3, "lapsed": 1}


async def test_a_segment_that_comes_back_counts_up_even_unchanged(store: ContactStore) -> None:
    await store.register({"hot": b"1"})
    assert await store.register({"new": b"1"}) == {"hot": 1, "new": 1}
    assert await store.register({}) == {"hot": 1, "new": 1}
    assert await store.register({"hot": b"1"}) == {"hot": 2, "new": 1}


async def test_workers_that_start_together_agree_on_the_versions(
    store: ContactStore, new_store: NewStore
) -> None:
    others = [new_store() for _ in range(5)]
    found = await asyncio.gather(*(each.register({"hot": b"1", "new": b"\x00\xff"}) for each in others))
    assert found == [{"hot": 1, "new": 1}] * 5


# ---------------------------------------------------------------------------------------------------- commits


async def test_a_commit_shows_in_all_its_parts(owner: Owner, store: ContactStore) -> None:
    result = await store.commit(
        owner.batch(
            offsets={"events": (0, 10), "events-by-contact": (5, 6)},
            clock_ms=1_767_225_600_000,
            contacts={"u1": b"one", "u2": b"\x00\xff\r\n"},
            wakes={"u1": 1_767_225_600_500, "u2": 7},
            entered={"hot": ["u1", "u2"]},
            exited={"lapsed": ["u1"]},
            counts={"entered:hot:event": 2},
            outbox=b"blob",
            meta={"definitions": b"\x01"},
        )
    )
    assert result == CommitResult(outbox_sequence=1, next_wake_ms=7)
    assert await seen(store, IDS, SEGMENTS) == {
        "offsets": {"events": 10, "events-by-contact": 6},
        "clock_ms": 1_767_225_600_000,
        "outbox": [(1, b"blob")],
        "meta": {"definitions": b"\x01"},
        "next_wake_ms": 7,
        "due": [("u2", 7), ("u1", 1_767_225_600_500)],
        "contacts": {"u1": b"one", "u2": b"\x00\xff\r\n", "u3": None},
        "scanned": {"u1": b"one", "u2": b"\x00\xff\r\n"},
        "counts": {"entered:hot:event": 2},
        "members": {"hot": 2, "lapsed": 0},
    }


async def test_a_glance_says_how_far_a_partition_is_and_changes_nothing(
    owner: Owner, store: ContactStore
) -> None:
    assert await store.glance(PARTITION) == Glance({}, None, 0, 0)
    assert (await store.outbox(PARTITION), await store.due_count(PARTITION, 2**52)) == ([], 0)
    for number in range(3):
        wakes = {f"u{number}": 100 + number}
        await store.commit(
            owner.batch(offsets={"events": (number, number + 1)}, wakes=wakes, outbox=b"%d" % number)
        )
    await store.commit(owner.batch(trim=1, clock_ms=1234, wakes={"u0": 104}))
    before = await store.peek(PARTITION)
    assert await store.glance(PARTITION) == Glance({"events": 3}, 1234, 3, 2)
    assert await store.outbox(PARTITION) == [b"1", b"2"]
    assert [await store.due_count(PARTITION, at_ms) for at_ms in (101, 102, 103, 104, 105)] == [0, 1, 2, 2, 3]
    assert await store.peek(PARTITION) == before
    assert await store.glance(PARTITION + 1) == Glance({}, None, 0, 0)


async def test_what_is_noted_is_found_by_whoever_takes_the_partition_and_takes_nothing_from_its_owner(
    owner: Owner, store: ContactStore
) -> None:
    state = await store.peek(PARTITION)
    await store.note(PARTITION, "word", b"\x00\xff")
    await store.note(PARTITION, "word", b"\xffagain")
    noted = await store.peek(PARTITION)
    assert noted.meta == state.meta | {"word": b"\xffagain"}
    assert (noted.fence, noted.offsets, noted.clock_ms) == (state.fence, state.offsets, state.clock_ms)
    assert (await store.peek(PARTITION + 1)).meta == {}
    await store.commit(owner.batch(meta={"own": b"1"}))
    assert (await store.take(PARTITION)).meta == {"word": b"\xffagain", "own": b"1"}


async def test_a_later_commit_goes_on_from_the_one_before(owner: Owner, store: ContactStore) -> None:
    await store.commit(
        owner.batch(
            offsets={"events": (0, 10)},
            contacts={"u1": b"one", "u2": b"two"},
            wakes={"u1": 5, "u2": 7},
            entered={"hot": ["u1", "u2"]},
            counts={"a": 2, "b": 1},
            meta={"x": b"1", "y": b"1"},
        )
    )
    await store.commit(
        owner.batch(
            offsets={"events": (10, 11)},
            contacts={"u1": b"uno"},
            wakes={"u1": None, "u3": None},
            exited={"hot": ["u1", "u3"]},
            counts={"a": 3, "c": -1},
            meta={"x": b"2"},
        )
    )
    now = await seen(store, IDS, SEGMENTS)
    assert now["contacts"] == {"u1": b"uno", "u2": b"two", "u3": None}
    assert now["offsets"] == {"events": 11}
    assert now["due"] == [("u2", 7)]
    assert now["members"] == {"hot": 1, "lapsed": 0}
    assert now["counts"] == {"a": 5, "b": 1, "c": -1}
    assert now["meta"] == {"x": b"2", "y": b"1"}


async def test_the_clock_never_goes_back(owner: Owner, store: ContactStore) -> None:
    for clock_ms, stored_ms in [(-5, -5), (0, 0), (10, 10), (9, 10), (11, 11)]:
        await store.commit(owner.batch(clock_ms=clock_ms))
        owner.fence = (state := await store.take(PARTITION)).fence
        assert state.clock_ms == stored_ms


async def test_an_empty_commit_is_fine(owner: Owner, store: ContactStore) -> None:
    assert await store.commit(owner.batch()) == CommitResult(outbox_sequence=0, next_wake_ms=None)


async def test_any_contact_id_is_kept_apart_from_names_and_from_others(
    owner: Owner, store: ContactStore
) -> None:
    contacts = {contact_id: contact_id.encode() * 2 for contact_id in STRANGE}
    await store.commit(
        owner.batch(contacts=contacts, wakes=dict.fromkeys(STRANGE, 5), entered={"hot": STRANGE})
    )
    now = await seen(store, STRANGE, SEGMENTS)
    assert now["contacts"] == now["scanned"] == contacts
    assert now["due"] == [(contact_id, 5) for contact_id in sorted(STRANGE)]
    assert now["members"] == {"hot": len(STRANGE), "lapsed": 0}


async def test_ten_thousand_contacts_and_wakes_go_in_one_commit(owner: Owner, store: ContactStore) -> None:
    contacts = {f"u{number}": b"%d" % number for number in range(10_000)}
    wakes = {contact_id: 20_000 - number for number, contact_id in enumerate(contacts)}
    result = await store.commit(
        owner.batch(contacts=contacts, wakes=wakes, entered={"hot": list(contacts)}, outbox=b"x" * 1_000_000)
    )
    assert result == CommitResult(outbox_sequence=1, next_wake_ms=10_001)
    assert await store.load(PARTITION, list(contacts)) == list(contacts.values())
    assert await store.members("hot") == 10_000
    result = await store.commit(
        owner.batch(wakes=dict.fromkeys(list(contacts)[1:]), exited={"hot": list(contacts)[1:]})
    )
    assert result.next_wake_ms == 20_000
    assert await store.members("hot") == 1


async def test_a_record_of_256_kib_comes_back_whole(owner: Owner, store: ContactStore) -> None:
    record = bytes(range(256)) * 1024
    await store.commit(owner.batch(contacts={"u1": record}, outbox=record))
    assert await store.load(PARTITION, ["u1", "u2"]) == [record, None]
    assert (await store.take(PARTITION)).outbox == [(1, record)]


async def test_what_a_caller_changes_afterwards_does_not_reach_the_store(
    owner: Owner, store: ContactStore
) -> None:
    contacts, entered = {"u1": b"one"}, {"hot": ["u1"]}
    await store.commit(owner.batch(contacts=contacts, entered=entered, meta=(meta := {"x": b"1"})))
    contacts.clear()
    entered["hot"].append("u2")
    meta.clear()
    state = await store.take(PARTITION)
    state.meta.clear()
    now = await seen(store, IDS, SEGMENTS)
    assert (now["scanned"], now["meta"]) == ({"u1": b"one"}, {"x": b"1"})
    assert now["members"] == {"hot": 1, "lapsed": 0}


async def test_partitions_know_nothing_of_each_other(store: ContactStore) -> None:
    first, second = await store.take(0), await store.take(1)
    owners = [Owner(store, first.fence), Owner(store, second.fence)]
    batches = [
        each.batch(contacts={"u1": b"%d" % at}, entered={"hot": ["u1"]}) for at, each in enumerate(owners)
    ]
    batches[0].partition, batches[1].partition = 0, 1
    await asyncio.gather(*(store.commit(each) for each in batches))
    assert await store.load(0, ["u1"]) == [b"0"]
    assert await store.load(1, ["u1"]) == [b"1"]
    assert await store.member_counts(["hot", "lapsed"]) == {"hot": 2, "lapsed": 0}
    assert await store.members("hot") == 2


async def test_a_commit_that_cannot_be_spelled_leaves_the_partition_usable(
    owner: Owner, store: ContactStore
) -> None:
    if "Redis" in type(store).__name__:
        with pytest.raises(UnicodeEncodeError):
            await store.commit(owner.batch(contacts={"\ud800": b"x"}, counts={"a": 1}))
    await store.commit(owner.batch(counts={"a": 1}))
    assert await store.counts(PARTITION) == {"a": 1}


# ---------------------------------------------------------------------------------------------------- the outbox


async def test_outbox_entries_stay_until_trimmed_and_their_numbers_go_on(
    owner: Owner, store: ContactStore
) -> None:
    for number in range(1, 6):
        result = await store.commit(owner.batch(outbox=b"%d" % number))
        assert result.outbox_sequence == number
    await store.commit(owner.batch(trim=3))
    owner.fence = (state := await store.take(PARTITION)).fence
    assert state.outbox == [(4, b"4"), (5, b"5")]
    result = await store.commit(owner.batch(trim=2, outbox=b"6"))
    assert result.outbox_sequence == 6
    owner.fence = (state := await store.take(PARTITION)).fence
    assert state.outbox == [(4, b"4"), (5, b"5"), (6, b"6")]


async def test_numbers_go_on_after_the_outbox_was_trimmed_empty(owner: Owner, store: ContactStore) -> None:
    await store.commit(owner.batch(outbox=b"1"))
    assert (await store.commit(owner.batch(trim=1))).outbox_sequence == 1
    owner.fence = (state := await store.take(PARTITION)).fence
    assert state.outbox == []
    assert (await store.commit(owner.batch(outbox=b""))).outbox_sequence == 2
    assert (await store.take(PARTITION)).outbox == [(2, b"")]


async def test_a_commit_never_trims_what_it_appends(owner: Owner, store: ContactStore) -> None:
    await store.commit(owner.batch(outbox=b"1"))
    await store.commit(owner.batch(outbox=b"2", trim=99))
    assert (await store.take(PARTITION)).outbox == [(2, b"2")]


# ---------------------------------------------------------------------------------------------------- wakes, scans


async def test_due_contacts_come_earliest_first_up_to_a_limit(owner: Owner, store: ContactStore) -> None:
    await store.commit(owner.batch(wakes={"c": 10, "b": 10, "a": 20, "d": 5, "e": 1_767_225_600_123}))
    assert await store.due(PARTITION, 10, 9) == [("d", 5)]
    assert await store.due(PARTITION, 10, 9, inclusive=True) == [("d", 5), ("b", 10), ("c", 10)]
    assert await store.due(PARTITION, 100, 2) == [("d", 5), ("b", 10)]
    assert await store.due(PARTITION, 1_767_225_600_123, 9) == [("d", 5), ("b", 10), ("c", 10), ("a", 20)]
    assert await store.due(PARTITION, 1_767_225_600_124, 9) == [
        ("d", 5), ("b", 10), ("c", 10), ("a", 20), ("e", 1_767_225_600_123),
    ]  # fmt: skip


async def test_a_commit_names_the_contacts_that_are_due_at_the_clock_of_their_partition(
    owner: Owner, store: ContactStore
) -> None:
    wakes = {"c": 10, "b": 10, "a": 20, "d": -5}
    assert (await store.commit(owner.batch(clock_ms=10, wakes=wakes, most_due=9))).due == ("d",)
    assert (await store.commit(owner.batch(clock_ms=11))).due == ()
    batch = owner.batch(clock_ms=9, most_due=2)
    for _ in range(2):  # also when it is tried again
        assert (await store.commit(batch)).due == ("d", "b")
    assert (await store.commit(owner.batch(clock_ms=21, wakes={"d": 30}, most_due=9))).due == ("b", "c", "a")
    assert (await store.commit(owner.batch(wakes=dict.fromkeys("abcd"), most_due=9))).due == ()


async def test_asking_what_is_due_changes_nothing_and_a_moved_wake_has_one_moment(
    owner: Owner, store: ContactStore
) -> None:
    await store.commit(owner.batch(wakes={"a": 10}))
    await store.commit(owner.batch(wakes={"a": 30}))
    result = await store.commit(owner.batch(wakes={"a": 10, "b": 20}))
    assert result.next_wake_ms == 10
    for _ in range(2):
        assert await store.due(PARTITION, 99, 9) == [("a", 10), ("b", 20)]
    assert (await store.commit(owner.batch(wakes={"a": None}))).next_wake_ms == 20
    assert (await store.commit(owner.batch(wakes={"b": -5}))).next_wake_ms == -5
    assert (await store.commit(owner.batch(wakes={"b": None}))).next_wake_ms is None


async def test_a_scan_finds_every_contact_also_while_others_come(owner: Owner, store: ContactStore) -> None:
    contacts = {f"u{number}": b"x" * 100 for number in range(3000)}
    await store.commit(owner.batch(contacts=contacts))
    found: dict[str, bytes] = {}
    cursor, page = await store.scan(PARTITION, 0, 100)
    rounds = 0
    while True:
        found.update(page)
        rounds += 1
        await store.commit(owner.batch(contacts={f"new{rounds}-{at}": b"y" for at in range(20)}))
        if cursor == 0:
            break
        cursor, page = await store.scan(PARTITION, cursor, 100)
    assert contacts.items() <= found.items()
    assert rounds > 3
