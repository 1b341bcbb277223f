"""Events of a workload, and what must come of them."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from rules.catalog import Catalog
from rules.contact import Contact
from rules.event import Event
from rules.panel import Panel
from rules.program import Program
from rules.step import Step, Transition
from streams.intake import home
from streams.replay import Replay
from streams.wire import decode, encode
from tests.benchmarks.workload import Sent, Workload

Published = dict[bytes, list[bytes]]
"""By contact, in order: the values of its transitions."""


class History:
    """So many events of a workload, besides its warm ones. What is to be published is worked out once, when asked for."""

    def __init__(self, workload: Workload, count: int) -> None:
        self.workload, self.count = workload, count
        self.sent: list[Sent] = list(workload.history(count))

    @cached_property
    def expected(self) -> Published:
        """What a worker must publish, with received times alone as the clock: the replay of each partition."""
        partitions = self.workload.partitions
        replays = [Replay(self.workload.catalog()) for _ in range(partitions)]
        return _published(
            transition
            for event in self._events()
            for transition in replays[home(event.contact_id, partitions)].take(event)
        )

    @cached_property
    def expected_without_wakes(self) -> Published:
        """What is to be published where time moves a contact only when its next event comes."""
        step, contacts = Step(self.workload.catalog()), dict[str, Contact]()
        out: list[Transition] = []
        for event in self._events():
            contact = contacts.setdefault(event.contact_id, Contact(id=event.contact_id))
            step.take(contact, event, event.received_ms, out)
        return _published(iter(out))

    @cached_property
    def evaluations_per_event(self) -> float:
        """How many verdicts of segments an event asks for, those of wakes included; repetitions ask for none.

        Counted over the first 50,000 events after the warm ones.
        """
        step, contacts = _CountingStep(self.workload.catalog()), dict[str, Contact]()
        counted = 0
        for number, event in enumerate(self._events()):
            if number == self.workload.warm:
                step.count = 0
            if number == self.workload.warm + 50_000:
                break
            contact = contacts.setdefault(event.contact_id, Contact(id=event.contact_id))
            step.take(contact, event, event.received_ms, [])
            counted = number + 1 - self.workload.warm
        return step.count / max(counted, 1)

    def _events(self) -> Iterator[Event]:
        for record in self.sent:
            event = decode(record.value, record.received_ms)
            assert isinstance(event, Event)
            yield event


class _CountingStep(Step):
    """The step of the product, which notes how many segments it judges."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(catalog)
        self.count = 0
        fold = catalog.fold

        def counting_fold(features: dict[int, Any], event: Event) -> Panel:
            panel = fold(features, event)
            self.count += len(panel.programs)
            return panel

        catalog.fold = counting_fold  # type: ignore[method-assign]

    def _due(self, contact: Contact, now_ms: int) -> list[Program]:
        due = super()._due(contact, now_ms)
        self.count += len(due)
        return due


def _published(transitions: Iterator[Transition]) -> Published:
    found: Published = defaultdict(list)
    for transition in transitions:
        key, value, _ = encode(transition)
        found[key].append(value)
    return dict(found)
