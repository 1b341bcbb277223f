"""A consumer that notes when transitions come, and events too if it is asked to."""

import asyncio
import time
from typing import Self

import orjson
from aiokafka import AIOKafkaConsumer

from tests.integration.installation import Installation


class Watch:
    """Notes moments (seconds since 1970) by the message id of the event."""

    def __init__(self, installation: Installation, *, events: bool) -> None:
        self.events: list[tuple[str, float]] = []
        self.transitions: list[tuple[str, float]] = []
        topics = installation.topics
        self._events_topic = topics.events
        self._consumer = AIOKafkaConsumer(
            topics.transitions,
            *([topics.events] if events else []),
            bootstrap_servers=installation.kafka,
            auto_offset_reset="latest",
            isolation_level="read_committed",
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        # So that "latest" is decided before anything comes.
        await self._consumer.seek_to_end()
        for place in self._consumer.assignment():
            await self._consumer.position(place)
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})
        await self._consumer.stop()

    async def _watch(self) -> None:
        while True:
            for place, records in (await self._consumer.getmany(timeout_ms=200)).items():
                now = time.time()
                said = [orjson.loads(record.value) for record in records]
                if place.topic == self._events_topic:
                    self.events += [(event["messageId"], now) for event in said]
                else:
                    causes = [transition["context"]["segment"]["cause"] for transition in said]
                    self.transitions += [(cause, now) for cause in causes if cause is not None]
