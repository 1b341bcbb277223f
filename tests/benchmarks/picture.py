"""The figures as a picture (SVG): bars of what was measured side by side, and of latencies."""

from collections.abc import Sequence
from html import escape
from typing import Any

from tests.benchmarks.peers import PEERS
from tests.benchmarks.report import label_of

WIDTH, LEFT, RIGHT = 820, 210, 160
BAR, GAP, HEAD = 16, 6, 44
OURS, THEIRS, DARK, PALE = "#1f6f8b", "#b8c4cc", "#14495c", "#8fbccb"

Row = tuple[str, list[tuple[float, str]]]
"""A label, and for each bar its value and colour, drawn one over the other from the longest."""


def picture(found: dict[str, Any]) -> str:
    """An SVG document."""
    parts: list[str] = []
    at = 34
    for title, rows, unit in _charts(found):
        at = _chart(parts, at, title, rows, unit)
    machine = found["machine"]
    about = f"{machine['cores']} cores of {machine['cpu']}, shared with Kafka and Redis; commit {found['versions']['commit']}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{at + 10}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="#ffffff"/><text x="12" y="20" fill="#555">{escape(about)}</text>'
        f"{''.join(parts)}</svg>\n"
    )


def _charts(found: dict[str, Any]) -> list[tuple[str, list[Row], str]]:
    charts: list[tuple[str, list[Row], str]] = []
    for name, workload in found["workloads"].items():
        runs = workload.get("throughput", {})
        if len(runs) > 1:
            rates = [_row(who, run["events_per_s"]) for who, run in runs.items()]
            costs = [_row(who, run["cpu_us_per_event"]["worker"]) for who, run in runs.items()]
            charts += [
                (f"{name}: events/s", rates, ""),
                (f"{name}: CPU of the process an event", costs, " us"),
            ]
        latencies = [_latency(latency) for latency in workload.get("latency", ())]
        if latencies:
            charts.append((f"{name}: from event to transition, p50, p99 and p99.9", latencies, " ms"))
    costs = [
        (name, [(workload["throughput"]["worker"]["cpu_us_per_event"]["worker"], OURS)])
        for name, workload in found["workloads"].items()
        if "throughput" in workload
    ]
    if len(costs) > 1:
        charts.append(("CPU of the worker an event, by workload", costs, " us"))
    return charts


def _row(who: str, value: float) -> Row:
    return label_of(who), [(value, THEIRS if who in PEERS else OURS)]


def _latency(latency: dict[str, Any]) -> Row:
    found = latency["ms"]
    return f"{latency['events_per_s']:,.0f} events/s", [
        (found["p50"], DARK),
        (found["p99"], OURS),
        (found["p99.9"], PALE),
    ]


def _chart(parts: list[str], at: int, title: str, rows: Sequence[Row], unit: str) -> int:
    """Draws below ``at``, and returns where it ends."""
    parts.append(f'<text x="12" y="{at + 24}" font-weight="bold">{escape(title)}</text>')
    scale = (WIDTH - LEFT - RIGHT) / max(value for _, bars in rows for value, _ in bars)
    y = at + HEAD - BAR // 2
    for label, bars in rows:
        parts.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(label)}</text>')
        for value, colour in sorted(bars, reverse=True):
            width = max(value * scale, 1)
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
        said = " / ".join(_shown(value) for value, _ in bars)
        end = LEFT + max(value for value, _ in bars) * scale + 6
        parts.append(f'<text x="{end:.1f}" y="{y + 12}" fill="#222">{said}{unit}</text>')
        y += BAR + GAP
    return y


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
