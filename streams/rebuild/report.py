"""What a rebuild tells: how far it is, what it found, why it cannot go on."""

from collections.abc import Callable
from dataclasses import dataclass, field

from streams.errors import StreamsError
from streams.observer import Unobserved


class Broken(StreamsError):
    """It cannot go on; what it has made is marked and no worker takes it. Run it again."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that the topic no longer holds."""

    topic: str
    partition: int
    first_offset: int
    first_received_ms: int | None
    """None: no event is left."""


@dataclass(slots=True)
class Done:
    """How far it is; at the end: what was done."""

    partitions: int
    state: list[int]
    """Partitions that hold state, which is dropped."""
    gaps: list[Gap] = field(default_factory=list)
    step: str = ""
    total: int = 0
    """Records of this step."""
    records: int = 0
    """Those that are done."""
    events: int = 0
    heard: int = 0
    """Transitions that were in the topic."""
    unreadable: int = 0
    """Records there that are none."""
    published: int = 0
    """Transitions that were not."""
    corrected: int = 0
    """Those of them that put right what consumers had."""
    trouble: str | None = None


Told = Callable[[Done], None]


class Watcher(Unobserved):
    """Tells what a lane waits for."""

    def __init__(self, done: Done, told: Told) -> None:
        self._done, self._told = done, told

    def retrying(self, partition: int, error: Exception) -> None:  # noqa: ARG002
        """The store or the broker could not do its part; it is tried again."""
        self._done.trouble = str(error)
        self._told(self._done)
