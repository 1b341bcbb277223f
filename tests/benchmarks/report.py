"""The figures as text."""

from typing import Any

_COLUMNS = (
    "",
    "events/s",
    "worker us/event",
    "Kafka us/event",
    "Redis us/event",
    "transitions/event",
    "cores",
)


def table(found: dict[str, Any]) -> str:
    """What a person wants to see of a result."""
    lines = [*_about(found), ""]
    rows = [
        _throughput(label, found[name])
        for name, label in (("worker", "livesegments worker"), ("one_by_one", "Faust, one event at a time"))
        if name in found
    ]
    if rows:
        lines += [*_aligned([_COLUMNS, *rows]), *_factor(found), *_spread(found), ""]
    if "latency" in found:
        lines += _latency(found["latency"])
    return "\n".join(lines)


def _about(found: dict[str, Any]) -> list[str]:
    machine, versions, workload = found["machine"], found["versions"], found["workload"]
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    what = f"{workload['segments']} segments, {workload['contacts']} contacts, {workload['partitions']} partitions"
    where = f"{machine['cpu']}, {machine['memory_gib']} GiB, {machine['system']}"
    shared = f"{machine['cores']} cores, shared with Kafka, Redis and the benchmark"
    return [
        "",
        f"{workload['name']}: {what}; every result equals replay's",
        f"{where}; {shared}; load before: {machine['load_before']:.1f}",
        said,
    ]


def _throughput(label: str, run: dict[str, Any]) -> tuple[str, ...]:
    used = run["cpu_us_per_event"]
    return (
        label,
        f"{run['events_per_s']:,.0f}",
        f"{used['worker']:.1f}",
        f"{used['kafka']:.1f}",
        f"{used['redis']:.1f}",
        f"{run['transitions_per_event']:.2f}",
        f"{run['cores']:.2f}",
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]  # fmt: skip


def _factor(found: dict[str, Any]) -> list[str]:
    if "worker" not in found or "one_by_one" not in found:
        return []
    worker, peer = found["worker"], found["one_by_one"]
    speed = worker["events_per_s"] / peer["events_per_s"]
    thrift = peer["cpu_us_per_event"]["worker"] / worker["cpu_us_per_event"]["worker"]
    return [f"{speed:.1f} times the events per second, {thrift:.1f} times less CPU time per event"]


def _spread(found: dict[str, Any]) -> list[str]:
    runs = found.get("runs", ())
    if len(runs) < 2:
        return []
    rates = ", ".join(f"{run['events_per_s']:,.0f}" for run in runs)
    costs = ", ".join(f"{run['cpu_us_per_event']['worker']:.1f}" for run in runs)
    return [f"the worker's runs: {rates} events/s; {costs} us/event"]


def _latency(latency: dict[str, Any]) -> list[str]:
    rate, count, used = latency["events_per_s"], latency["transitions"], latency["cpu_us_per_event"]
    costs = ", ".join(f"{name} {spent:.0f}" for name, spent in used.items())
    idle = ", ".join(f"{name} {100 * cores:.1f} %" for name, cores in latency["idle_cores"].items())
    return [
        f"at {rate:,.0f} events/s, from event to transition at a consumer ({count} transitions):",
        f"  {_milliseconds(latency['ms'])}",
        f"  the events themselves at a consumer, with no worker between: {_milliseconds(latency['kafka_alone_ms'])}",
        f"  the worker takes {latency['cores']:.2f} cores; CPU us/event: {costs}",
        f"at rest, of a core: {idle}",
    ]


def _milliseconds(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f} ms" for name, value in found.items())
