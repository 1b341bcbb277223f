"""A whole worker process is stopped for longer than its session, as by a frozen machine, and goes on."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import pytest

from tests.integration.conftest import Install
from tests.integration.history import history
from tests.integration.installation import Installation, WorkerProcess, assert_came_true, outcome

EVENTS = 3000
SLOWER_S = 0.15


def _publish_slowly() -> None:
    """In the process that will be stopped: between its commit to Redis and its publishing, and with a transaction open,
    it takes its time. So that is where it is stopped, with whatever it has in hand."""
    from aiokafka import AIOKafkaProducer

    from streams.outbox import Output, Place
    from streams.transactions import TransactionalPublisher

    usual_publish, usual_commit = TransactionalPublisher.publish, TransactionalPublisher._commit

    async def publish(self: TransactionalPublisher, outputs: Sequence[Output]) -> Mapping[Place, int]:
        await asyncio.sleep(SLOWER_S)
        return await usual_publish(self, outputs)

    async def commit(self: TransactionalPublisher, producer: AIOKafkaProducer) -> None:
        await asyncio.sleep(SLOWER_S)
        await usual_commit(self, producer)

    TransactionalPublisher.publish = publish  # type: ignore[method-assign]
    TransactionalPublisher._commit = commit  # type: ignore[method-assign]


async def _until_said(worker: WorkerProcess, *texts: str, since: int = 0) -> None:
    until = time.monotonic() + 40
    while not (worker.log.exists() and any(text in worker.log.read_text()[since:] for text in texts)):
        assert time.monotonic() < until, f"it does not say {texts}:\n{worker.said()}"
        await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_a_worker_that_was_stopped_past_its_session_publishes_nothing_when_it_goes_on(
    install: Install,
) -> None:
    installation = install()
    sent = history(17, EVENTS, installation.partitions)
    paused, successor = (installation.worker(delivery="exactly_once") for _ in range(2))
    paused.first = _publish_slowly
    paused.start()
    producing = asyncio.create_task(installation.produce(sent, pause_s=0.1, at_once=20))
    await installation.until_taken(200)
    paused.pause()
    in_hand = len(await installation.unpublished())
    said = len(paused.log.read_text())
    successor.start()
    await _until_said(successor, "partitions 0, 1, 2, 3 are assigned")
    await _until_all_go_on(installation)
    paused.resume()
    # What it had in hand is refused: by the brokers as a rule, by Redis where it was about to commit.
    await _until_said(paused, "its transactions are refused", "is not in force", since=said)
    await producing
    await installation.drained()
    assert paused.is_running
    for worker in (paused, successor):
        worker.stop()
    print(f"{in_hand} outputs were in hand")
    assert in_hand > 0
    await assert_came_true(installation, outcome(sent))


async def _until_all_go_on(installation: Installation) -> None:
    """Returns when more of each partition is part of the state than now."""
    topic, numbers = installation.topics.events, range(installation.partitions)
    before, until = installation.stored_offsets()[topic], time.monotonic() + 40

    def all_do() -> bool:
        stored = installation.stored_offsets()[topic]
        return all(stored.get(number, 0) > before.get(number, 0) for number in numbers)

    while not all_do():
        assert time.monotonic() < until, installation.workers[-1].said()
        await asyncio.sleep(0.1)
