"""The CDNOW purchase history: 69,659 purchases of 23,570 customers, January 1997 to June 1998."""

import datetime as dt
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

DATA = Path(sys.prefix) / "test-data" / "lifetimes" / "datasets" / "CDNOW_master.txt"
EXAMPLE = Path(__file__).parents[2] / "examples" / "cdnow"
SEGMENTS = EXAMPLE / "segments"
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Purchase:
    customer: str
    day: int
    """Days since 1970."""
    dollars: float
    number: int
    """The line of the data file, from 1."""

    @property
    def message_id(self) -> str:
        return f"cdnow-{self.number}"


def purchases() -> list[Purchase]:
    """All purchases in order of time; those of one day in the order of the file."""
    assert DATA.is_file(), f"{DATA} is missing: run make setup"
    with DATA.open(encoding="ascii") as lines:
        next(lines)
        found = [_purchase(number, *line.split()) for number, line in enumerate(lines, 1)]
    return sorted(found, key=lambda purchase: purchase.day)


def _purchase(number: int, customer: str, date: str, _items: str, dollars: str) -> Purchase:
    day = (dt.date(int(date[:4]), int(date[4:6]), int(date[6:])) - dt.date(1970, 1, 1)).days
    return Purchase(customer, day, float(dollars), number)


def event_lines() -> list[bytes]:
    """The purchases as events, as the tutorial has its readers convert them."""
    converted = subprocess.run(
        [sys.executable, EXAMPLE / "convert.py", DATA], check=True, capture_output=True, timeout=60
    )
    return converted.stdout.splitlines()
