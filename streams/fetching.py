"""The consumer's own thread: fetches batches, and reads each partition from where it is told to.

While there is something to read, the broker is asked to gather for a few milliseconds (``GATHER_MS``) rather than to
answer with every single record; when nothing comes any more, it answers at once. So a quiet topic is read without
delay, a busy one in batches that are worth their cost, and no timer runs here.
"""

# ruff: noqa: ARG002, SLF001 - the seam; tests/streams/test_seam.py fails when it moves

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import (
    ConsumerStoppedError,
    InconsistentGroupProtocolError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import get_logger

from streams.clock import wall_ms
from streams.fetched import FetchedRecord, fetched
from streams.membership import ASSIGNORS, OtherDelivery
from streams.packed import look_into
from streams.places import TAKEN, Place, starts

logger = get_logger(__name__)

GATHER_MS = 16
"""How long the broker waits for more, while records come."""
GATHER_BYTES = 64 * 1024
"""How much is worth no more waiting."""
QUIET_MS = 150
"""How long the broker holds a fetch that brings nothing. A partition that is released waits for this at most, and a quiet
one's clock goes on in steps of it, as an answer holds for the moment of its question."""
MAX_RECORDS = 4000
"""How many records one poll hands on."""
MAX_BYTES = 8 * 1024 * 1024
"""How much one poll hands on. What a fetch brings may be a thousand times as much when it is unpacked, and is unpacked
only as it is taken."""
FEWEST, MOST = 16, 250
"""After how many records it is looked how much they are."""
ANSWER_MS = 25_000
"""How long a request may take: more than a rebalance does in which a member is missed, as joining the group waits for
its session to run out; not much more, as a connection to a broker that went away may be noticed by this alone."""
FRESH_MS = 2000
"""How old the latest answer of the broker may be that says that there is no more."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one fetch brought of one partition."""

    tp: TP
    epoch: int
    """Of the ``go_to`` that it follows from; what was fetched before another one is to be dropped."""
    start: int
    """The end of the batch before it: where they differ, one was lost on the way."""
    end: int
    """The offset to go on from."""
    records: Sequence[FetchedRecord]
    ends: Mapping[str, int]
    """Up to where each of the partition's topics has been handed on, this batch included, if the broker had no more
    of it then. One that is not named may have more."""


@dataclass(slots=True)
class _Mark:
    """How far a partition has been handed on."""

    epoch: int
    end: int


class BatchThread(driver.AIOKafkaConsumerThread):
    """The consumer's thread: all methods but the constructor run there."""

    _consumer: AIOKafkaConsumer | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._marks: dict[TP, _Mark] = {}
        self._untaken: dict[TP, int | None] = {}
        """Where each began of which nothing had been taken."""
        self._together: dict[int, list[TP]] = {}
        """What is read of each partition number."""
        self._asked_ms: dict[TP, int] = {}
        """When the latest answer of each partition was asked for."""
        self._patience_s = QUIET_MS / 1000

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        app: Any = self.app
        return AIOKafkaConsumer(
            **app.connection.options(),
            client_id="livesegments",
            group_id=app.conf.id,
            group_instance_id=app.instance,
            partition_assignment_strategy=[ASSIGNORS[app.delivery]],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(app.conf.broker_session_timeout * 1000),
            heartbeat_interval_ms=int(app.conf.broker_heartbeat_interval * 1000),
            rebalance_timeout_ms=int(app.conf.broker_rebalance_timeout * 1000),
            request_timeout_ms=ANSWER_MS,
            fetch_max_wait_ms=QUIET_MS,
            isolation_level="read_committed",
        )

    async def on_thread_stop(self) -> None:
        """Leaves the group, and closes the connections."""
        try:
            await super().on_thread_stop()
        except asyncio.CancelledError:
            # aiokafka cancels a fetch that waits for a broker that is away, and is then struck by that itself.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise

    def begin_assignment(self, assigned: Iterable[TP]) -> None:
        """Forgets the partitions of before, and holds the new ones until ``go_to``."""
        self._marks.clear()
        self._together.clear()
        self._asked_ms.clear()
        consumer = self._ensure_consumer()
        consumer.pause(*(TopicPartition(*tp) for tp in assigned))
        self._follow_answers(consumer._fetcher)

    def _follow_answers(self, fetcher: Any) -> None:
        """Aiokafka knows when an answer has come. But one may come long after it was given, over a slow network or to
        a process that was stopped; so what it says holds for the moment of the question, and for none after it.

        What an answer brings is given out as ``FetchedRecord``."""
        usual = type(fetcher)._proc_fetch_request

        async def ask(assignment: Any, node_id: Any, request: Any) -> Any:
            asked_ms = wall_ms()
            result = await usual(fetcher, assignment, node_id, request)
            for topic, partitions in request.topics if assignment.active else ():
                for number, *_ in partitions:
                    tp = TopicPartition(topic, number)
                    came_ms = assignment.state_value(tp).timestamp
                    if came_ms is not None and came_ms >= asked_ms:
                        self._asked_ms[TP(topic, number)] = asked_ms
                    if isinstance(brought := fetcher._records.get(tp), FetchResult):
                        brought._partition_records._consumer_record = fetched
            return result

        fetcher._proc_fetch_request = ask
        app: Any = self.app
        look_into(fetcher, app.most_unpacked_bytes)

    async def fetch(self) -> list[Batch]:
        """What has come, after waiting for it for a moment; in time order within a partition."""
        consumer = self._ensure_consumer()
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        try:
            with fetcher._subscriptions.fetch_context():
                fetched = await _fetched(fetcher, self._patience_s)
        except KafkaError as error:
            logger.warning("Kafka does not let us read: %s; trying again", error or type(error).__name__)
            await asyncio.sleep(1)
            return []
        self._tune(fetcher, gather=bool(fetched))
        # No await from here on: what is handed on and what is said of it (``at_end``) must agree.
        ends: dict[int, dict[str, int]] = {tp.partition: {} for tp in fetched}
        batches = [self._batch(tp, records, ends[tp.partition]) for tp, records in fetched.items()]
        now_ms = wall_ms()
        for number, found in ends.items():
            for tp in self._together.get(number, ()):
                if self._is_read(tp, now_ms):
                    found[tp.topic] = self._marks[tp].end
        return [batch for batch in batches if batch is not None]

    def _tune(self, fetcher: Any, *, gather: bool) -> None:
        if gather:
            fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = GATHER_BYTES, GATHER_MS
            self._patience_s = 3 * GATHER_MS / 1000
        else:
            fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = 1, QUIET_MS
            self._patience_s = 1.0

    def _batch(self, tp: TP, records: Sequence[FetchedRecord], ends: Mapping[str, int]) -> Batch | None:
        mark, state = self._marks.get(tp), self._state_of(tp)
        if mark is None or state is None or not state.has_valid_position:
            return None
        start, mark.end = mark.end, state.position
        return Batch(TP(*tp), mark.epoch, start, mark.end, records, ends)

    async def go_to(self, offsets: Mapping[TP, int | None], epoch: int) -> dict[TP, int]:
        """Reads the partitions from these offsets on (None: the beginning); returns from where it is.

        Raises PartitionStopped where they cannot be right (see ``streams.places``), KafkaError where nobody answers.
        """
        consumer = self._ensure_consumer()
        known = await self._places(offsets)
        places: dict[TP, int] = {}
        for number in {tp.partition for tp in offsets}:
            of_number = {tp.topic: place for tp, place in known.items() if tp.partition == number}
            begun = starts(number, of_number)
            places |= {TP(topic, number): offset for topic, offset in begun.items()}
        for tp, place in places.items():
            consumer.seek(TopicPartition(*tp), place)
            self._marks[tp] = _Mark(epoch, place)
            self._untaken[tp] = place if offsets[tp] is None else None
        for number in {tp.partition for tp in places}:
            self._together[number] = [tp for tp in places if tp.partition == number]
        self.release(places)
        return places

    async def _places(self, offsets: Mapping[TP, int | None]) -> dict[TP, Place]:
        consumer = self._ensure_consumer()
        wanted = [TopicPartition(*tp) for tp in offsets]
        begins, ends = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
        unknown = [TopicPartition(*tp) for tp, offset in offsets.items() if offset is None]
        told = await consumer._coordinator.fetch_committed_offsets(unknown) if unknown else {}
        places = {}
        for tp, offset in offsets.items():
            group = told.get(TopicPartition(*tp))
            committed = None if group is None or group.offset < 0 else group.offset
            taken = group is not None and group.metadata == TAKEN
            places[tp] = Place(offset, begins[tp], ends[tp], committed, taken)
        return places

    def hold(self, tps: Iterable[TP]) -> None:
        """Fetches nothing of these partitions any more. What had come and was not handed on comes again later."""
        consumer = self._ensure_consumer()
        consumer.pause(*self._assigned(tps))

    def release(self, tps: Iterable[TP]) -> None:
        """Goes on fetching. What the broker said before that there is does not count any more."""
        consumer = self._ensure_consumer()
        for tp in tps:
            if (state := self._state_of(tp)) is not None:
                state.timestamp = None
        consumer.resume(*self._assigned(tps))
        consumer._fetcher._notify(consumer._fetcher._wait_consume_future)

    async def at_end(self, done: Mapping[TP, int]) -> int | None:
        """A moment (milliseconds UTC), not long ago, at which the broker had nothing that is not done; None if it may
        have had."""
        now_ms = wall_ms()
        sure_ms = now_ms
        for tp, offset in done.items():
            mark, asked_ms = self._marks.get(tp), self._asked_ms.get(tp)
            if mark is None or mark.end != offset or asked_ms is None or not self._is_read(tp, now_ms):
                return None
            sure_ms = min(sure_ms, asked_ms)
        return sure_ms

    def _is_read(self, tp: TP, now_ms: int) -> bool:
        """Whether, by the broker's latest answer, it has no more of a partition than has been handed on."""
        state = self._state_of(tp)
        if state is None or not state.has_valid_position or state.highwater is None or state.paused:
            return False
        # The end that counts is that of decided transactions.
        if state.position < (state.lso if state.lso is not None else state.highwater):
            return False
        if now_ms - (state.timestamp or 0) > FRESH_MS:
            return False
        return tp not in self._ensure_consumer()._fetcher._records

    async def check_group(self) -> None:
        """Lets membership of the group go on after an error: aiokafka waits until somebody has looked at it.

        Raises what has ended it for good; OtherDelivery where that is the other members' way of delivery.
        """
        coordinator = self._consumer and self._consumer._coordinator
        if coordinator is None:
            return
        try:
            coordinator.check_errors()
        except InconsistentGroupProtocolError as error:
            app: Any = self.app
            raise OtherDelivery(app.conf.id, app.delivery) from error
        except KafkaError as error:
            if coordinator._coordination_task.done():
                raise
            logger.warning(
                "the consumer group does not take us: %s; trying again", str(error) or type(error).__name__
            )

    async def ends(self, tps: Sequence[TP]) -> dict[TP, int]:
        """The offset after the last record of each partition, asked from the broker.

        Raises KafkaError, such as UnknownTopicOrPartitionError at once where a topic is gone.
        """
        consumer = self._ensure_consumer()
        known = consumer._client.cluster
        for topic in {tp.topic for tp in tps}:
            if topic in known.unauthorized_topics:
                await consumer._client.force_metadata_update()
                raise TopicAuthorizationFailedError(_forbidden(topic))
            if known.partitions_for_topic(topic) is None:
                # So that it is noticed when it is there again: the client itself looks every few minutes.
                await consumer._client.force_metadata_update()
                raise UnknownTopicOrPartitionError(f"the topic {topic} does not exist any more: make it anew")
        try:
            ends = await consumer.end_offsets([TopicPartition(*tp) for tp in tps])
        except TopicAuthorizationFailedError as error:
            topics = " and ".join(sorted({tp.topic for tp in tps}))
            raise TopicAuthorizationFailedError(_forbidden(topics)) from error
        return {TP(*tp): self._end(TP(*tp), end) for tp, end in ends.items()}

    def _end(self, tp: TP, end: int) -> int:
        """Where the records end: not behind the mark of a transaction, which would count as one that waits for ever."""
        mark, state = self._marks.get(tp), self._state_of(tp)
        if mark is None or state is None or not state.has_valid_position:
            return end
        return mark.end if mark.end < end <= state.position else end

    async def tell(self, offsets: Mapping[TP, int]) -> None:
        """Commits offsets to the group: for those who look at its lag, and so that lost state is noticed."""
        told = {
            tp: OffsetAndMetadata(offsets[TP(*tp)], self._word(TP(*tp), offsets[TP(*tp)]))
            for tp in self._assigned(offsets)
        }
        if told:
            await self._ensure_consumer().commit(told)

    def _word(self, tp: TP, offset: int) -> str:
        return "" if offset == self._untaken.get(tp) else TAKEN

    def _assigned(self, tps: Iterable[TP]) -> list[TopicPartition]:
        assignment = self._ensure_consumer().assignment()
        return [tp for tp in (TopicPartition(*tp) for tp in tps) if tp in assignment]

    def _state_of(self, tp: TP) -> Any:
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription and subscription.assignment
        return assignment and assignment.state_value(tp)


async def _fetched(fetcher: Any, patience_s: float) -> dict[TopicPartition, list[FetchedRecord]]:
    """What has come, up to the bounds of a poll; waits for it for a moment. Raises KafkaError."""
    found: dict[TopicPartition, list[FetchedRecord]] = {}
    count, size, step = 0, 0, FEWEST
    while count < MAX_RECORDS and size < MAX_BYTES:
        try:
            some = await fetcher.fetched_records(None, timeout=0 if found else patience_s, max_records=step)
        except KafkaError:
            if not found:
                raise
            break  # it will come again, and what has been taken would not
        if not some:
            break
        for tp, records in some.items():
            found.setdefault(tp, []).extend(records)
            count += len(records)
            size += sum([record.size for record in records])
        # Half as many as would be enough, by what those before them were.
        step = min(max((MAX_BYTES - size) * count // (2 * size + 1), FEWEST), MOST)
    return found


def _forbidden(topics: str) -> str:
    return f"Kafka does not let us read {topics}: allow READ and DESCRIBE"
