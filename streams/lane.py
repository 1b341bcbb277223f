"""One partition's way: batches of its records and moments of its clock in, state and transitions out.

A lane is made when its partition is assigned and dropped when it is revoked. Whatever it does ends in one atomic
commit, after which its outputs are published. It knows no framework: workers, tests and tools drive it alike.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec

from rules.step import Step
from streams.admission import TOPICS_FIELD, refuse_unready, topics_to_store
from streams.contacts import NO_CLOCK_MS, Contacts, Work, memberships
from streams.deployment import Deployment
from streams.flood import WINDOW_FIELD, Flooded, FloodGate, Part, Stretch
from streams.intake import Intake, Record
from streams.outbox import (
    Entry,
    Output,
    Publisher,
    PublishFailed,
    decode_entry,
    encode_entry,
    unpublished,
)
from streams.pauses import Pauses
from streams.places import begin_of
from streams.records import refuse_newer
from streams.redefinition import META_FIELD, Epoch, next_epoch
from streams.store import Commit, PartitionMoved, StoreUnavailable
from streams.taking import Taking
from streams.wire import encode

FORWARDED_FIELD = "forwarded"

T = TypeVar("T")


class Lane:
    """The one writer of a partition's state, while its fence holds."""

    def __init__(self, partition: int, deployment: Deployment) -> None:
        self.partition = partition
        self.next_wake_ms: int | None = None
        """The earliest stored wake, in milliseconds UTC."""
        self.clock_ms = NO_CLOCK_MS
        self.trouble: Exception | None = None
        """What the store or the broker could not do, while it is tried again and again."""
        self._passed_ms = NO_CLOCK_MS
        """Up to where time alone has moved the clock."""
        self._on = deployment
        self._own = None if deployment.own_publisher is None else deployment.own_publisher(partition)
        self._outlet: Publisher = deployment.publisher if self._own is None else self._own
        self._lock = asyncio.Lock()
        self._intake = Intake(
            partition, deployment.topics, deployment.partitions, deployment.max_future_skew_ms
        )
        self._gate = FloodGate(partition, deployment.flood)
        self._step = Step(deployment.catalog)
        self._begun = False
        self._lost: PartitionMoved | None = None
        self._fence = 0
        self._offsets: dict[str, int] = {}
        self._begin_at: dict[str, int] = {}
        self._published = 0
        self._tails: dict[str, int] = {}
        self._sweep_cursor: int | None = None
        self._due: Sequence[str] = ()
        """Contacts whose wakes are due, as far as the last commit told; there may be more."""
        self._epoch: Epoch
        self._contacts: Contacts
        self._taking: Taking

    async def start(self) -> dict[str, int]:
        """Takes the partition, publishes what an earlier owner could not, and says from which offset of each source
        topic to go on; a topic that is not named is read from its beginning, if nothing of it was ever taken."""
        async with self._lock:
            await self._begin()
            return self._begin_at | self._offsets

    async def close(self) -> None:
        """Gives back what only this lane uses. It is not to be used any more."""
        if self._own is not None:
            await self._own.stop()

    async def handle(self, records: Mapping[str, Sequence[Record]]) -> None:
        """Takes fetched records of one source topic or of both, each topic's in order, and all of them in the order of
        received times; returns when they are committed and all that follows from them is acknowledged. Before them come
        wakes that are due, as far as the last commit told of them.

        Raises PartitionMoved where the stored state is no longer the one that this lane knows: drop the lane, and make
        another if the partition is still one's own. After any other exception hand the same records over again.
        """
        async with self._guarded():
            fresh = {topic: self._fresh(topic, of_topic) for topic, of_topic in records.items()}
            fresh = {topic: of_topic for topic, of_topic in fresh.items() if of_topic}
            while fresh:
                fresh = await self._take(fresh)

    def _fresh(self, topic: str, records: Sequence[Record]) -> Sequence[Record]:
        expected = self._offsets.get(topic)
        if expected is None or not records or records[0].offset >= expected:
            return records
        return [record for record in records if record.offset >= expected]

    async def tick(self, clock_ms: int | None) -> bool:
        """Moves the partition's clock to a moment, where it has been read to its end (None: leaves the clock where it
        is), and does a bounded part of what waits; returns whether more waits. Raises as ``handle`` does."""
        async with self._guarded():
            if clock_ms is not None and NO_CLOCK_MS != self.clock_ms < clock_ms:
                self.clock_ms = self._passed_ms = clock_ms
            if self._wakes_due:
                await self._wake_chunk()
            if self._sweep_cursor is not None:
                await self._sweep_chunk(self._sweep_cursor)
            return self.has_work

    @property
    def has_work(self) -> bool:
        """Whether wakes are due, or contacts wait to be brought through a change of definitions."""
        return self._wakes_due or self.is_sweeping

    @property
    def is_sweeping(self) -> bool:
        """Whether contacts wait to be brought through a change of definitions, which is done by ``tick`` alone."""
        return self._sweep_cursor is not None

    @property
    def _wakes_due(self) -> bool:
        return self.next_wake_ms is not None and self.next_wake_ms < self.clock_ms

    async def _take(self, records: Mapping[str, Sequence[Record]]) -> dict[str, Sequence[Record]]:
        """Takes as many of the records as may be taken at once, and returns the others."""
        on, offsets, due, now_ms = self._on, self._offsets, self._due, self._on.wall_ms()
        work = await self._bring_in([*due, *self._taking.ids(records, now_ms)])
        # Half of what may follow from one commit, so that events get on, however many wakes are due.
        woken = self._wake(due, work, on.most_transitions // 2)
        came = self._taking.take(records, work, now_ms, self._passed_ms)
        taken = came.taken
        added = self._admit(came.parts)
        if taken.forwards:
            # Before the commit, so that none is lost; whoever reads them drops those that come twice.
            await self._publish(taken.forwards, publisher=on.publisher)
        outputs = [*self._transitions(work), *taken.dead_letters]
        commit = self._commit(work, outputs, woken)
        commit.offsets = _offsets(offsets, records, came.rest)
        if taken.forwarded is not None:
            commit.meta[FORWARDED_FIELD] = msgspec.msgpack.encode(taken.forwarded)
        if (window := self._gate.stored_after(added)) is not None:
            commit.meta[WINDOW_FIELD] = window
        await self._finish(commit, outputs, work)
        offsets.update((topic, after) for topic, (_, after) in commit.offsets.items())
        if taken.forwarded is not None:
            self._intake.forwarded = taken.forwarded
        if self._gate.keep(added):
            on.observer.flood(self.partition, self._gate.share, None)
        if work.late:
            on.observer.late(self.partition, work.late)
        if woken:
            on.observer.woke(self.partition, len(woken), work)
        on.observer.batch(self.partition, sum(part.records for part in came.parts), taken, work)
        return came.rest

    def _admit(self, parts: Sequence[Part]) -> Stretch:
        """What the batch adds to the window of dead letters. Raises Flooded where there are too many."""
        try:
            return self._gate.admit(parts)
        except Flooded as flooded:
            self._on.observer.flood(self.partition, self._gate.share, flooded.why)
            raise

    async def _bring_in(self, ids: Collection[str]) -> Work:
        """Lets contacts be in memory; returns the work to go on with."""
        missing = self._contacts.missing(ids)
        if not missing:
            return Work(self.clock_ms)
        records = await self._persist(lambda: self._on.store.load(self.partition, missing))
        return await self._brought_in(missing, records)

    async def _brought_in(self, ids: Sequence[str], records: Sequence[bytes | None]) -> Work:
        """Commits on its way what a change of definitions brings about, where that is much."""
        work, done, most = Work(self.clock_ms), 0, self._on.most_transitions
        while (done := done + self._contacts.bring_in(ids[done:], records[done:], work, most)) < len(ids):
            outputs = self._transitions(work)
            await self._finish(self._commit(work, outputs), outputs, work, make_room=False)
            work = Work(self.clock_ms)
        return work

    async def _wake_chunk(self) -> None:
        # Time alone may have moved the clock since the last commit.
        due = self._due or [contact_id for contact_id, _ in await self._persist(self._ask_due)]
        work = await self._bring_in(due)
        woken = self._wake(due, work, self._on.most_transitions)
        commit = self._commit(work, outputs := self._transitions(work), woken)
        await self._finish(commit, outputs, work)
        self._on.observer.woke(self.partition, len(woken), work)

    def _ask_due(self) -> Awaitable[list[tuple[str, int]]]:
        return self._on.store.due(self.partition, self.clock_ms, self._on.chunk)

    def _wake(self, due: Sequence[str], work: Work, most: int) -> Sequence[str]:
        """Lets wakes happen of contacts that are in memory, up to so many transitions; returns of which."""
        for count, contact_id in enumerate(due):
            if len(work.transitions) >= most:
                return due[:count]
            self._contacts.wake(contact_id, work, most)
        return due

    async def _sweep_chunk(self, cursor: int) -> None:
        on = self._on
        cursor, found = await self._persist(lambda: on.store.scan(self.partition, cursor, on.chunk))
        known = self._contacts.known
        waiting = [(contact_id, record) for contact_id, record in found if contact_id not in known]
        work = await self._brought_in([item[0] for item in waiting], [item[1] for item in waiting])
        outputs = self._transitions(work)
        commit = self._commit(work, outputs)
        epoch = self._epoch
        if cursor == 0:
            epoch = epoch.finished()
            commit.meta[META_FIELD] = epoch.encode()
        await self._finish(commit, outputs, work)
        self._epoch, self._sweep_cursor = epoch, cursor or None
        if cursor == 0:
            self._contacts.changes_done()

    def _check_ready(self, meta: Mapping[str, bytes]) -> None:
        refuse_newer(self.partition, meta)
        refuse_unready(self.partition, meta)

    async def _publish_left_over(self, outbox: Sequence[tuple[int, bytes]]) -> None:
        """Publishes what an earlier owner committed and may not have published."""
        topics = self._on.topics
        entries = [decode_entry(blob) for _, blob in outbox]
        await self._publish([output for entry in entries for output in entry.outputs], entries, checked=True)
        self._published = outbox[-1][0] if outbox else 0
        places = [(topic, self.partition) for topic in (topics.transitions, topics.dead_letters)]
        ends = await self._persist(lambda: self._outlet.ends(places))
        self._tails = {topic: offset for (topic, _), offset in ends.items()}

    async def _adopt(self, stored: bytes | None, news: dict[str, bytes]) -> None:
        """Compares the definitions with those that the partition's state was made by. ``news``: of its metadata."""
        clock_ms = None if self.clock_ms == NO_CLOCK_MS else self.clock_ms
        self._epoch = next_epoch(stored, self._on.catalog, clock_ms)
        change = self._epoch.change(self._on.catalog)
        self._contacts = Contacts(self._step, self._epoch.number, change, self._on.cached_contacts)
        self._taking = Taking(self._intake, self._contacts, self._on)
        self._sweep_cursor = None if change is None else 0
        encoded = self._epoch.encode()
        if encoded != stored:
            news[META_FIELD] = encoded
        if news:
            work = Work(self.clock_ms)
            commit = self._commit(work, [])
            commit.meta |= news
            await self._finish(commit, [], work)

    def _commit(self, work: Work, outputs: Sequence[Output], woken: Sequence[str] = ()) -> Commit:
        """What the store is to change for a piece of work; offsets and metadata are the caller's to add."""
        self._contacts.put_away(work)
        wakes = work.changed_wakes()
        # Whatever is stored of a due contact has to go, or it would be due for ever.
        wakes.update((contact_id, work.wakes[contact_id]) for contact_id in woken)
        entered, exited = memberships(work.transitions)
        return Commit(
            partition=self.partition,
            fence=self._fence,
            clock_ms=work.clock_ms,
            contacts=work.records,
            wakes=wakes,
            entered=entered,
            exited=exited,
            outbox=encode_entry(Entry(list(outputs), self._tails)) if outputs else None,
            trim=self._published,
            most_due=self._on.chunk,
        )

    def _transitions(self, work: Work) -> list[Output]:
        topic, partition = self._on.topics.transitions, self.partition
        encoded = map(encode, work.transitions)
        return [Output(topic, partition, key, value, headers) for key, value, headers in encoded]

    async def _finish(
        self, commit: Commit, outputs: Sequence[Output], work: Work, *, make_room: bool = True
    ) -> None:
        """Commits, then publishes. ``make_room``: no contact in memory is needed for what comes next."""
        on = self._on
        entry = Entry(list(outputs), dict(self._tails))
        result = await self._persist(lambda: on.store.commit(commit))
        self.clock_ms = max(self.clock_ms, work.clock_ms)
        self.next_wake_ms, self._due = result.next_wake_ms, result.due
        if outputs:
            await self._publish(outputs, [entry])
            self._published = result.outbox_sequence
            on.observer.published(self.partition, work)
        if make_room:
            self._contacts.settle()

    async def _publish(
        self,
        outputs: Sequence[Output],
        entries: Sequence[Entry] = (),
        *,
        publisher: Publisher | None = None,
        checked: bool = False,
    ) -> None:
        """Publishes until all is acknowledged. ``entries``: what to look for in the topics before trying again, or
        with ``checked`` before the first try."""
        publisher, left, pause = (
            publisher or self._outlet,
            outputs,
            Pauses(self, self._on.observer, self._on.longest_pause_ms),
        )
        while left:
            try:
                if checked and entries:
                    left = await unpublished(publisher, entries)
                for (topic, partition), offset in (await publisher.publish(left)).items():
                    if partition == self.partition and topic in self._tails:
                        self._tails[topic] = offset
                break
            except PublishFailed as error:
                checked = True
                await pause.after(error)
        pause.over()

    async def _persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Calls the store, or the broker, until it answers."""
        pause = Pauses(self, self._on.observer, self._on.longest_pause_ms)
        while True:
            try:
                answer = await call()
            except (StoreUnavailable, PublishFailed) as error:
                await pause.after(error)
            else:
                pause.over()
                return answer

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[None]:
        """Lets one piece of work after the other be done.

        Where one fails, nobody can say how far it got: the partition is then taken anew before the next one, from what
        is stored, so that nothing is published twice or forgotten. Not so where the partition has moved to somebody
        else, from whom it must not be taken back.
        """
        async with self._lock:
            if self._lost is not None:
                raise self._lost
            if not self._begun:
                await self._begin()
            try:
                yield
            except PartitionMoved as moved:
                self._lost = moved
                raise
            except BaseException:
                self._begun = False
                raise

    async def _begin(self) -> None:
        on = self._on
        ids = {} if on.topic_ids is None else await self._persist(on.topic_ids)
        # Taking it would end a rebuild that is at work.
        self._check_ready((await self._persist(lambda: on.store.peek(self.partition))).meta)
        state = await self._persist(lambda: on.store.take(self.partition))
        self._check_ready(state.meta)
        topics = topics_to_store(self.partition, state.offsets, state.meta, ids)
        self._fence, self._offsets = state.fence, dict(state.offsets)
        self._begin_at = begin_of(state.meta)
        self.clock_ms = max(self.clock_ms, NO_CLOCK_MS if state.clock_ms is None else state.clock_ms)
        self.next_wake_ms, self._due = state.next_wake_ms, ()
        forwarded = state.meta.get(FORWARDED_FIELD)
        self._intake.forwarded = (
            {} if forwarded is None else msgspec.msgpack.decode(forwarded, type=dict[int, int])
        )
        self._gate.restore(state.meta)
        await self._publish_left_over(state.outbox)
        await self._adopt(state.meta.get(META_FIELD), {} if topics is None else {TOPICS_FIELD: topics})
        self._begun = True


def _offsets(
    stored: Mapping[str, int],
    records: Mapping[str, Sequence[Record]],
    rest: Mapping[str, Sequence[Record]],
) -> dict[str, tuple[int, int]]:
    """Topic -> the offset that is stored, and the one after the records that were taken."""
    found = {}
    for topic, of_topic in records.items():
        first, after = of_topic[0].offset, of_topic[-1].offset + 1
        if left := rest.get(topic):
            after = left[0].offset
        if after > first:
            found[topic] = (stored.get(topic, first), after)
    return found
