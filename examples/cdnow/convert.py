"""Turns the CDNOW purchase history into events: JSON lines, in the order of time.

    python examples/cdnow/convert.py CDNOW_master.txt > purchases.jsonl

The file has a line for each purchase: customer, date, number of CDs, dollars. Dates have no time of day, so a purchase
happens at midnight UTC. The shop's file is ordered by customer; events are sent as they happened, so these are by date,
and those of one day in the file's order.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path


def purchases(lines: Iterable[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """The date and the event of each purchase. The first line has the names of the columns."""
    for number, line in enumerate(lines):
        if number == 0 or not line.strip():
            continue
        customer, date, cds, dollars = line.split()
        day = f"{date[:4]}-{date[4:6]}-{date[6:]}"
        yield (
            day,
            {
                # Some customers bought the same twice in a day: only the line tells one purchase from the other.
                "messageId": f"cdnow-{number}",
                "type": "track",
                "userId": customer,
                "event": "Order Completed",
                "timestamp": day,
                "properties": {"total": float(dollars), "currency": "USD", "quantity": int(cds)},
            },
        )


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: convert.py CDNOW_master.txt > purchases.jsonl")
    with Path(sys.argv[1]).open(encoding="ascii") as file:
        found = sorted(purchases(file), key=lambda dated: dated[0])
    for _, event in found:
        sys.stdout.write(json.dumps(event) + "\n")


if __name__ == "__main__":
    main()
