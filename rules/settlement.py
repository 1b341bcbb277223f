"""What verdicts of one moment bring about: memberships, policies, groups, and the segments that follow others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from rules.catalog import Catalog
from rules.contact import Contact, Membership
from rules.panel import Verdicts
from rules.policy import Standing
from rules.program import Program
from rules.schedule import note
from rules.verdict import ALWAYS, NEVER, SHIFT_MS

Turn = Callable[[Program, Membership], None]
"""Changes a membership and tells of it."""
NOBODY: frozenset[int] = frozenset()


def settle(
    catalog: Catalog,
    contact: Contact,
    found: Verdicts,
    now_ms: int,
    turn: Turn,
    held: frozenset[int] = NOBODY,
) -> bool:
    """Draws the consequences of verdicts as of ``now_ms``; returns whether a verdict, what a policy says, or a
    membership is another than before. Segments of ``held``, by number, are not judged although they follow others."""
    if catalog.is_flat:
        changed = False
        for program, verdict in found:
            changed |= _settle_at_once(contact, program, verdict, turn)
        return changed
    return _Moment(catalog, contact, now_ms, turn, held).settle(found)


def _settle_at_once(contact: Contact, program: Program, verdict: int, turn: Turn) -> bool:
    """A segment that is a membership as soon as its condition holds."""
    memberships = contact.memberships
    membership = memberships.get(program.number)
    if membership is None:
        if verdict == NEVER:
            return False
        membership = memberships[program.number] = Membership()
    elif verdict == NEVER and membership.sequence == 0:
        # It could have come to hold, and never did: nothing is left to remember.
        del memberships[program.number]
        return False
    changed = (verdict > 0) != (membership.sequence & 1 == 1)
    if changed:
        turn(program, membership)
    if -ALWAYS < verdict < ALWAYS:
        next_ms = (verdict if verdict > 0 else -verdict) - SHIFT_MS
        before_ms, membership.next_ms = membership.next_ms, next_ms
        if before_ms != next_ms:
            note(contact, program.number, before_ms, next_ms)
    else:
        membership.next_ms = None
    return changed


@dataclass(slots=True)
class _Moment:
    """One contact at one moment, where segments depend on each other."""

    catalog: Catalog
    contact: Contact
    now_ms: int
    turn: Turn
    held: frozenset[int]
    changed: bool = False
    moved: bool = False
    """A membership is another than when the verdicts were given."""

    def settle(self, found: Verdicts) -> bool:
        waiting: dict[int, dict[Program, int | None]] = {}
        for program, verdict in found:
            waiting.setdefault(program.unit, {})[program] = verdict
        order = list(waiting)
        heapify(order)
        while order:
            number = heappop(order)
            for program in self._settle_unit(self.catalog.units[number], waiting[number]):
                # It comes later in the order: a unit is deeper than those that it names.
                if program.number in self.held:
                    continue
                if program.unit not in waiting:
                    waiting[program.unit] = {}
                    heappush(order, program.unit)
                waiting[program.unit].setdefault(program, None)
        return self.changed

    def _settle_unit(self, unit: Sequence[Program], judged: Mapping[Program, int | None]) -> list[Program]:
        """Settles one unit, of which some programs are judged; returns those that follow what has changed."""
        turned: list[Program] = []
        if unit[0].policy is None:
            (program,) = unit
            verdict = self._verdict(program, judged[program])
            if _settle_at_once(self.contact, program, verdict, self.turn):
                turned.append(program)
        else:
            for program in unit:
                if program in judged:
                    self._note(program, self._verdict(program, judged[program]))
            for program in self._moves(unit):
                self.turn(program, self.contact.memberships[program.number])
                turned.append(program)
        if not turned:
            return []
        self.changed = self.moved = True
        return [follower for program in turned for follower in self.catalog.followers.get(program.number, ())]

    def _verdict(self, program: Program, given: int | None) -> int:
        if given is None or (self.moved and program.names):
            return program.judge(self.contact.features, self.now_ms + SHIFT_MS, self.contact)
        return given

    def _note(self, program: Program, verdict: int) -> None:
        """Takes a verdict into the segment's policy, and notes when it is to be looked at again."""
        contact, number, policy = self.contact, program.number, program.policy
        assert policy is not None
        membership = contact.memberships.get(number)
        standing = contact.standings.get(number) or standing_of(membership)
        self.changed |= policy.note(standing, self.now_ms, verdict=verdict > 0)
        next_ms = policy.due_ms(standing)
        if -ALWAYS < verdict < ALWAYS:
            turns_ms = abs(verdict) - SHIFT_MS
            next_ms = turns_ms if next_ms is None else min(next_ms, turns_ms)
        if standing.is_blank:
            contact.standings.pop(number, None)
            if next_ms is None and (membership is None or membership.sequence == 0):
                contact.memberships.pop(number, None)
                return
        else:
            contact.standings[number] = standing
        if membership is None:
            membership = contact.memberships[number] = Membership()
        before_ms, membership.next_ms = membership.next_ms, next_ms
        if next_ms is not None and before_ms != next_ms:
            note(contact, number, before_ms, next_ms)

    def _moves(self, unit: Sequence[Program]) -> list[Program]:
        """The programs of a unit whose membership has to change, exits first."""
        standings, memberships = self.contact.standings, self.contact.memberships
        front = next((p for p in unit if (s := standings.get(p.number)) is not None and s.says), None)
        moves = [
            p for p in unit if p is not front and (m := memberships.get(p.number)) is not None and m.is_member
        ]
        if front is not None and not memberships[front.number].is_member:
            moves.append(front)
        return moves


def standing_of(membership: Membership | None) -> Standing:
    """What a policy starts from, where a membership was made without one."""
    if membership is None or not membership.sequence:
        return Standing()
    if membership.is_member:
        return Standing(verdict=True, since_ms=membership.since_ms, says=True)
    return Standing(left_ms=membership.since_ms)
