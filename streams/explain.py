"""Why a contact is in a segment or not, what would change it, and when it changes by itself. Changes nothing."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from rules.catalog import Blueprint, Catalog
from rules.contact import Contact, Membership
from rules.definitions import Definitions
from rules.needs import needs
from rules.numbering import Numbering
from rules.program import Program
from rules.verdict import SHIFT_MS, change_ms
from streams.errors import StreamsError
from streams.intake import home
from streams.records import decode_record
from streams.registry import remembered_since_ms
from streams.store import ContactStore, Enrolled
from streams.wire.events import ANONYMOUS

_MOST_MOMENTS = 10_000
"""A verdict says no more than before which moment it cannot change; so many are looked at for the one at which it does."""


class NotFound(StreamsError):
    """Nobody knows the contact or segment that was asked for."""


@dataclass(frozen=True, slots=True)
class LeafView:
    """A leaf condition as it is for one contact."""

    condition: str
    observed: Any
    holds: bool
    counted_since_ms: int | None
    """Where what it measures is remembered only since after the contact's first event: since when."""


@dataclass(frozen=True, slots=True)
class SegmentView:
    """One contact and one segment. Times are milliseconds UTC."""

    segment: str
    member: bool
    since_ms: int | None
    """When the latest transition was; None: there has been none."""
    transitions: int
    version: int | None
    """None: the definition is not in force yet, no worker has been started with it."""
    leaves: tuple[LeafView, ...]
    needs: str | None
    """What would have to be otherwise for the membership to change."""
    changes_ms: int | None
    """When it changes by itself if nothing happens; None: never."""
    judged_otherwise: bool
    """The condition says otherwise already, and no worker has come to that yet."""


@dataclass(frozen=True, slots=True)
class ContactView:
    """What is known of a contact. Times are milliseconds UTC."""

    contact: str
    partition: int
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
        contact, partition = await self._load(contact_id)
        clock_ms = (await self._store.peek(partition)).clock_ms
        as_of_ms = max(moment for moment in (contact.now_ms, clock_ms, wall_ms, 0) if moment is not None)
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
            segments=tuple(self._view(program, contact, as_of_ms) for program in self._catalog.programs),
            gone=tuple(sorted(gone)),
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

    def _view(self, program: Program, contact: Contact, as_of_ms: int) -> SegmentView:
        membership = contact.memberships.get(program.number, Membership())
        if contact.first_received_ms is None:  # only records that are no events: nothing was judged
            return SegmentView(
                program.key, False, None, 0, self._versions.get(program.key), (), None, None, False
            )
        evidence = program.evidence(contact, as_of_ms)
        holds = program.judge(contact.features, as_of_ms + SHIFT_MS, contact) > 0
        return SegmentView(
            segment=program.key,
            member=membership.is_member,
            since_ms=membership.since_ms if membership.sequence else None,
            transitions=membership.sequence,
            version=self._versions.get(program.key),
            leaves=tuple(
                LeafView(text, observed, holds_, self._counted_since(leaf.memory, contact))
                for leaf, (text, observed, holds_) in zip(program.leaves, evidence, strict=True)
            ),
            needs=needs(program.segment.when, [holds_ for _, _, holds_ in evidence], wanted=not holds),
            changes_ms=_changes_ms(program, contact, as_of_ms),
            judged_otherwise=holds is not membership.is_member,
        )

    def _counted_since(self, memory: str | None, contact: Contact) -> int | None:
        since_ms = None if memory is None else self._since_ms.get(memory)
        if since_ms is None or contact.first_received_ms is None:
            return None
        return since_ms if since_ms > max(contact.first_received_ms, self._begun_ms) else None


def _numbers(names: Iterable[str], enrolled: Mapping[str, Enrolled]) -> dict[str, int]:
    """The numbers of the names; those that no worker has seen yet get such as no record has, so that nothing is known
    of them."""
    unused = itertools.count(1 + max((each.number for each in enrolled.values()), default=0))
    return {name: enrolled[name].number if name in enrolled else next(unused) for name in names}


def _changes_ms(program: Program, contact: Contact, from_ms: int) -> int | None:
    """When the verdict turns if nothing happens."""
    verdict = before = program.judge(contact.features, from_ms + SHIFT_MS, contact)
    for _ in range(_MOST_MOMENTS):
        at_ms = change_ms(verdict)
        if at_ms is None:
            return None
        verdict = program.judge(contact.features, at_ms + SHIFT_MS, contact)
        if (verdict > 0) != (before > 0):
            return at_ms
    return None


def _did_you_mean(word: str, words: Sequence[str]) -> str:
    close = get_close_matches(word, words, n=1, cutoff=0.5)
    return f": did you mean {close[0]}?" if close else f": there are {', '.join(words)}" if words else ""
