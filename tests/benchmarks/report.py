"""The figures as text."""

from collections.abc import Iterator
from typing import Any

from tests.benchmarks.peers import PEERS

WORKER = "livesegments worker"
_COLUMNS = (
    "",
    "events/s",
    "CPU us/event",
    "Kafka us/event",
    "Redis us/event",
    "cores",
    "runs, CPU us/event",
)


def label_of(name: str) -> str:
    """Of the worker, several of them, or a peer."""
    if name == "worker":
        return WORKER
    return PEERS[name].label if name in PEERS else f"livesegments, {name}"


def table(found: dict[str, Any]) -> str:
    """What a person wants to see of a result."""
    lines = list(_about(found))
    for name, workload in found["workloads"].items():
        lines += ["", *_of_workload(name, workload)]
    if len(found["workloads"]) > 1:
        lines += ["", *_between(found["workloads"])]
    if "start" in found:
        lines += ["", *map(_start, found["start"])]
    lines += [f"{label_of(peer)} was left out: {why}" for peer, why in found["left_out"].items()]
    lines += [f"{PEERS[peer].label} FAILED: {why}" for peer, why in found["failed"].items()]
    return "\n".join(lines)


def _about(found: dict[str, Any]) -> Iterator[str]:
    machine = found["machine"]
    yield ""
    yield f"{machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}; load before: {machine['load_before']:.1f}"
    yield f"{machine['cores']} cores, shared with Kafka, Redis and the benchmark; delivery: {found['delivery']}"
    yield ", ".join(f"{name} {version}" for name, version in found["versions"].items())


def _of_workload(name: str, workload: dict[str, Any]) -> Iterator[str]:
    yield f"{name}: {workload['about']}; every result equals what the rules say"
    if "throughput" in workload:
        runs = workload["runs"]
        rows = [_throughput(who, run, runs[who]) for who, run in workload["throughput"].items()]
        yield from _aligned([_COLUMNS, *rows])
        yield from _of_worker(workload["throughput"]["worker"])
        yield from _factors(workload["throughput"])
    for latency in workload.get("latency", ()):
        yield from _latency(latency)


def _throughput(who: str, run: dict[str, Any], runs: list[dict[str, Any]]) -> tuple[str, ...]:
    used = run["cpu_us_per_event"]
    return (
        label_of(who),
        f"{run['events_per_s']:,.0f}",
        *(f"{used.get(name, 0):.1f}" for name in ("worker", "kafka", "redis")),
        f"{run['cores']:.2f}",
        " ".join(f"{each['cpu_us_per_event']['worker']:.1f}" for each in runs),
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]  # fmt: skip


def _of_worker(run: dict[str, Any]) -> Iterator[str]:
    memory = run["memory"]
    yield (
        f"{run['transitions_per_event']:.2f} transitions an event; {run['evaluations_per_event']:.1f} segments judged "
        f"for an event, {run['evaluations_per_s']:,.0f} a second"
    )
    yield (
        f"a contact takes {memory['redis_record_bytes']:.0f} bytes of Redis as a record, {memory['redis_bytes']:.0f} with "
        f"wakes and memberships, and {memory['worker_bytes']:,.0f} of the worker ({memory['contacts']:,} contacts)"
    )


def _factors(throughput: dict[str, Any]) -> Iterator[str]:
    worker = throughput["worker"]
    together = [(name, run) for name, run in throughput.items() if name != "worker" and name not in PEERS]
    for name, peer in throughput.items():
        if name in PEERS:
            speed = worker["events_per_s"] / peer["events_per_s"]
            thrift = peer["cpu_us_per_event"]["worker"] / worker["cpu_us_per_event"]["worker"]
            of_all = "".join(
                f" ({who}: {run['events_per_s'] / peer['events_per_s']:.2f})" for who, run in together
            )
            yield (
                f"against {label_of(name)}: {speed:.2f} times the events/s{of_all}, "
                f"{thrift:.2f} times less CPU time an event"
            )


def _between(workloads: dict[str, Any]) -> Iterator[str]:
    """The worker's cost on each workload against those that it is to be compared with."""
    costs = {
        name: workload["throughput"]["worker"]["cpu_us_per_event"]["worker"]
        for name, workload in workloads.items()
        if "throughput" in workload
    }
    pairs = [(name, "segbench") for name in costs] + [("million-uncached", "million-cached")]
    for name, other in pairs:
        if name != other and name in costs and other in costs:
            yield f"{name} costs the worker {costs[name] / costs[other]:.2f} times the CPU time of {other}"


def _latency(latency: dict[str, Any]) -> Iterator[str]:
    used = ", ".join(f"{name} {spent:.0f}" for name, spent in latency["cpu_us_per_event"].items())
    what = f", {latency['percent']} % of the maximum" if "percent" in latency else ""
    yield f"at {latency['events_per_s']:,.0f} events/s{what}, from event to transition at a consumer:"
    yield f"  {_milliseconds(latency['ms'])} ({latency['transitions']:,} transitions, {latency['transitions_per_event']:.2f} an event)"
    if "kafka_alone_ms" in latency:
        yield f"  the events at a consumer, with no worker between: {_milliseconds(latency['kafka_alone_ms'])}"
    yield f"  the worker takes {latency['cores']:.2f} cores; CPU us/event: {used}"
    if "idle_cores" in latency:
        idle = ", ".join(f"{name} {100 * cores:.1f} %" for name, cores in latency["idle_cores"].items())
        yield f"at rest, of a core: {idle}"


def _milliseconds(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f} ms" for name, value in found.items())


def _start(start: dict[str, Any]) -> str:
    return (
        f"with {start['contacts']:,} contacts stored, a worker takes events {start['start_s']:.1f} s after its start, which "
        f"costs {start['start_cpu_s']:.1f} s of CPU; then it has {start['start_resident_mib']:.0f} MiB"
    )
