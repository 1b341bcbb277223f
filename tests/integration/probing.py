"""What a worker says of itself: `/ready` and `/metrics`, as an orchestrator and Prometheus ask for them."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from streams.local.ports import HOST, free_ports
from tests.integration.installation import Installation, WorkerProcess


@dataclass
class Probed:
    """A worker whose metrics port is asked."""

    installation: Installation
    settings: dict[str, str] = field(default_factory=dict)
    worker: WorkerProcess = field(init=False)

    def __post_init__(self) -> None:
        self._port = free_ports(1)[0]
        self.worker = self.installation.worker(metrics_port=str(self._port), **self.settings)
        self.worker.start()

    def _get(self, path: str) -> str:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self._port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def ready(self) -> dict[str, Any]:
        """The body of `/ready`."""
        found: dict[str, Any] = json.loads(self._get("/ready"))
        return found

    def standing(self) -> dict[int, tuple[str, str]]:
        """Reason and text for each partition that stands still, by `/ready`, which must agree with the metrics."""
        problems = [problem for problem in self.ready()["problems"] if "partition" in problem]
        return {problem["partition"]: (problem["reason"], problem["why"]) for problem in problems}

    def standstills(self) -> dict[int, str]:
        """The reason for each partition that stands still, by the metrics."""
        found: dict[int, str] = {}
        for family in text_string_to_metric_families(self._get("/metrics")):
            if family.name == "segments_partition_standstill":
                found |= {int(each.labels["partition"]): each.labels["reason"] for each in family.samples}
        return found

    def by_partition(self, metric: str) -> dict[int, float]:
        """The values of a metric that has no other label."""
        found: dict[int, float] = {}
        for family in text_string_to_metric_families(self._get("/metrics")):
            if family.name == metric:
                found |= {int(each.labels["partition"]): each.value for each in family.samples}
        return found

    def total(self, metric: str) -> float:
        """The value of a metric that has no label."""
        families = text_string_to_metric_families(self._get("/metrics"))
        return next(each.value for family in families for each in family.samples if each.name == metric)

    async def until(self, condition: Callable[[], object], what: str, timeout_s: float = 30) -> None:
        """Returns when the condition holds, which may fail to be answered meanwhile."""
        until = time.monotonic() + timeout_s
        while True:
            try:
                if await asyncio.to_thread(condition):
                    return
                found: object = await asyncio.to_thread(self.ready)
            except OSError as error:
                found = error
            assert time.monotonic() < until, f"{what}: {found}\n{self.worker.said()}"
            await asyncio.sleep(0.1)

    async def until_stands(self, reason: str, partitions: set[int] | None = None) -> str:
        """Returns when these partitions (None: one or more) stand still for a reason, by `/ready` and by the metrics;
        the text."""
        found: dict[int, tuple[str, str]] = {}

        def stands() -> bool:
            nonlocal found
            found = {number: said for number, said in self.standing().items() if said[0] == reason}
            numbers = {number for number, said in self.standstills().items() if said == reason}
            return bool(found) and found.keys() == numbers and partitions in (None, numbers)

        await self.until(stands, f"no standstill {reason} of {partitions}")
        return next(iter(found.values()))[1]

    async def until_ready(self) -> None:
        """Returns when nothing is wrong."""
        await self.until(lambda: self.ready()["ok"] and not self.standstills(), "not ready")
