"""A Redis Cluster: a `Line` to each primary, and each command to the one that has the slot of its keys.

Where a slot is, is read from the cluster when first needed, and corrected by what the nodes say: one that does not
have a slot names the one that has it (MOVED), and has done nothing. The slots of a node that fails are asked for again
at their next use, so that whoever has taken them over is found, and the slots of all others are not held up.

A slot that is on its way to another node (ASK, TRYAGAIN) or that nobody serves (CLUSTERDOWN) is trouble, for the
caller to try again: while keys are in two places, no script can work on all of them anyway.
"""

import asyncio
from collections import Counter
from itertools import count
from typing import Any

from redis.crc import key_slot
from redis.exceptions import ClusterDownError, MovedError, NoScriptError, ResponseError

from streams.store.errors import StoreUnavailable, Trouble
from streams.store.line import Line, unavailable
from streams.store.nodes import Address, owners, slot_of

_REDIRECTIONS = 4
"""Nodes that do not agree yet may send a command to and fro."""


class Cluster:
    """`first` is a line to any node of the cluster, at `url`; user, password and options of it hold for all nodes."""

    def __init__(self, url: str, timeout_s: float, first: Line) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._entrance = Address.of(url)
        self._lines = {self._entrance: first}
        self._owners: dict[int, Address] = {}
        """Of a slot that is missing here, the owner is asked for at its next use."""
        self._known = {self._entrance}
        self._doubted: set[Address] = set()
        """Nodes that could not do their work since owners were read last: one that is cut off from the others may still
        take itself for an owner, so it is believed only where no other node answers."""
        self._closed = False
        self._reading: asyncio.Task[None] | None = None

    async def ask(self, *command: str | bytes | int) -> Any:
        """As `Line.ask`, for a command whose keys all have one slot. Errors name the node."""
        slot = slot_of(command)
        for _ in range(_REDIRECTIONS):
            node = self._owners.get(slot) or await self._owner(slot)
            try:
                return await self.line(node).ask(*command)
            except MovedError as moved:
                self._owners[slot] = owner = Address(moved.host or node.host, moved.port)
                self._known.add(owner)
            except NoScriptError:
                raise
            except ResponseError as error:
                if isinstance(error, ClusterDownError):
                    self._doubt(node)
                raise _at(node, unavailable(error)) from error
            except StoreUnavailable as error:
                self._doubt(node)
                raise _at(node, error) from error
        raise StoreUnavailable(Trouble.CLUSTER, f"its nodes do not agree on who has slot {slot}")

    async def shares(self) -> Counter[Address]:
        """How many slots each primary has that has any."""
        await self._read_once()
        return Counter(self._owners.values())

    def tags(self) -> dict[Address, str]:
        """Of each of them a hash tag whose slot it has."""
        left = set(self._owners.values())
        found: dict[Address, str] = {}
        for tag in map(str, count()):
            if not left:
                return found
            node = self._owners.get(key_slot(tag.encode()))
            if node in left:
                left.remove(node)
                found[node] = tag
        raise AssertionError

    def line(self, node: Address) -> Line:
        """Raises StoreUnavailable where there cannot be one."""
        if node not in self._lines:
            if self._closed:
                raise StoreUnavailable(Trouble.CONNECTION, "the store is closed")
            try:
                self._lines[node] = Line(node.put_into(self._url), self._timeout_s)
            except ValueError as error:  # would tell that a command cannot be spelled
                raise StoreUnavailable(Trouble.ERROR, f"no node can be at {node}: {error}") from error
        return self._lines[node]

    async def close(self) -> None:
        self._closed = True
        await asyncio.gather(*[line.close() for line in self._lines.values()])
        if self._reading is not None:
            await asyncio.wait([self._reading])

    def _doubt(self, node: Address) -> None:
        self._doubted.add(node)
        self._owners = {slot: owner for slot, owner in self._owners.items() if owner != node}

    async def _owner(self, slot: int) -> Address:
        await self._read_once()
        owner = self._owners.get(slot)
        if owner is None:
            raise StoreUnavailable(Trouble.CLUSTER, f"no node of the cluster serves slot {slot}")
        return owner

    async def _read_once(self) -> None:
        """Whoever needs the owners at the same time waits for the same answer."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        doubted = self._doubted & self._known
        try:
            self._owners = await self._told_by_first(self._known - doubted)
        except StoreUnavailable:
            if not doubted:
                raise
            self._owners = await self._told_by_first(doubted)
        self._known = {self._entrance, *self._owners.values()}
        self._doubted.clear()
        await self._close_idle()

    async def _told_by_first(self, nodes: set[Address]) -> dict[int, Address]:
        """Asks all of them at once, so that one without an answer holds up nothing, and believes the first that knows."""
        trouble = StoreUnavailable(Trouble.CONNECTION, "no other node of the cluster is known")
        asked = [asyncio.create_task(self._told_by(node)) for node in nodes]
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    return await answer
                except StoreUnavailable as error:
                    trouble = error
            raise trouble
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)  # what the others said is heard, and dropped

    async def _told_by(self, node: Address) -> dict[int, Address]:
        try:
            found = owners(await self.line(node).ask("CLUSTER", "SLOTS"), node)
        except StoreUnavailable as error:
            raise _at(node, error) from error
        except ResponseError as error:
            raise _at(node, unavailable(error)) from error
        except ValueError as error:
            raise StoreUnavailable(Trouble.ERROR, f"{node}: {error}") from error
        if not found:
            raise StoreUnavailable(Trouble.CLUSTER, f"{node}: no node of its cluster has slots")
        return found

    async def _close_idle(self) -> None:
        """Nodes come and go, and get other addresses: lines to those that have no slots any more are ended."""
        gone = [each for each, line in self._lines.items() if each not in self._known and line.is_idle]
        await asyncio.gather(*[self._lines.pop(node).close() for node in gone])


def _at(node: Address, error: StoreUnavailable) -> StoreUnavailable:
    return StoreUnavailable(error.trouble, f"{node}: {error.detail}")
