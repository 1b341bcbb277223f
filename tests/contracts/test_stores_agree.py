"""Whatever is committed, in whatever order: both stores show the same."""

import asyncio
import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.store import Commit, ContactStore, PartitionMoved
from tests.contracts.stores import PARTITION, memory_stores, redis_stores, seen

IDS = ["u1", "u2", "a\nb", "{0}", "ключ", ""]
SEGMENTS = ["hot", "lapsed", "new-2"]

_ids = st.sampled_from(IDS)
_moments = st.integers(-(2**53) + 1, 2**53 - 1)
_groups = st.dictionaries(st.sampled_from(SEGMENTS), st.lists(_ids, max_size=4), max_size=3)
_changes = st.fixed_dictionaries(
    {
        "clock_ms": _moments,
        "offsets": st.dictionaries(
            st.sampled_from(["events", "other"]), st.tuples(st.sampled_from([0, 0, 7]), st.integers(0, 2**50))
        ),
        "contacts": st.dictionaries(_ids, st.binary(max_size=300)),
        "wakes": st.dictionaries(_ids, st.none() | _moments),
        "entered": _groups,
        "exited": _groups,
        "counts": st.dictionaries(st.sampled_from(["entered:hot:event", "b"]), st.integers(-(10**6), 10**6)),
        "outbox": st.none() | st.binary(max_size=50),
        "trim": st.integers(0, 6),
        "meta": st.dictionaries(st.sampled_from(["x", "é"]), st.binary(max_size=9)),
    }
)
_commit = st.tuples(st.just("commit"), _changes)
_other = st.sampled_from(["again", "take", "take elsewhere", "register one", "register two"])
_steps = st.lists(_commit | _commit | st.tuples(_other, st.none()), max_size=12)
_prefixes = (f"agree-{number}" for number in itertools.count())


class _Run:
    """Carries steps out on two workers of one kind of store. What it gives tells one run from another."""

    def __init__(self, workers: list[ContactStore]) -> None:
        self.workers = workers
        self.fence = 0
        self.offsets: dict[str, int] = {}
        self.last: Commit | None = None

    async def step(self, kind: str, changes: dict[str, Any] | None) -> object:
        mine, other = self.workers
        match kind:
            case "take":
                self.fence = (await mine.take(PARTITION)).fence
            case "take elsewhere":
                await other.take(PARTITION)
            case "register one":
                return await other.register({"hot": b"1", "new-2": b"2"})
            case "register two":
                return await mine.register({"hot": b"1", "lapsed": b"\x00"})
            case "again" if self.last is not None:
                return await self._committed(self.last)
            case "commit" if changes is not None:
                wrong_by = {topic: wrong for topic, (wrong, _) in changes["offsets"].items()}
                offsets = {
                    topic: (self.offsets.get(topic, 0) + wrong_by[topic], following)
                    for topic, (_, following) in changes["offsets"].items()
                }
                self.last = Commit(partition=PARTITION, fence=self.fence, **(changes | {"offsets": offsets}))
                return await self._committed(self.last)
        return None

    async def _committed(self, commit: Commit) -> object:
        try:
            result = await self.workers[0].commit(commit)
        except PartitionMoved as error:
            return type(error)
        self.offsets |= {topic: following for topic, (_, following) in commit.offsets.items()}
        return result


async def _carry_out(workers: list[ContactStore], steps: list[tuple[str, Any]]) -> list[object]:
    run = _Run(workers)
    try:
        await workers[0].open(PARTITION + 1)
        outcomes = [await run.step(*step) for step in [("take", None), *steps]]
        return [*outcomes, await seen(workers[1], IDS, SEGMENTS)]
    finally:
        for each in workers:
            await each.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_steps)
def test_any_commits_give_the_same_visible_state_in_both_stores(
    redis_url: str, steps: list[tuple[str, Any]]
) -> None:
    in_memory, in_redis = memory_stores(), redis_stores(redis_url, next(_prefixes))
    expected = asyncio.run(_carry_out([in_memory(), in_memory()], steps))
    assert asyncio.run(_carry_out([in_redis(), in_redis()], steps)) == expected
