"""What consumers have heard of a contact, and what of a rebuilt history they have not. No I/O.

While a partition is rebuilt, each contact's record holds, besides its memberships, the last transition of each of its
segments that stands in the transitions topic: under the segment's number, negated, and the latest moment of all of them
under 0. No segment has such a number, so the rules never look there; the two are stored together, and there is no
memory that grows. ``corrections`` takes away all of it in the end.
"""

from collections.abc import Callable, Mapping, Sequence

from rules.catalog import Catalog
from rules.contact import Contact, Membership
from rules.step import Reason, Transition

LATEST = 0


def hear(contact: Contact, number: int, sequence: int, at_ms: int) -> None:
    """Notes a published transition of a segment, given by its number."""
    memberships = contact.memberships
    heard = memberships.get(-number)
    # One that was published twice may stand behind later ones.
    if heard is None or heard.sequence < sequence:
        memberships[-number] = Membership(sequence, at_ms)
    latest = memberships.get(LATEST)
    if latest is None or latest.since_ms < at_ms:
        memberships[LATEST] = Membership(0, at_ms)


class Ear:
    """Tells what is news to consumers, and numbers it to follow what they have."""

    def __init__(self, catalog: Catalog, silent_before_ms: float) -> None:
        """``silent_before_ms``: what happened before was published if anything was, though it is no longer in the
        topic."""
        self._catalog = catalog
        self._numbers = {program.key: program.number for program in catalog.programs}
        self._silent_before_ms = silent_before_ms

    def news(
        self, transitions: Sequence[Transition], contact_of: Callable[[str], Contact]
    ) -> list[Transition]:
        """Those of a piece of rebuilt work that consumers do not have. These, and the contacts' memberships, are
        numbered anew where what came before is no longer the same."""
        found: list[Transition] = []
        shifts: dict[tuple[str, int], tuple[int, int | None]] = {}
        for transition in transitions:
            number = self._numbers[transition.segment]
            pair = transition.contact_id, number
            if pair in shifts:
                shift, since_ms = shifts[pair]
                _follow(transition, transition.sequence + shift, since_ms)
                shifts[pair] = shift, None
                found.append(transition)
                continue
            contact = contact_of(transition.contact_id)
            heard = self._heard(contact, number, transition)
            if heard is _ALL_NEW:
                found.append(transition)
            elif heard is not None:
                following = transition.entered != heard.is_member
                shifts[pair] = _go_on(contact, number, heard, transition, following=following)
                if following:
                    found.append(transition)
        return found

    def _heard(self, contact: Contact, number: int, transition: Transition) -> Membership | None:
        """What consumers had last of the segment, where the transition comes after that; None: it does not."""
        memberships, at_ms = contact.memberships, transition.at_ms
        latest, heard = memberships.get(LATEST), memberships.get(-number)
        if heard is None and at_ms < self._silent_before_ms:
            return None
        if latest is None:
            return _ALL_NEW
        if at_ms < latest.since_ms:
            # They have later ones of this contact: it would come out of order, if it is new at all.
            if heard is None:
                memberships[-number] = Membership()
            return None
        if heard is None:
            return _ALL_NEW
        return heard if at_ms > heard.since_ms or transition.sequence > heard.sequence else None

    def corrections(
        self, contact: Contact, clock_ms: int, key_of: Mapping[int, str], versions: Mapping[str, int]
    ) -> list[Transition] | None:
        """Lets a contact's memberships go on from what consumers have heard, when all its events are taken; gives what
        puts right where that is not how it stands, as of the clock. None: there was nothing to be looked at."""
        latest = contact.memberships.pop(LATEST, None)
        if latest is None:
            return None
        at_ms = max(clock_ms, contact.now_ms or clock_ms, latest.since_ms)
        found = []
        for number in [number for number in contact.memberships if number < 0]:
            heard = contact.memberships.pop(number)
            key = key_of[-number]
            correction = self._correct(contact, -number, key, heard, at_ms, versions.get(key, 1))
            if correction is not None:
                found.append(correction)
        if found:
            contact.now_ms = at_ms
        # In a group, one segment is left before the next is entered.
        return sorted(found, key=lambda transition: (transition.entered, transition.segment))

    def _correct(
        self, contact: Contact, number: int, key: str, heard: Membership, at_ms: int, version: int
    ) -> Transition | None:
        membership = contact.memberships.get(number)
        if membership is None:
            membership = Membership()
            if heard.sequence:
                contact.memberships[number] = membership
        entered = membership.is_member
        if entered == heard.is_member:
            membership.sequence, membership.since_ms = heard.sequence, heard.since_ms
            return None
        membership.sequence, membership.since_ms = heard.sequence + 1, at_ms
        program = self._catalog.by_number.get(number)
        return Transition(
            contact_id=contact.id,
            segment=key,
            entered=entered,
            sequence=membership.sequence,
            at_ms=at_ms,
            reason=Reason.DEFINITION,
            cause=None,
            member_for_ms=None if entered else at_ms - heard.since_ms,
            version=version if program is None else program.version,
            evidence=[] if program is None else program.evidence(contact, at_ms),
        )


_ALL_NEW = Membership()
"""Nothing was heard of the segment, or all that was heard is behind: what happens is news, as it is numbered."""


def _go_on(
    contact: Contact, number: int, heard: Membership, transition: Transition, *, following: bool
) -> tuple[int, int | None]:
    """Lets a membership go on from what was heard of it; by how much its later transitions are to be numbered anew,
    and since when consumers take it to last, where the transition is none to them."""
    memberships = contact.memberships
    del memberships[-number]
    membership = memberships[number]
    is_last = membership.sequence == transition.sequence
    shift = heard.sequence + following - transition.sequence
    membership.sequence += shift
    if following:
        _follow(transition, heard.sequence + 1, heard.since_ms)
        return shift, None
    if is_last:
        membership.since_ms = heard.since_ms
    return shift, heard.since_ms


def _follow(transition: Transition, sequence: int, since_ms: int | None) -> None:
    transition.sequence = sequence
    if since_ms is not None and not transition.entered:
        transition.member_for_ms = transition.at_ms - since_ms
