"""Why a contact is in a segment or not, what would change it, and when it changes by itself."""

import copy
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from rules.catalog import Catalog
from rules.contact import Contact, Membership
from rules.durations import LAST_MS, format_duration
from rules.lacks import IMPOSSIBLE, Sight, spoken
from rules.needs import needs
from rules.policy import Policy, Standing
from rules.program import LeafProgram, Program
from rules.settlement import standing_of
from rules.step import Change, Step, Transition

NOTHING = "nothing: that is for good"
MOST_WAKES = 10_000
"""So many wakes are looked ahead for the one that changes a membership."""


@dataclass(frozen=True, slots=True)
class LeafView:
    """A leaf condition as it is for one contact."""

    condition: str
    observed: Any
    holds: bool
    inexact: bool
    """More has happened than is told exactly (contract, section 4.2)."""
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
    """What would have to happen for the membership to change."""
    waits: str | None
    """What its policy or its group says, where that is not what its condition says."""
    changes_ms: int | None
    """When it changes by itself if nothing happens; None: never, as far as can be seen."""
    judged_otherwise: bool
    """The rules say otherwise already, and no worker has come to that yet."""


CountedSince = Callable[[LeafProgram, Contact], int | None]
"""Since when a leaf counts, where that is after the contact's first event."""


def counted_always(leaf: LeafProgram, contact: Contact) -> None:
    """Of contacts all of whose events were taken under the same definitions."""


def views(
    catalog: Catalog,
    contact: Contact,
    as_of_ms: int,
    in_force: Collection[str],
    counted_since: CountedSince = counted_always,
) -> tuple[SegmentView, ...]:
    """Every segment as of a moment that is not before the contact's own time, by key. Changes nothing.

    ``in_force``: the keys of the segments that the contact's record was made by.
    """
    programs = sorted(catalog.programs, key=lambda program: program.key)
    if contact.first_received_ms is None:  # only records that are no events: nothing was judged
        return tuple(_unjudged(program, in_force) for program in programs)
    outlook = _Outlook(catalog, contact, as_of_ms)
    return tuple(
        _view(catalog, program, contact, outlook, program.key in in_force, counted_since)
        for program in programs
    )


class _Outlook:
    """A contact's memberships as of a moment, and what becomes of them if nothing happens."""

    def __init__(self, catalog: Catalog, contact: Contact, as_of_ms: int) -> None:
        step, self.as_of_ms = Step(catalog), as_of_ms
        later = copy.deepcopy(contact)
        step.advance(later, as_of_ms, [])
        # The record can be of other definitions than these: then it is judged by these.
        step.redefine(later, Change(as_of_ms, frozenset(catalog.by_number)), [])
        self.contact = copy.deepcopy(later)
        self.changes_ms: dict[str, int] = {}
        """When each segment's membership changes first."""
        for _ in range(MOST_WAKES):
            if later.wake_ms is None or len(self.changes_ms) == len(catalog.programs):
                break
            if later.wake_ms > LAST_MS:  # no clock gets there, and no moment can be written
                break
            found: list[Transition] = []
            step.advance(later, later.wake_ms, found, inclusive=True)
            for transition in found:
                self.changes_ms.setdefault(transition.segment, transition.at_ms)


def _unjudged(program: Program, in_force: Collection[str]) -> SegmentView:
    version = program.version if program.key in in_force else None
    return SegmentView(program.key, False, None, 0, version, (), None, None, None, False)


def _view(
    catalog: Catalog,
    program: Program,
    contact: Contact,
    outlook: _Outlook,
    is_in_force: bool,
    counted_since: CountedSince,
) -> SegmentView:
    membership = contact.memberships.get(program.number, Membership())
    otherwise = _is_member(outlook.contact, program) is not membership.is_member
    sights = program.sights(outlook.contact, outlook.as_of_ms)
    return SegmentView(
        segment=program.key,
        member=membership.is_member,
        since_ms=membership.since_ms if membership.sequence else None,
        transitions=membership.sequence,
        version=program.version if is_in_force else None,
        leaves=tuple(
            LeafView(
                sight.text,
                sight.observed,
                sight.holds,
                leaf.is_inexact(outlook.contact),
                counted_since(leaf, contact),
            )
            for leaf, sight in zip(program.leaves, sights, strict=True)
        ),
        needs=_needs(catalog, program, outlook, sights),
        waits=_waits(catalog, program, outlook),
        changes_ms=None if otherwise else outlook.changes_ms.get(program.key),
        judged_otherwise=otherwise,
    )


def _needs(catalog: Catalog, program: Program, outlook: _Outlook, sights: list[Sight]) -> str | None:
    """What the condition needs, and what the rivals in its group have to do with it."""
    unit, is_member = catalog.units[program.unit], _is_member(outlook.contact, program)
    ahead = unit[: unit.index(program)]
    own = needs(program.segment.when, sights, wanted=not is_member)
    if is_member:
        parts = [*([own] if own else []), *(f"a membership of {rival.key}" for rival in ahead)]
        return _joined(parts, " or ") or (NOTHING if own == IMPOSSIBLE else None)
    if own == IMPOSSIBLE:
        return NOTHING
    in_front = [rival.key for rival in ahead if _is_member(outlook.contact, rival)]
    return _joined([*([own] if own else []), *(f"no membership of {key}" for key in in_front)], " and ")


def _joined(parts: list[str], word: str) -> str | None:
    if len(parts) > 1:
        return word.join(f"({part})" for part in parts)
    return parts[0] if parts else None


def _waits(catalog: Catalog, program: Program, outlook: _Outlook) -> str | None:
    policy = program.policy
    if policy is None:
        return None
    contact = outlook.contact
    standing = contact.standings.get(program.number) or standing_of(contact.memberships.get(program.number))
    if standing.says and not _is_member(contact, program):
        unit = catalog.units[program.unit]
        front = next((rival.key for rival in unit if _is_member(contact, rival)), "another segment")
        return f"{front} comes first in its group"
    return _joined(list(_policy_words(policy, standing)), "; ")


def _policy_words(policy: Policy, standing: Standing) -> Iterator[str]:
    if standing.since_ms is not None and standing.verdict != standing.says:
        since = spoken(standing.since_ms)
        if standing.says:
            yield f"its condition does not hold since {since}: exit_after {format_duration(policy.exit_after_ms)}"
        elif policy.enter_after_ms:
            yield f"its condition holds since {since}: enter_after {format_duration(policy.enter_after_ms)}"
    elif standing.says and policy.exit_after_ms:
        after = format_duration(policy.exit_after_ms)
        yield f"until its condition has not held for {after}: exit_after {after}"
    elif not standing.says and policy.enter_after_ms:
        after = format_duration(policy.enter_after_ms)
        yield f"until its condition has held for {after}: enter_after {after}"
    if standing.left_ms is not None and not standing.says:
        until = spoken(standing.left_ms + policy.cooldown_ms)
        yield f"no enter before {until}: cooldown {format_duration(policy.cooldown_ms)}"


def _is_member(contact: Contact, program: Program) -> bool:
    membership = contact.memberships.get(program.number)
    return membership is not None and membership.is_member
