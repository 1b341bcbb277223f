"""The benchmark kit itself, on little."""

from pathlib import Path

import pytest

from tests.benchmarks.site import Site, WrongResult, check, fill
from tests.benchmarks.throughput import one_by_one_throughput, worker_throughput
from tests.benchmarks.workload import Workload


async def test_the_worker_and_its_peer_are_measured_doing_what_replay_says(
    kafka: str, redis_url: str, tmp_path: Path
) -> None:
    site, workload = Site(kafka, redis_url, tmp_path, {}), Workload("segbench")
    worker = await worker_throughput(site, workload, 3000)
    peer = await one_by_one_throughput(site, workload, 500)
    assert worker["events_per_s"] > 0
    assert peer["events_per_s"] > 0
    assert worker["cpu_us_per_event"]["worker"] > 0


async def test_a_wrong_result_is_no_measurement(kafka: str, redis_url: str, tmp_path: Path) -> None:
    site, workload = Site(kafka, redis_url, tmp_path, {}), Workload("segbench")
    installation = site.installation(workload, "events")
    sent = list(workload.history(100))
    await fill(installation, sent)
    with pytest.raises(WrongResult, match="0 transitions came, 1 were expected"):
        await check(installation, {sent[0].key: [b"never published"]})
