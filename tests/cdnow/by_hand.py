"""What becomes of the five segments, worked out customer by customer in plain arithmetic on days."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.cdnow.purchases import DAY_MS, Purchase
from tests.reference import Expected

FREQUENT_DAYS = 180
LAPSED_DAYS = 90


def transitions(bought: Iterable[Purchase], last_day: int) -> dict[str, list[Expected]]:
    """All transitions of each customer up to and including the last day, from purchases in order of time."""
    customers: dict[str, _Customer] = {}
    for purchase in bought:
        customer = customers.setdefault(purchase.customer, _Customer(purchase.customer))
        customer.wait_until(purchase.day - 1)
        customer.buy(purchase)
    for customer in customers.values():
        customer.wait_until(last_day)
    return {name: customer.moves for name, customer in customers.items() if customer.moves}


@dataclass
class _Customer:
    name: str
    days: list[int] = field(default_factory=list)
    dollars: float = 0.0
    entered: dict[str, int] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    moves: list[Expected] = field(default_factory=list)

    def buy(self, purchase: Purchase) -> None:
        self.days.append(purchase.day)
        self.dollars = purchase.dollars
        self._settle(purchase.day, purchase.message_id)

    def wait_until(self, day: int) -> None:
        """Nothing is bought up to and including the day; two things can then happen by themselves."""
        if self.days:
            ends = {self.days[-1] + LAPSED_DAYS}
            if len(self.days) >= 3:
                ends.add(self.days[-3] + FREQUENT_DAYS)
            for end in sorted(ends):
                if self.days[-1] < end <= day:
                    self._settle(end, None)

    def _belongs(self, today: int) -> dict[str, bool]:
        times = len(self.days)
        return {
            "big-spender": self.dollars >= 100,
            "first-time-buyer": times == 1,
            "frequent-buyer": times >= 3 and today < self.days[-3] + FREQUENT_DAYS,
            "lapsed": today >= self.days[-1] + LAPSED_DAYS,
            "repeat-buyer": times >= 2,
        }

    def _settle(self, today: int, cause: str | None) -> None:
        for segment, belongs in self._belongs(today).items():
            if belongs == (segment in self.entered):
                continue
            since = self.entered.pop(segment, None)
            if belongs:
                self.entered[segment] = today
            self.count[segment] += 1
            self.moves.append(
                Expected(
                    contact=self.name,
                    segment=segment,
                    entered=belongs,
                    at_ms=today * DAY_MS,
                    sequence=self.count[segment],
                    reason="time" if cause is None else "event",
                    cause=cause,
                    member_for_ms=None if since is None else (today - since) * DAY_MS,
                )
            )
