"""All that is measured in one go, one after another: nothing else of the benchmark runs meanwhile."""

import time
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.history import History
from tests.benchmarks.latency import worker_latency
from tests.benchmarks.measuring import machine
from tests.benchmarks.peers import PEERS
from tests.benchmarks.peers.environments import LeftOut
from tests.benchmarks.peers.running import PeerFailed, peer_throughput, version_of
from tests.benchmarks.report import label_of
from tests.benchmarks.scaling import Load, as_throughput, scaled
from tests.benchmarks.site import Site
from tests.benchmarks.stored import start_with
from tests.benchmarks.throughput import middle, worker_throughput
from tests.benchmarks.workload import Workload

LATENCY_WORKLOADS = ("segbench", "bursts")
"""Of all that are measured; of others where there is one alone."""


@dataclass(frozen=True)
class Wanted:
    """What to measure."""

    workloads: tuple[str, ...]
    peers: tuple[str, ...] = ()
    events: int = 150_000
    slow_events: int = 10_000
    runs: int = 1
    rate: int = 0
    together: int = 0
    """So many workers share the load in runs of their own; 0: no such runs."""
    seconds: float = 23
    loads: tuple[int, ...] = ()
    idle_s: float = 0
    stored: int = 0


async def measure(site: Site, wanted: Wanted) -> dict[str, Any]:
    """All figures, as they are written to the JSON file."""
    found: dict[str, Any] = {
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "delivery": site.delivery,
        "workloads": {},
        "left_out": {},
        "failed": {},
    }
    measured = [_Measured(site, wanted, Workload(name)) for name in wanted.workloads]
    for each in measured:
        found["workloads"][each.workload.name] = each.found
    # In turn, so that what happens on the machine meanwhile happens to all of them.
    for number in range(wanted.runs):
        for each in measured:
            await each.worker(number)
            await each.workers(number, found["left_out"])
            await each.peers(number, found["left_out"], found["failed"])
    for each in measured:
        each.choose()
        await each.latency(alone=len(measured) == 1)
    if wanted.stored and measured:
        print(f"a start with {wanted.stored:,} contacts stored ...", flush=True)
        workload = measured[0].workload
        found["start"] = [await start_with(site, workload, contacts) for contacts in (0, wanted.stored)]
    found["versions"] = site.versions() | _versions_of_peers(wanted)
    return found


@dataclass
class _Measured:
    """One workload."""

    site: Site
    wanted: Wanted
    workload: Workload
    found: dict[str, Any] = field(init=False)
    _runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _histories: dict[int, History] = field(default_factory=dict)

    def __post_init__(self) -> None:
        file = self.workload.file
        segments = len(self.workload.segments.documents)
        self.found = {**file.model_dump(mode="json", exclude_none=True), "segments": segments}

    async def worker(self, number: int) -> None:
        """One run of the worker. A wrong result ends all."""
        print(f"{self.workload.name}: worker, run {number + 1} of {self.wanted.runs} ...", flush=True)
        run = await worker_throughput(self.site, self._history(self.wanted.events))
        self._runs.setdefault("worker", []).append(run)

    async def workers(self, number: int, left_out: dict[str, str]) -> None:
        """One run of several workers that share the partitions and the machine."""
        count, name = self.wanted.together, f"{self.wanted.together} workers"
        if not count or name in left_out or self.workload.warm or self.site.delivery != "at_least_once":
            return
        print(f"{self.workload.name}: {name}, run {number + 1} of {self.wanted.runs} ...", flush=True)
        history = self._history(self.wanted.events)
        load = Load(self.workload, history.sent, history.expected)
        try:
            run = await scaled(self.site, load, count, may_pin=False)
        except (TimeoutError, ValueError) as why:
            left_out[name] = f"{self.workload.name}: {str(why) or 'its events could not be sent in time'}"
            print(f"{label_of(name)} are left out: {left_out[name]}", flush=True)
        else:
            self._runs.setdefault(name, []).append(as_throughput(run))

    async def peers(self, number: int, left_out: dict[str, str], failed: dict[str, str]) -> None:
        """One run of each peer. One that fails is noted, and not run again."""
        if self.workload.warm:
            # A peer has no moment from which on only some of the events count.
            return
        for name in self.wanted.peers:
            if name in left_out or name in failed:
                continue
            peer, wanted = PEERS[name], self.wanted
            print(f"{self.workload.name}: {peer.label}, run {number + 1} of {wanted.runs} ...", flush=True)
            history = self._history(wanted.slow_events if peer.is_slow else wanted.events)
            try:
                self._runs.setdefault(name, []).append(await peer_throughput(self.site, history, name))
            except LeftOut as why:
                left_out[name] = str(why)
            except PeerFailed as why:
                failed[name] = f"{self.workload.name}: {why}"
                # A run before was right; but it is not to be believed that it was no accident.
                del self._runs[name]
            else:
                continue
            print(f"{peer.label} is left out: {left_out.get(name) or failed[name]}", flush=True)

    def _history(self, count: int) -> History:
        """The same for every run; one of a million contacts is made anew each time, as it takes gigabytes."""
        if self.workload.warm:
            return History(self.workload, count)
        if count not in self._histories:
            self._histories[count] = History(self.workload, count)
        return self._histories[count]

    def choose(self) -> None:
        """Notes the run of each that counts, and all of them."""
        self._histories.clear()
        if self._runs:
            self.found["runs"] = {name: runs for name, runs in self._runs.items() if runs}
            self.found["throughput"] = {name: middle(runs) for name, runs in self.found["runs"].items()}

    async def latency(self, *, alone: bool) -> None:
        """At the fixed rate, and at parts of the maximum that was measured."""
        wanted, name = self.wanted, self.workload.name
        if not wanted.rate or not (alone or name in LATENCY_WORKLOADS):
            return
        print(f"{name}: latency at {wanted.rate:,} events/s ...", flush=True)
        found = [await worker_latency(self.site, self.workload, wanted.rate, wanted.seconds, wanted.idle_s)]
        if "throughput" in self.found and self.workload.file.burst is None:
            most = self.found["throughput"]["worker"]["events_per_s"]
            for percent in wanted.loads:
                rate = int(most * percent / 100)
                print(f"{name}: latency at {percent} % of the maximum, {rate:,} events/s ...", flush=True)
                run = await worker_latency(self.site, self.workload, rate, wanted.seconds)
                found.append({"percent": percent, **run})
        self.found["latency"] = found


def _versions_of_peers(wanted: Wanted) -> dict[str, str]:
    found: dict[str, str] = {}
    for peer in wanted.peers:
        found |= version_of(PEERS[peer])
    return found
