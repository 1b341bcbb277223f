"""A TCP proxy before a real server: it delays, cuts, half-opens and swallows, as a network does at its worst."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit


@dataclass(eq=False, slots=True)
class _Link:
    """One connection: the client's side of it and the server's."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    deaf: bool = False
    """The client is left with an open connection behind which nobody is any more."""

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class Proxy:
    """To be used in the event loop in which it was started."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.connections = 0
        self.cut_at_answer = False
        """The next answers are swallowed, and their connections cut."""
        self.silent = False
        """Answers are swallowed, and nothing else happens."""
        self.delay_s = 0.0
        """How long everything is on its way, in both directions."""
        self.swallow_at: Callable[[bytes], bool] | None = None
        """From the first request of which this is true, which is not let through any more, it is as after `swallow`."""

    async def start(self, port: int = 0) -> int:
        """Listens (0: on any free port), and says where."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        listening: int = self._server.sockets[0].getsockname()[1]
        return listening

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Resets all connections."""
        for link in self._links:
            link.abort()
        self._links.clear()

    def half_open(self) -> None:
        """The server loses all connections; the clients are not told, and what they send goes nowhere."""
        for link in self._links:
            link.deaf = True
            link.server.transport.abort()

    def swallow(self) -> None:
        """Nothing gets through any more, and nobody is told; what is sent waits, as in a network that tries again."""
        self._flowing.clear()

    @property
    def is_swallowing(self) -> bool:
        return not self._flowing.is_set()

    def heal(self) -> None:
        """All is well again, but for the connections that were lost."""
        self.cut_at_answer = self.silent = False
        self.delay_s = 0.0
        self.swallow_at = None
        self._flowing.set()
        for link in [link for link in self._links if link.deaf]:
            link.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self._flowing.wait()
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(writer, server_writer)
        self._links.add(link)
        try:
            await asyncio.gather(self._ask(link, reader), self._answer(link, server_reader))
        finally:
            link.abort()
            self._links.discard(link)

    async def _ask(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while chunk := await self._next(reader):
                if self.swallow_at is not None and self.swallow_at(chunk):
                    self.swallow_at = None
                    self.swallow()
                    await self._flowing.wait()
                if not link.deaf:
                    link.server.write(chunk)
                    await link.server.drain()
        link.abort()

    async def _answer(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while chunk := await self._next(reader):
                if self.cut_at_answer:
                    self.cut()
                    return
                if not self.silent:
                    link.client.write(chunk)
                    await link.client.drain()
        if not link.deaf:
            link.abort()

    async def _next(self, reader: asyncio.StreamReader) -> bytes:
        chunk = await reader.read(65536)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        await self._flowing.wait()
        return chunk


@contextlib.asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before the server at `url`, and the URL that leads through it."""
    parts = urlsplit(url)
    proxy = Proxy(parts.hostname or "127.0.0.1", parts.port or 6379)
    port = await proxy.start()
    try:
        yield proxy, urlunsplit(parts._replace(netloc=f"127.0.0.1:{port}"))
    finally:
        await proxy.stop()
