"""How much is kept of what could go on for ever, and how often that was not enough to stay exact."""

from dataclasses import dataclass

EXACT = 1000
"""So many matching events of a rolling window are exact, whatever is measured (contract, section 4.2)."""


@dataclass
class Limit:
    """Counts the events past which a feature was no longer exact."""

    passed: int = 0


def cell_ms(within_ms: int) -> int:
    """A hundredth of a window, by which its edge may be off past ``EXACT`` events; milliseconds."""
    return max(within_ms // 100, 1)
