"""What all the lanes of a worker share."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from rules.catalog import Catalog
from streams.flood import FloodLimit
from streams.observer import Observer
from streams.outbox import OwnPublisher, Publisher
from streams.store import ContactStore
from streams.topics import TopicNames


@dataclass(frozen=True)
class Deployment:
    """Where lanes keep state and publish, and within which limits. Durations and moments are milliseconds."""

    catalog: Catalog
    store: ContactStore
    publisher: Publisher
    """Publishes what is sent on to other partitions, and without ``own_publisher`` everything."""
    topics: TopicNames
    partitions: int
    observer: Observer
    wall_ms: Callable[[], int]
    """The wall clock, UTC since 1970."""
    own_publisher: Callable[[int], OwnPublisher] | None = None
    """Makes a publisher for one partition's lane, which shuts out those of earlier lanes."""
    topic_ids: Callable[[], Awaitable[Mapping[str, str]]] | None = None
    """Gives the ids of the source topics that stand under their names now (see ``streams.identities``); None: nobody
    looks."""
    max_future_skew_ms: int = 300_000
    wake_delay_ms: int = 500
    cached_contacts: int = 50_000
    """How many contacts a lane keeps in memory at most."""
    chunk: int = 500
    """How many due contacts are taken with a batch or between two, or contacts after a change of definitions between two."""
    at_once: int = 50
    """So many records of a batch become events, change contacts, and are let go of before the next ones: what is made of
    them, 4 KB for each, stays in the nearest caches of the processor, which a whole batch of a thousand leaves."""
    most_transitions: int = 2_000
    """From how many transitions on they are committed and published, before the next event of the batch is taken: so
    what is in memory, in the outbox and in one command is bounded, whatever follows from a batch."""
    flood: FloodLimit = FloodLimit()  # noqa: RUF009 - it is frozen
    longest_pause_ms: int = 5_000
    """The longest pause between two tries of what the store or the broker could not do."""
