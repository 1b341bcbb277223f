"""The network between workers and servers: one proxy for each worker and server, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.proxy import Proxy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Link:
    """The way from one worker to one server. Its methods may be called from any thread."""

    name: str
    port: int
    """Where the worker connects to."""
    _proxy: Proxy
    _loop: asyncio.AbstractEventLoop

    def delay(self, seconds: float) -> None:
        """Everything takes so much longer, in both directions."""
        self._call(lambda: setattr(self._proxy, "delay_s", seconds))

    def cut(self) -> None:
        """All connections are reset."""
        self._call(self._proxy.cut)

    def half_open(self) -> None:
        """The server loses all connections, and the worker is not told."""
        self._call(self._proxy.half_open)

    def swallow(self) -> None:
        """Nothing gets through any more, and nobody is told."""
        self._call(self._proxy.swallow)

    def swallow_at(self, request: Callable[[bytes], bool]) -> None:
        """The same, but only from the first request on of which this is true."""
        self._call(lambda: setattr(self._proxy, "swallow_at", request))

    @property
    def is_swallowing(self) -> bool:
        return self._proxy.is_swallowing

    def mute(self) -> None:
        """What the worker asks gets through, the answers are gone."""
        self._call(lambda: setattr(self._proxy, "silent", True))

    def heal(self) -> None:
        """All is well again. Connections of which something was lost are reset."""

        def heal() -> None:
            if self._proxy.silent:
                self._proxy.cut()
            self._proxy.heal()

        self._call(heal)

    def _call(self, action: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(action)


class Network:
    """Starts with ``start``, ends with ``stop``."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._proxies: list[Proxy] = []

    def start(self) -> None:
        self._thread.start()

    def link(self, name: str, host: str, port: int, listening: int = 0) -> Link:
        """A way to a server, through a port of its own (0: any)."""
        proxy = Proxy(host, port)
        self._proxies.append(proxy)
        return Link(name, self._run(proxy.start(listening)), proxy, self._loop)

    def stop(self) -> None:
        for proxy in self._proxies:
            self._run(proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(10)
