"""The CDNOW purchase history: 69,659 purchases of 23,570 customers, January 1997 to June 1998, as events."""

import datetime as dt
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(sys.prefix) / "test-data" / "lifetimes" / "datasets" / "CDNOW_master.txt"
SEGMENTS = Path(__file__).parent / "segments.yaml"
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Purchase:
    customer: str
    day: int
    """Days since 1970."""
    items: int
    dollars: float
    number: int
    """The line of the data file, from 1."""

    @property
    def message_id(self) -> str:
        return f"cdnow-{self.number}"

    @property
    def date(self) -> str:
        return (dt.date(1970, 1, 1) + dt.timedelta(days=self.day)).isoformat()

    def as_event(self) -> dict[str, Any]:
        """The purchase in the Segment Spec, received when it was made."""
        return {
            "type": "track",
            "event": "Order Completed",
            "userId": self.customer,
            "messageId": self.message_id,
            "timestamp": self.date,
            "receivedAt": self.date,
            "properties": {"total": self.dollars, "items": self.items},
        }


def purchases() -> list[Purchase]:
    """All purchases in order of time; those of one day in the order of the file."""
    assert DATA.is_file(), f"{DATA} is missing: run make setup"
    with DATA.open(encoding="ascii") as lines:
        next(lines)
        found = [_purchase(number, *line.split()) for number, line in enumerate(lines, 1)]
    return sorted(found, key=lambda purchase: purchase.day)


def _purchase(number: int, customer: str, date: str, items: str, dollars: str) -> Purchase:
    day = (dt.datetime.strptime(date, "%Y%m%d").date() - dt.date(1970, 1, 1)).days  # noqa: DTZ007
    return Purchase(customer, day, int(items), float(dollars), number)


def event_lines(bought: list[Purchase]) -> Iterator[bytes]:
    """JSON lines, as `segments replay` and `segments send` read them."""
    for purchase in bought:
        yield json.dumps(purchase.as_event()).encode() + b"\n"
