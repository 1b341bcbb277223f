"""The demo: a real Kafka, a real Redis, a worker and simulated shoppers, for as long as somebody looks."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streams.cli.command import Command, Section
from streams.cli.moments import Duration
from streams.cli.terminal import ProgressLine
from streams.cli.transition_lines import columns, transition_line
from streams.errors import StreamsError

if TYPE_CHECKING:
    from streams.local.processes import GuardedServer
    from streams.settings import Settings

DEFINITIONS = Path(__file__).parent.parent / "demo_segments"
SHOPPERS = 24
TICK_S = 0.1


class WorkerEnded(StreamsError):
    """The demo's worker is gone; the message is the last that it said."""


@dataclass(slots=True)
class Shown:
    """What has happened so far."""

    events: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """Transitions by ``entered`` and ``left``, and by ``time``."""
    begun: float = field(default_factory=time.monotonic)

    def summary(self) -> str:
        kinds = self.kinds
        return (
            f"{time.monotonic() - self.begun:.0f} s: {self.events:,} events, "
            f"{kinds['entered'] + kinds['left']:,} transitions "
            f"({kinds['entered']:,} entered, {kinds['left']:,} left; {kinds['time']:,} of them by time alone)"
        )


@click.command(
    "demo",
    cls=Command,
    section=Section.START,
    examples=[
        "segments demo",
        "segments demo --for 60s",
        "segments demo --json | jq .properties.audience_key",
    ],
)
@click.option("--for", "for_ms", type=Duration(), help="End after this long, such as 60s.")
@click.option(
    "--shoppers", type=click.IntRange(1, 10_000), default=SHOPPERS, show_default=True, help="How many."
)
@click.option("--json", "as_json", is_flag=True, help="The transitions as they are published, one a line.")
def demo(for_ms: int | None, shoppers: int, *, as_json: bool) -> None:
    """See contacts enter and leave segments, on this machine.

    Starts a real Kafka and a real Redis, a worker, and simulated shoppers; shows each transition as it happens, and
    why. Ctrl-C ends all of it and leaves nothing behind. The first start on a machine fetches Kafka (45 MB).
    """
    from streams.local import stack
    from streams.local.ports import free_ports

    with ExitStack() as ending, ProgressLine() as line:
        ending.enter_context(_without_own_settings())
        endpoints = ending.enter_context(stack.running(progress=line.step, usual_ports=False))
        line.step("Starting a worker")
        environment = {
            **endpoints.environment(),
            "SEGMENTS_DEFINITIONS": str(DEFINITIONS),
            "SEGMENTS_METRICS_PORT": str(free_ports(1)[0]),
        }
        from streams.settings import load_settings

        settings, _ = load_settings(environment, env_file=None)
        worker = _start_worker(environment, ending)
        line.clear()
        if not as_json:
            _tell(environment, shoppers)
        shown = Shown()
        number = asyncio.run(_show(settings, worker, shown, shoppers, for_ms, as_json=as_json))
        click.echo(click.style(shown.summary(), bold=True), err=as_json)
    if number is not None:
        raise click.exceptions.Exit(128 + number)


@contextmanager
def _without_own_settings() -> Iterator[None]:
    """The user's settings are those of another installation; the demo has a small world of its own."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("SEGMENTS_")}
    for name in kept:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(kept)


def _start_worker(environment: dict[str, str], ending: ExitStack) -> "GuardedServer":
    """A worker as a process of its own, which ends with this one however that ends."""
    import tempfile

    from streams.local.processes import GuardedServer

    folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="livesegments-worker-")))
    settings = [f"{name}={value}" for name, value in environment.items()]
    # No time to stop: what it has in hand is thrown away with all the rest.
    worker = GuardedServer(
        ["env", *settings, sys.executable, "-m", "streams.cli", "worker"], folder, grace_s=0
    )
    ending.callback(worker.stop)
    return worker


def _tell(environment: dict[str, str], shoppers: int) -> None:
    bold = {"bold": True}
    words = " ".join(f"{name}={environment[name]}" for name in ("SEGMENTS_KAFKA", "SEGMENTS_REDIS"))
    click.echo(
        click.style("livesegments", **bold)
        + f": {shoppers} simulated shoppers on a real Kafka and a real Redis"
    )
    click.echo(
        "\nEach line is a contact that enters or leaves a segment, and why. `event`: by what it just did;\n"
        "`time`: it did nothing, a window ran out. In brackets is what was measured.\n"
    )
    rows = {
        "Segments": f"{DEFINITIONS} (windows of seconds: you see them run out)",
        "Metrics": f"http://127.0.0.1:{environment['SEGMENTS_METRICS_PORT']}/metrics",
        "One contact": f"{words} SEGMENTS_DEFINITIONS={DEFINITIONS} segments explain ada",
        "Ctrl-C": "ends all of it",
    }
    for name, value in rows.items():
        click.echo(f"  {click.style(f'{name:<12}', **bold)} {value}")
    click.echo()


async def _show(
    settings: "Settings",
    worker: "GuardedServer",
    shown: Shown,
    shoppers: int,
    for_ms: int | None,
    *,
    as_json: bool,
) -> int | None:
    """Shows transitions until the time is over (None), or a signal comes (its number)."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int | None] = loop.create_future()

    def end(number: int | None) -> None:
        if not ended.done():
            ended.set_result(number)

    for caught in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(caught) is signal.SIG_IGN:
            continue  # nohup
        loop.add_signal_handler(caught, end, int(caught))
    ready = asyncio.Event()
    tasks = [
        asyncio.create_task(_shop(settings, shown, shoppers, ready)),
        asyncio.create_task(_print(settings, shown, ready, as_json=as_json)),
        asyncio.create_task(_guard(worker)),
    ]
    timing = asyncio.create_task(_time(settings, shown, for_ms, end))
    try:
        waiting: list[asyncio.Future[Any]] = [*tasks, ended]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        return ended.result()
    finally:
        for task in (*tasks, timing):
            task.cancel()
        await asyncio.gather(*tasks, timing, return_exceptions=True)


async def _time(settings: "Settings", shown: Shown, for_ms: int | None, end: Callable[[None], None]) -> None:
    """Ends the demo when its time is over, which begins when the worker is ready."""
    url = f"http://127.0.0.1:{settings.metrics_port}/ready"
    while not await asyncio.to_thread(_answers_well, url):  # noqa: ASYNC110 - another process sets no event
        await asyncio.sleep(TICK_S)
    shown.begun = time.monotonic()
    if for_ms is not None:
        await asyncio.sleep(for_ms / 1000)
        end(None)


def _answers_well(url: str) -> bool:
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=1):  # noqa: S310 - our own worker
            return True
    except OSError:
        return False


async def _shop(settings: "Settings", shown: Shown, shoppers: int, ready: asyncio.Event) -> None:
    """Sends what the shoppers do, as they do it."""
    from streams.connections import KafkaConnection
    from streams.intake import home
    from streams.outbox import Output
    from streams.publisher import KafkaPublisher
    from streams.simulator import Shoppers
    from streams.wire.envelope import envelope

    publisher = KafkaPublisher(KafkaConnection.of(settings))
    await ready.wait()
    crowd = Shoppers(shoppers, time.time_ns() // 1_000_000)
    try:
        while True:
            outputs = []
            for event in crowd.until(time.time_ns() // 1_000_000):
                value = json.dumps(event).encode()
                key, headers = envelope(value)
                partition = 0 if key is None else home(key.decode(), settings.partitions)
                outputs.append(Output(settings.events_topic, partition, key, value, headers))
            await publisher.publish(outputs)
            shown.events += len(outputs)
            await asyncio.sleep(TICK_S)
    finally:
        await publisher.stop()


async def _print(settings: "Settings", shown: Shown, ready: asyncio.Event, *, as_json: bool) -> None:
    from streams.connections import KafkaConnection
    from streams.topics import TopicNames, ensure
    from streams.watching import watch

    connection = KafkaConnection.of(settings)
    names = TopicNames.of(settings)
    await asyncio.to_thread(ensure, connection, names, settings.partitions)
    async for record in watch(connection, settings.transitions_topic, from_beginning=True, ready=ready.set):
        value: dict[str, Any] = json.loads(record.value)
        shown.kinds["entered" if value["event"] == "Audience Entered" else "left"] += 1
        shown.kinds[value["context"]["segment"]["reason"]] += 1
        click.echo(
            record.value.decode()
            if as_json
            else transition_line(value, _time_of_day(value["timestamp"]), 18, 18, columns())
        )


async def _guard(worker: "GuardedServer") -> None:
    """Ends only when the worker has."""
    from streams.local.processes import OUTPUT, last_line

    while not worker.has_ended():  # noqa: ASYNC110 - another process sets no event
        await asyncio.sleep(0.5)
    raise WorkerEnded(f"the demo's worker has ended: {last_line(worker.folder / OUTPUT)}")


def _time_of_day(timestamp: str) -> str:
    """Local time, as the clock on the wall shows it."""
    from rules.durations import parse_moment

    moment_ms = parse_moment(timestamp)
    return f"{time.strftime('%H:%M:%S', time.localtime(moment_ms / 1000))}.{moment_ms % 1000 // 100}"
