"""The way to Redis, whichever it is: one server by one line, or a cluster by a line to each primary."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import MovedError, ResponseError

from streams.store.cluster import Cluster
from streams.store.errors import StoreUnavailable, Trouble
from streams.store.line import Line
from streams.store.nodes import SLOTS, Address


@dataclass(frozen=True, slots=True)
class Primary:
    """One server that keeps data."""

    line: Line
    url: str = field(repr=False)
    """With user, password and options."""
    place: Address | None = None
    """None: there is no cluster."""
    tag: str | None = None
    """A hash tag whose slot it has."""
    slots: int = SLOTS


class Lines:
    """Finds out at the first use whether there is a cluster; a single server then costs one comparison for each command.

    Raises ValueError on a URL that is none of `redis://`, `rediss://`, `unix://`.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._first = Line(url, timeout_s)
        self._cluster: Cluster | None = None
        self._knows = False
        self._finding = asyncio.Lock()

    async def ask(self, *command: str | bytes | int) -> Any:
        """Redis' answer to one command that has keys, all of one slot where there is a cluster. Raises as `Line.ask`."""
        if not self._knows:
            await self._find_out()
        if self._cluster is None:
            try:
                return await self._first.ask(*command)
            except MovedError:  # it did not say what it is, or it is another one now
                self._become_cluster()
        assert self._cluster is not None
        return await self._cluster.ask(*command)

    async def primaries(self) -> list[Primary]:
        """The server, or all primaries of the cluster."""
        if not self._knows:
            await self._find_out()
        cluster = self._cluster
        if cluster is None:
            return [Primary(self._first, self._url)]
        shares = await cluster.shares()
        tags = cluster.tags()
        return [
            Primary(cluster.line(node), node.put_into(self._url), node, tags[node], shares[node])
            for node in sorted(shares, key=lambda node: (node.host, node.port))
        ]

    async def close(self) -> None:
        """Ends all connections; whoever still waits is told so."""
        await (self._first if self._cluster is None else self._cluster).close()

    async def _find_out(self) -> None:
        async with self._finding:
            if self._knows:
                return
            try:
                told = await self._first.ask("HELLO")  # what every user may ask, whatever else is denied
            except ResponseError:  # an old server, or something between: MOVED will tell
                told = None
            except StoreUnavailable as error:
                if error.trouble is Trouble.DENIED:
                    return  # the command that is to be sent says better why
                raise
            if (
                isinstance(told, list)
                and dict(zip(told[::2], told[1::2], strict=False)).get(b"mode") == b"cluster"
            ):
                self._become_cluster()
            self._knows = True

    def _become_cluster(self) -> None:
        if self._cluster is None:
            self._cluster = Cluster(self._url, self._timeout_s, self._first)
