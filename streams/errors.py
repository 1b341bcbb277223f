"""What goes wrong, told apart by what happens next.

The store's own errors are in ``streams.store.errors``; a record that cannot be taken is no error but a
``streams.wire.Rejected``.
"""

import traceback
from pathlib import PurePath


class StreamsError(Exception):
    """Whatever livesegments itself raises; its text is one line that says what to do."""

    exit_code = 1


class ConfigurationError(StreamsError):
    """The start is refused until somebody changes a setting, or what it points at. One line per problem."""

    exit_code = 78

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RetryLater(StreamsError):
    """What is needed cannot be reached now: the same is tried again, with backoff, and nothing is acknowledged."""


class PartitionStopped(StreamsError):
    """A partition cannot go on: it stays where it is, visibly, and is tried again; other partitions go on."""

    def __init__(self, partition: int, why: str) -> None:
        super().__init__(f"partition {partition} stands still: {why}")
        self.partition = partition
        self.why = why


class OwnershipLost(StreamsError):
    """Somebody else works on the partition now: whatever is in memory of it is dropped, nothing is published."""

    def __init__(self, partition: int, why: str) -> None:
        super().__init__(f"partition {partition} was given up: {why}")
        self.partition = partition
        self.why = why


class Unspoken(Exception):
    """Stands for an error that nobody foresaw, without what it says."""


def unspoken(error: BaseException) -> Unspoken:
    """Its kind and its places in the code. What an unforeseen error says may be a contact's id, or of a record."""
    places = traceback.extract_tb(error.__traceback__)
    at = f" at {PurePath(places[-1].filename).name}:{places[-1].lineno}" if places else ""
    return Unspoken(f"{type(error).__name__}{at}").with_traceback(error.__traceback__)
