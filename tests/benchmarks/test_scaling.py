"""The measurement of several workers, on little; and its arithmetic."""

from pathlib import Path

import pytest

from tests.benchmarks.pinning import shares
from tests.benchmarks.scaling import Load, grown, scaled
from tests.benchmarks.site import Site
from tests.benchmarks.workload import Workload


async def test_workers_that_share_a_load_do_what_replay_says_of_it(
    kafka: str, redis_url: str, tmp_path: Path
) -> None:
    load = Load.of(Workload("segbench"), 3000)
    found = await scaled(Site(kafka, redis_url, tmp_path, {}), load, 2)
    assert len(found["of_each_worker"]) == 2
    assert all(spent > 0 for spent in found["of_each_worker"])
    assert found["cpu_us_per_event"]["workers"] == pytest.approx(sum(found["of_each_worker"]))
    assert found["events_per_s"] > 0


async def test_partitions_that_cannot_be_shared_evenly_are_refused(
    kafka: str, redis_url: str, tmp_path: Path
) -> None:
    load = Load.of(Workload("segbench"), 10)
    with pytest.raises(ValueError, match="4 partitions cannot be shared evenly by 3 workers"):
        await scaled(Site(kafka, redis_url, tmp_path, {}), load, 3)


def test_workers_do_what_fits_into_their_cores_until_redis_is_at_its_one() -> None:
    costs = {
        1: {"workers": 25.0, "redis": 5.0},
        2: {"workers": 26.0, "redis": 5.0},
        8: {"workers": 30.0, "redis": 6.25},
    }
    found = grown(costs)
    assert {workers: each["events_per_s"] for workers, each in found.items()} == pytest.approx(
        {1: 40_000, 2: 76_923.08, 8: 160_000}
    )
    assert {workers: each["times"] for workers, each in found.items()} == pytest.approx(
        {1: 1, 2: 1.923077, 8: 4}
    )
    assert found[8]["by_workers"] == pytest.approx(266_666.67)


def test_each_worker_has_a_core_where_two_are_left_for_the_servers() -> None:
    assert shares(2, [0, 1, 2, 3]) == ([{0}, {1}], {2, 3})
    assert shares(1, [4, 7, 5]) == ([{4}], {5, 7})
    assert shares(2, [0, 1]) is None
    assert shares(1, [0, 1]) is None
