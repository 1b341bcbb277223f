"""Which metrics a query reads, and which there are."""

import re

from streams.metrics import PREFIX, Metrics

_METRIC = re.compile(rf"\b{PREFIX}[a-z0-9_]+")


def metrics_in(query: str) -> set[str]:
    return set(_METRIC.findall(query))


def existing() -> dict[str, tuple[str, ...]]:
    """Every time series name of a worker, with its labels."""
    metrics = Metrics()
    metrics.add_process_metrics()
    names: dict[str, tuple[str, ...]] = {}
    for declared in metrics.declared:
        if declared.kind == "histogram":
            names |= {f"{declared.name}_{part}": declared.labels for part in ("bucket", "sum", "count")}
        else:
            names[declared.name] = declared.labels
    for family in metrics.registry.collect():
        names |= {sample.name: tuple(sample.labels) for sample in family.samples if sample.name not in names}
    return names


def label_values_compared(query: str) -> set[tuple[str, str]]:
    """Label and value of every `label="value"`."""
    return set(re.findall(r'(\w+)="([^"$]+)"', query))
