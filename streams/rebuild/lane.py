"""A lane that takes a partition's whole past again, and publishes only what never was."""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rules.contact import Contact
from streams.admission import REBUILD_FIELD
from streams.contacts import NO_CLOCK_MS, Work
from streams.deployment import Deployment
from streams.intake import Intake, Record, Taken
from streams.lane import Lane
from streams.outbox import Output
from streams.places import BEGIN_FIELD, encode_begin
from streams.rebuild.heard import Ear, hear
from streams.wire import encode


@dataclass(slots=True)
class Arrived:
    """What of a partition's records has arrived elsewhere: what is before these offsets need not be sent again."""

    done: dict[str, int] = field(default_factory=dict)
    """Source topic -> the offset before which all that follows from its records was published."""
    buried: dict[str, int] = field(default_factory=dict)
    """Source topic -> the offset after the last of its dead letters."""
    sent_on: dict[int, int] = field(default_factory=dict)
    """Partition of the by-contact topic -> the offset after the last record that was sent on there."""


class RebuildIntake(Intake):
    """An intake that leaves out what has arrived where it was to go."""

    arrived: Arrived

    def take(
        self, topic: str, records: Sequence[Record], now_ms: int, known: Container[str] = frozenset()
    ) -> Taken:
        """Sorts a batch."""
        taken = super().take(topic, records, now_ms, known)
        done, arrived = self.arrived.done.get(topic, 0), self.arrived
        buried = max(done, arrived.buried.get(topic, 0))
        taken.dead_letters = [output for output in taken.dead_letters if _offset(output) >= buried]
        taken.forwards = [
            output
            for output in taken.forwards
            if _offset(output) >= max(done, arrived.sent_on.get(output.partition, 0))
        ]
        # What was counted when it was met first is no news, nor a reason to stop.
        if not taken.dead_letters:
            taken.rejected = {}
        return taken


def _offset(output: Output) -> int:
    return int(dict(output.headers)["source_offset"] or b"0")


class RebuildLane(Lane):
    """Drive it like this: ``start``, ``hear`` what was published, ``handle`` the records of both topics, ``reach`` the
    moment up to which time had gone, ``settle``. Whoever else takes the partition before the end refuses it."""

    def __init__(
        self,
        partition: int,
        deployment: Deployment,
        arrived: Arrived | None = None,
        silent_before_ms: float = float("-inf"),
    ) -> None:
        super().__init__(partition, deployment)
        self.published = 0
        """Transitions that consumers did not have."""
        self.corrected = 0
        """Those of them that put right what consumers had."""
        self._ear = Ear(deployment.catalog, silent_before_ms)
        self._intake = RebuildIntake(
            partition, deployment.topics, deployment.partitions, deployment.max_future_skew_ms
        )
        self._intake.arrived = arrived or Arrived()

    def _check_ready(self, meta: Mapping[str, bytes]) -> None:
        """It is the one that makes it ready."""

    def _transitions(self, work: Work) -> list[Output]:
        news = self._ear.news(work.transitions, self._contacts.get)
        self.published += len(news)
        return [self._output(encode(transition)) for transition in news]

    async def hear(self, published: Iterable[tuple[str, int, int, int]]) -> None:
        """Notes published transitions: contact id, number of the segment, sequence, moment in milliseconds UTC."""
        async with self._guarded():
            published = list(published)
            ids = {contact_id for contact_id, *_ in published}
            work = await self._bring_in(ids)
            for contact_id, number, sequence, at_ms in published:
                hear(self._contacts.get(contact_id), number, sequence, at_ms)
            for contact_id in ids:
                work.note(self._contacts.get(contact_id), None)
            await self._finish(self._commit(work, []), [], work)

    async def reach(self, clock_ms: int) -> None:
        """Lets all happen that is due before a moment that the clock had reached before."""
        while await self.tick(clock_ms):
            pass

    async def settle(
        self, key_of: Mapping[int, str], versions: Mapping[str, int], begin: Mapping[str, int]
    ) -> None:
        """Puts right what consumers have heard and is not so, and lets all memberships go on from there; then gives the
        partition free. ``key_of``: segments by number; ``versions``: of segments that are no longer defined, by key;
        ``begin``: topic -> the offset from which to read it where it held nothing."""
        cursor, begun = 0, False
        while cursor or not begun:
            begun = True
            async with self._guarded():
                cursor = await self._settle_chunk(cursor, key_of, versions)
        async with self._guarded():
            commit = self._commit(Work(self.clock_ms), [])
            commit.meta[REBUILD_FIELD] = b""
            # Also where retention has left nothing of what the group had taken: that is known now, and no loss.
            commit.meta[BEGIN_FIELD] = encode_begin(begin)
            await self._finish(commit, [], Work(self.clock_ms))

    async def _settle_chunk(self, cursor: int, key_of: Mapping[int, str], versions: Mapping[str, int]) -> int:
        on = self._on
        cursor, found = await self._persist(lambda: on.store.scan(self.partition, cursor, on.chunk))
        work = await self._brought_in([item[0] for item in found], [item[1] for item in found])
        for contact_id, _ in found:
            if len(work.transitions) >= on.most_transitions:
                await self._correct(work, make_room=False)
                work = Work(self.clock_ms)
            contact = self._contacts.get(contact_id)
            wake_ms = contact.wake_ms
            corrections = self._ear.corrections(contact, self._now_ms(contact), key_of, versions)
            if corrections is not None:
                work.note(contact, wake_ms)
                work.transitions += corrections
        await self._correct(work)
        return cursor

    async def _correct(self, work: Work, *, make_room: bool = True) -> None:
        self.published += len(work.transitions)
        self.corrected += len(work.transitions)
        outputs = [self._output(encode(transition)) for transition in work.transitions]
        await self._finish(self._commit(work, outputs), outputs, work, make_room=make_room)

    def _now_ms(self, contact: Contact) -> int:
        # Without an event in the partition it has no clock, and its contacts only what was heard of them.
        return contact.now_ms or 0 if self.clock_ms == NO_CLOCK_MS else self.clock_ms

    def _output(self, record: tuple[bytes, bytes, Collection[tuple[str, bytes]]]) -> Output:
        key, value, headers = record
        return Output(self._on.topics.transitions, self.partition, key, value, [*headers])
