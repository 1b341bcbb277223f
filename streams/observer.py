"""What a lane tells about its work; the metrics listen."""

from typing import Protocol

from streams.contacts import Work
from streams.intake import Taken


class Observer(Protocol):
    """Called once per piece of work, never per event."""

    def batch(self, partition: int, records: int, taken: Taken, work: Work) -> None:
        """Fetched records were taken."""
        ...

    def published(self, partition: int, work: Work) -> None:
        """The transitions of a piece of work, if it had any, were acknowledged."""
        ...

    def woke(self, partition: int, contacts: int, work: Work) -> None:
        """Due contacts were judged."""
        ...

    def late(self, partition: int, records: int) -> None:
        """Records came more than the wake delay behind the clock."""
        ...

    def retrying(self, partition: int, error: Exception) -> None:
        """The store or the broker could not do its part; it is tried again."""
        ...

    def recovered(self, partition: int, error: Exception) -> None:
        """What failed last, with this error, was done after all."""
        ...


class Unobserved:
    """For tools and tests that need no metrics."""

    def batch(self, partition: int, records: int, taken: Taken, work: Work) -> None:
        """Ignored."""

    def published(self, partition: int, work: Work) -> None:
        """Ignored."""

    def woke(self, partition: int, contacts: int, work: Work) -> None:
        """Ignored."""

    def late(self, partition: int, records: int) -> None:
        """Ignored."""

    def retrying(self, partition: int, error: Exception) -> None:
        """Ignored."""

    def recovered(self, partition: int, error: Exception) -> None:
        """Ignored."""
