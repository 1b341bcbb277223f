"""What is stored of a contact, explained. Changes nothing."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from rules.catalog import Blueprint, Catalog
from rules.contact import Contact
from rules.definitions import Definitions
from rules.explanation import SegmentView, views
from rules.numbering import Numbering
from rules.program import LeafProgram, Program
from streams.admission import REBUILD_FIELD
from streams.errors import StreamsError
from streams.intake import home
from streams.records import decode_record, refuse_newer
from streams.redefinition import META_FIELD, followed
from streams.registry import remembered_since_ms
from streams.replay import Replay
from streams.store import ContactStore, Enrolled
from streams.wire.events import ANONYMOUS


class NotFound(StreamsError):
    """Nobody knows the contact or segment that was asked for."""


@dataclass(frozen=True, slots=True)
class ContactView:
    """What is known of a contact. Times are milliseconds UTC."""

    contact: str
    partition: int | None
    """None: of a replay."""
    now_ms: int | None
    """Its own time."""
    first_seen_ms: int | None
    as_of_ms: int
    """The moment as of which all the rest is said."""
    segments: tuple[SegmentView, ...]
    """By key."""
    gone: tuple[str, ...]
    """Segments that it is still in, but that are no longer defined."""


class Explainer:
    """Reads a store for the definitions in force. Its methods raise what the store does."""

    def __init__(self, definitions: Definitions, store: ContactStore) -> None:
        self._definitions, self._store = definitions, store
        self._catalog: Catalog
        self._partitions: int
        self._since_ms: Mapping[str, int]
        self._names: dict[int, str]
        self._begun_ms: int
        self._versions: Mapping[str, int]

    async def open(self) -> None:
        """Reads what the store knows of the definitions. Raises NotFound where no worker has ever used it."""
        partitions = await self._store.partition_count()
        if partitions is None:
            raise NotFound(
                "nothing is stored yet: no worker has run with this SEGMENTS_REDIS and SEGMENTS_GROUP"
            )
        self._partitions = partitions
        self._since_ms = await remembered_since_ms(self._store)
        enrolled_features = await self._store.enrolled("features")
        numbered = await self._store.enrolled("segments")
        self._names = {enrolled.number: key for key, enrolled in numbered.items()}
        # What the first worker remembered, it remembered from the first event on, whenever that was received.
        self._begun_ms = min((enrolled.since_ms for enrolled in numbered.values()), default=0)
        versions = await self._store.versions()
        self._versions = {key: versions[key] for key in numbered if key in versions}
        blueprint = Blueprint(self._definitions)
        features = _numbers(blueprint.features, enrolled_features)
        keys = _numbers(blueprint.segment_keys, numbered)
        self._catalog = blueprint.catalog(Numbering(features, keys, self._versions))

    def segment(self, key: str) -> Program:
        """The program of a segment. Raises NotFound."""
        for program in self._catalog.programs:
            if program.key == key:
                return program
        raise NotFound(
            f"there is no segment {key!r}{_did_you_mean(key, [p.key for p in self._catalog.programs])}"
        )

    async def contact(self, contact_id: str, wall_ms: int | None) -> ContactView:
        """What is known of a contact. ``wall_ms`` is the moment up to which the clock follows the wall clock, None
        where it does not. Raises NotFound."""
        await self._check_ready(home(contact_id, self._partitions))
        contact, partition = await self._load(contact_id)
        state = await self._store.peek(partition)
        as_of_ms = max(
            moment for moment in (contact.now_ms, state.clock_ms, wall_ms, 0) if moment is not None
        )
        # A worker may still run by what stood in the files before.
        followed_keys = followed(state.meta.get(META_FIELD), self._catalog) & self._versions.keys()
        in_force = {program.number for program in self._catalog.programs}
        gone = [
            self._names.get(number, f"number {number}")
            for number, membership in contact.memberships.items()
            if membership.is_member and number not in in_force
        ]
        return ContactView(
            contact=contact_id,
            partition=partition,
            now_ms=contact.now_ms,
            first_seen_ms=contact.first_received_ms,
            as_of_ms=as_of_ms,
            segments=views(self._catalog, contact, as_of_ms, followed_keys, self._counted_since),
            gone=tuple(sorted(gone)),
        )

    async def _check_ready(self, partition: int) -> None:
        meta = (await self._store.peek(partition)).meta
        refuse_newer(partition, meta)
        if meta.get(REBUILD_FIELD):
            raise NotFound(
                "the state is being rebuilt: ask again when `segments rebuild` is done; if it was broken off, run it again"
            )

    async def _load(self, contact_id: str) -> tuple[Contact, int]:
        tried = dict.fromkeys(
            [contact_id, ANONYMOUS + contact_id, contact_id.strip(), contact_id.lower(), contact_id.upper()]
        )
        for candidate in tried:
            partition = home(candidate, self._partitions)
            [record] = await self._store.load(partition, [candidate])
            if record is not None:
                if candidate != contact_id:
                    raise NotFound(
                        f"no event of the contact {contact_id!r} was taken: did you mean {candidate!r}?"
                    )
                return decode_record(contact_id, record)[0], partition
        raise NotFound(f"no event of the contact {contact_id!r} was taken: see its userId, or anonymous:<id>")

    def _counted_since(self, leaf: LeafProgram, contact: Contact) -> int | None:
        since_ms = None if leaf.memory is None else self._since_ms.get(leaf.memory)
        if since_ms is None or contact.first_received_ms is None:
            return None
        return since_ms if since_ms > max(contact.first_received_ms, self._begun_ms) else None


def replayed(replay: Replay, contact_id: str, until_ms: int | None) -> ContactView:
    """What is known of a contact at the end of a replay. Raises NotFound."""
    contact = replay.contacts.get(contact_id)
    if contact is None:
        close = get_close_matches(contact_id, replay.contacts, n=1)
        hint = f": did you mean {close[0]!r}?" if close else ": see its userId, or anonymous:<id>"
        raise NotFound(f"no event of the contact {contact_id!r} was taken{hint}")
    as_of_ms = max(moment for moment in (contact.now_ms, replay.clock_ms, until_ms, 0) if moment is not None)
    keys = {program.key for program in replay.catalog.programs}
    return ContactView(
        contact=contact_id,
        partition=None,
        now_ms=contact.now_ms,
        first_seen_ms=contact.first_received_ms,
        as_of_ms=as_of_ms,
        segments=views(replay.catalog, contact, as_of_ms, keys),
        gone=(),
    )


def _numbers(names: Iterable[str], enrolled: Mapping[str, Enrolled]) -> dict[str, int]:
    """The numbers of the names; those that no worker has seen yet get such as no record has, so that nothing is known
    of them."""
    unused = itertools.count(1 + max((each.number for each in enrolled.values()), default=0))
    return {name: enrolled[name].number if name in enrolled else next(unused) for name in names}


def _did_you_mean(word: str, words: Sequence[str]) -> str:
    close = get_close_matches(word, words, n=1, cutoff=0.5)
    return f": did you mean {close[0]}?" if close else f": there are {', '.join(words)}" if words else ""
