"""Events from a file or a pipe to the events topic, as fast as the broker takes them."""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from streams.brokers import partition_count
from streams.connections import KafkaConnection
from streams.errors import StreamsError
from streams.intake import home
from streams.outbox import Output, PublishFailed
from streams.publisher import KafkaPublisher
from streams.wire.envelope import envelope

AT_ONCE = 2_000
"""Lines that are sent together at most."""
MOST_BYTES = 900_000
"""A longer line is not sent: no topic with the broker's own settings takes it."""


class SendingFailed(StreamsError):
    """The broker refuses; what was sent before it is there."""


@dataclass(slots=True)
class Sent:
    """What has been acknowledged so far."""

    lines: int = 0
    unkeyed: int = 0
    """Lines that say of no contact: they become dead letters."""
    too_long: int = 0


class _Feed:
    """Lines that a thread reads ahead, so that those of a slow pipe are sent when they come."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._room = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None
        # A daemon: a read of standard input cannot be broken off, and must not keep this process from ending.
        threading.Thread(target=self._read, daemon=True, name="reading events").start()

    async def take(self, most: int) -> list[tuple[int, bytes]]:
        """The next lines with their numbers, from 1; waits for the first. Empty at the end."""
        while not self._waiting and not self._ended:
            self._arrived.clear()
            if not self._waiting and not self._ended:
                await self._arrived.wait()
        if not self._waiting and self._error is not None:
            raise self._error
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        with self._room:
            self._room.notify()
        return taken

    def _read(self) -> None:
        try:
            for number, line in enumerate(self._lines, start=1):
                if len(self._waiting) >= 5 * AT_ONCE:
                    with self._room:
                        self._room.wait_for(lambda: len(self._waiting) < 4 * AT_ONCE)
                self._waiting.append((number, line))
                if not self._arrived.is_set():
                    self._tell()
        except Exception as error:  # noqa: BLE001 - raised again where the lines are taken
            self._error = error
        self._ended = True
        self._tell()

    def _tell(self) -> None:
        # Who does not wait any more (Ctrl-C) has closed the loop.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._arrived.set)


async def send(
    lines: Iterable[bytes],
    connection: KafkaConnection,
    topic: str,
    *,
    event_time: bool,
    per_second: int | None = None,
    told: Callable[[Sent], None],
    refused: Callable[[int, str], None],
) -> Sent:
    """Sends each line that is not blank, in order, keyed by its contact. Returns when all are acknowledged.

    ``told`` is called as it goes on; ``refused`` with the number of a line that is not sent, and why.
    Raises SendingFailed, and what ``streams.brokers.partition_count`` does.
    """
    partitions = await partition_count(connection, topic)
    publisher = KafkaPublisher(connection)
    feed, sent, begun = _Feed(lines), Sent(), time.monotonic()
    at_once = AT_ONCE if per_second is None else max(1, min(AT_ONCE, per_second // 20))
    try:
        while taken := await feed.take(at_once):
            outputs = []
            for number, written in taken:
                line = written.strip()
                if len(line) > MOST_BYTES:
                    sent.too_long += 1
                    refused(number, f"longer than {MOST_BYTES:,} bytes")
                elif line:
                    outputs.append(_output(line, topic, number, partitions, event_time=event_time))
            await publisher.publish(outputs)
            sent.lines += len(outputs)
            sent.unkeyed += sum(output.key is None for output in outputs)
            told(sent)
            if per_second is not None:
                await asyncio.sleep(begun + sent.lines / per_second - time.monotonic())
    except PublishFailed as error:
        raise SendingFailed(f"{error} ({sent.lines:,} lines were sent before)") from error
    finally:
        await publisher.stop()
    return sent


def _output(line: bytes, topic: str, number: int, partitions: int, *, event_time: bool) -> Output:
    key, headers = envelope(line, event_time=event_time)
    partition = number % partitions if key is None else home(key.decode(), partitions)
    return Output(topic, partition, key, line, headers)
