"""Simulated shoppers: they come, look at products, fill carts, buy or do not, click in mails, and go quiet."""

import heapq
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

# fmt: off
_NAMES = (
    "ada", "ben", "chloe", "dan", "emma", "finn", "grace", "hugo", "iris",
    "jack", "kira", "liam", "mia", "noah", "olga", "paul", "quinn", "rosa",
    "sam", "tara", "uma", "vera", "will", "xena", "yara", "zoe",
)
# fmt: on
_CATEGORIES = ("skincare", "haircare", "fragrance", "make-up")

Pause = float
"""Seconds until the next thing that a shopper does."""
Visit = Iterator[tuple[Pause, dict[str, Any]]]


class Shoppers:
    """A number of shoppers, each at something of its own. No I/O: ``until`` says what they do; time is the caller's."""

    def __init__(self, count: int, start_ms: int, seed: int | None = None) -> None:
        """Their first events come within a second of ``start_ms``, milliseconds UTC."""
        self._random = random.Random(seed)  # noqa: S311 - shoppers need no secrets
        self._numbers = itertools.count(1)
        lives = [self._life(_who(number)) for number in range(count)]
        self._next = [
            (start_ms + round(self._random.uniform(0, 1000)), number, event, life)
            for number, life in enumerate(lives)
            for _, event in itertools.islice(life, 1)
        ]
        heapq.heapify(self._next)

    def until(self, now_ms: int) -> list[dict[str, Any]]:
        """The events that have happened since the last call, up to ``now_ms``, in order."""
        events = []
        while self._next and self._next[0][0] <= now_ms:
            at_ms, number, event, life = self._next[0]
            events.append({"messageId": f"demo-{next(self._numbers)}", "timestamp": at_ms, **event})
            pause_s, following = next(life)
            heapq.heapreplace(self._next, (at_ms + round(pause_s * 1000), number, following, life))
        return events

    def _life(self, who: dict[str, str]) -> Visit:
        chance = self._random
        traits = {
            "device_type": chance.choice(["mobile", "desktop"]),
            "city": chance.choice(["Bern", "Lyon", "Oslo"]),
        }
        yield 0, {"type": "identify", **who, "traits": traits}
        while True:
            category = chance.choice(_CATEGORIES)

            def did(event: str, category: str = category, **more: Any) -> dict[str, Any]:
                return {"type": "track", **who, "event": event, "properties": {"category": category, **more}}

            yield from self._visit(did)
            # A pause at the end, so that windows run out.
            yield chance.uniform(6, 22), {"type": "page", **who, "name": "Home"}

    def _visit(self, did: Callable[..., dict[str, Any]]) -> Visit:
        chance = self._random
        for _ in range(chance.randint(1, 5)):
            yield chance.uniform(0.4, 1.6), did("Product Viewed", price=chance.randint(5, 90))
        if chance.random() < 0.3:
            return
        yield chance.uniform(0.5, 2), did("Product Added", price=chance.randint(5, 90))
        if chance.random() < 0.25:
            return
        yield chance.uniform(0.5, 2), did("Checkout Started")
        if chance.random() < 0.4:
            return
        yield chance.uniform(1, 3), did("Order Completed", total=chance.randint(20, 260))
        for _ in range(chance.randint(0, 3)):
            yield chance.uniform(0.8, 2.5), did("Email Clicked")


def _who(number: int) -> dict[str, str]:
    """Most are known by name, every seventh only by an anonymous id."""
    if number % 7 == 6:
        return {"anonymousId": f"visitor-{number // 7 + 1}"}
    name = _NAMES[number % len(_NAMES)]
    return {"userId": name if number < len(_NAMES) else f"{name}-{number // len(_NAMES) + 1}"}
