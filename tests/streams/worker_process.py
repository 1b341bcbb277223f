"""A worker as a process of its own, whose lanes keep what they take in files: to be stopped and killed by tests.

Run with the settings in the environment, and the directory of the files as the argument.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from streams.errors import StreamsError
from streams.fetched import FetchedRecord
from streams.logs import set_up_logs
from streams.outbox import Output
from streams.progress import Progress
from streams.publisher import KafkaPublisher
from streams.runner import Lane
from streams.settings import load_settings
from streams.worker import work


class FileLane:
    """Keeps one line a record; what it has kept says where to go on."""

    def __init__(self, partition: int, folder: Path, publisher: KafkaPublisher, out: str) -> None:
        self.next_wake_ms: int | None = None
        self.trouble: Exception | None = None
        self.has_work = self.is_sweeping = False
        self._partition, self._path = partition, folder / f"{partition}"
        self._publisher, self._out = publisher, out

    async def start(self) -> dict[str, int]:
        kept = taken(self._path)
        self._path.write_text("".join(f"{topic} {offset} {value}\n" for topic, offset, value in kept))
        return {topic: offset + 1 for topic, offset, _ in kept}

    async def handle(self, records: Mapping[str, Sequence[FetchedRecord]]) -> None:
        lines = [
            f"{topic} {record.offset} {(record.value or b'').decode()}\n"
            for topic, of_topic in records.items()
            for record in of_topic
        ]
        await asyncio.sleep(float(os.environ.get("SLOW_S", "0")))
        with self._path.open("a") as file:
            file.write("".join(lines))
        await self._publisher.publish(
            [
                Output(self._out, self._partition, None, record.value, [])
                for of_topic in records.values()
                for record in of_topic
            ]
        )

    async def tick(self, clock_ms: int | None) -> None:
        """Nothing is due."""

    async def close(self) -> None:
        """It has nothing of its own."""


def taken(path: Path) -> list[tuple[str, int, str]]:
    """What is in a lane's file; a last line that was cut off does not count."""
    if not path.exists():
        return []
    rows = [line.split() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [(topic, int(offset), value) for topic, offset, value in rows]


async def main() -> None:
    settings, _ = load_settings(env_file=None)
    folder = Path(sys.argv[1])

    @asynccontextmanager
    async def open_lanes(partitions: int, publisher: KafkaPublisher) -> AsyncIterator[Callable[[int], Lane]]:
        yield lambda number: FileLane(number, folder, publisher, settings.transitions_topic)

    await work(settings, open_lanes, Progress(), patience_s=float(os.environ.get("PATIENCE_S", "60")))


if __name__ == "__main__":
    set_up_logs("info", "console")
    try:
        asyncio.run(main())
    except StreamsError as error:
        sys.exit(f"error: {error}")
