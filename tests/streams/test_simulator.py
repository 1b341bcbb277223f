from collections import Counter

from streams.simulator import Shoppers
from streams.wire import decode_line

START_MS = 1_767_225_600_000


def minute(seed: int = 1) -> list[dict[str, object]]:
    return Shoppers(24, START_MS, seed).until(START_MS + 60_000)


def test_shoppers_send_events_that_can_be_taken() -> None:
    import json

    taken = [decode_line(json.dumps(event).encode()) for event in minute()]
    assert {type(event).__name__ for event in taken} == {"Event"}


def test_every_shopper_does_something_and_all_kinds_of_things_happen() -> None:
    events = minute()
    who = {event.get("userId") or event.get("anonymousId") for event in events}
    assert len(who) == 24
    assert Counter(event["type"] for event in events)["identify"] == 24
    names = {event.get("event") for event in events}
    assert names >= {
        "Product Viewed",
        "Product Added",
        "Checkout Started",
        "Order Completed",
        "Email Clicked",
    }


def test_time_is_the_callers() -> None:
    whole, parts = minute(), Shoppers(24, START_MS, 1)
    found = [event for second in range(61) for event in parts.until(START_MS + second * 1000)]
    assert found == whole
    times = [event["timestamp"] for event in found]
    assert times == sorted(times)


def test_the_first_event_comes_within_a_second() -> None:
    assert Shoppers(24, START_MS).until(START_MS + 1000)
