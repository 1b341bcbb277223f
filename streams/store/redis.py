"""The store in Redis, or Valkey: `keys` says what is stored, `commit.lua` what is atomic."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import chain
from typing import Any, TypeVar

from redis.exceptions import NoScriptError, ResponseError

from streams.store import Commit, CommitResult, Enrolled, Glance, Observe, PartitionState, keys
from streams.store.errors import (
    FenceLost,
    NoSuchDatabase,
    OffsetMismatch,
    PartitionCountMismatch,
    PartitionMoved,
    StateMoved,
    StoreDenied,
    StoreUnavailable,
    Trouble,
)
from streams.store.keeping import keeping_warnings
from streams.store.keys import PartitionKeys
from streams.store.line import unavailable
from streams.store.lines import Lines, Primary
from streams.store.ownership import Ownership

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")
_Argument = str | bytes | int


class _Script:
    def __init__(self, name: str) -> None:
        self.source = files(__package__).joinpath(f"{name}.lua").read_bytes()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest()


_COMMIT, _ENROL, _FORGET, _REGISTER, _RIGHTS, _SIZES, _TAKE = (
    _Script(name) for name in ("commit", "enrol", "forget", "register", "rights", "sizes", "take")
)


def _pairs(flat: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _flat(pairs: Mapping[str, _Argument]) -> list[_Argument]:
    flat: list[_Argument] = [0] * (2 * len(pairs))
    flat[::2], flat[1::2] = pairs, pairs.values()  # all of it in C, and no tuple made of each pair
    return flat


def _ms(score: bytes) -> int:
    return int(float(score))  # scores are floating-point numbers, exact up to 2**53


def commit_command(
    commit: Commit, number: int, partition: PartitionKeys
) -> tuple[list[str], list[_Argument]]:
    """The keys and arguments of `commit.lua`.

    A flat list is what costs least: everything is packed by hiredis as it is, with no work here per contact.
    """
    fixed = (partition.state, partition.offsets, partition.meta, partition.counts)
    touched = [*fixed, partition.contacts, partition.wakes, partition.outbox]
    body: list[_Argument] = []
    for topic, (expected, following) in commit.offsets.items():
        body += (topic, expected, following)
    for pairs in (commit.meta, commit.counts, commit.contacts):
        body += _flat(pairs)
    removed: list[str] = []
    for contact_id, at_ms in commit.wakes.items():
        if at_ms is None:
            removed.append(contact_id)
        else:
            body += (at_ms, contact_id)
    body += removed
    for groups in (commit.entered, commit.exited):
        for segment, ids in groups.items():
            touched.append(partition.members(segment))
            body.append(len(ids))
            body += ids
    if commit.outbox is not None:
        body.append(commit.outbox)
    head: list[_Argument] = [
        commit.fence,
        number,
        commit.clock_ms,
        commit.trim,
        commit.most_due,
        int(commit.outbox is not None),
    ]
    head += (3 * len(commit.offsets), 2 * len(commit.meta), 2 * len(commit.counts), 2 * len(commit.contacts))
    head += (2 * (len(commit.wakes) - len(removed)), len(removed), len(commit.entered), len(commit.exited))
    return touched, head + body


class RedisStore:
    """A `ContactStore` in a Redis, or in a Redis Cluster.

    `url` is `redis://`, `rediss://` or `unix://`, and leads to the server or to any node of the cluster; `prefix` (the
    consumer group) begins every key's name; where a server owes answers and gives none for `timeout_s`, all calls that
    wait for it fail. Raises ValueError on a URL or prefix that cannot work.
    """

    def __init__(
        self, url: str, prefix: str, *, timeout_s: float = 10.0, observe: Observe | None = None
    ) -> None:
        self._prefix = keys.checked_prefix(prefix)
        self._lines = Lines(url, timeout_s)
        self._observe = observe
        self._ownership = Ownership()
        self._partitions: dict[int, PartitionKeys] = {}

    async def open(self, partitions: int) -> list[str]:
        try:
            return await self._observed("open", self._open(partitions))
        except StoreUnavailable as error:
            if error.trouble is Trouble.DENIED:
                raise StoreDenied(self._advised(error.detail)) from error
            if "DB index" in error.detail or "SELECT is not allowed in cluster mode" in error.detail:
                raise NoSuchDatabase(error.detail) from error
            raise

    async def denied_commands(self) -> list[str]:
        """The commands that this user may not run, of those that are needed, on any primary. Raises StoreUnavailable
        (DENIED) where not even that can be asked."""
        names = [keys.rights(self._prefix, each.tag) for each in await self._lines.primaries()]
        denied: list[list[bytes]] = await asyncio.gather(*(self._run(_RIGHTS, [name], []) for name in names))
        return list(dict.fromkeys(command.decode() for command in chain.from_iterable(denied)))

    async def primaries(self) -> list[Primary]:
        """The servers that keep the data: one, or those of a cluster."""
        return await self._lines.primaries()

    def _advised(self, detail: str) -> str:
        if "permission" not in detail:
            return detail
        return f"{detail} (it needs the keys {self._prefix}:* and the commands of docs/how-to/secure.md)"

    async def partition_count(self) -> int | None:
        stored = await self._observed("open", self._ask("GET", keys.partition_count(self._prefix)))
        return None if stored is None else int(stored)

    async def register(self, definitions: dict[str, bytes]) -> dict[str, int]:
        flat = [part for pair in definitions.items() for part in pair]
        call = self._run(_REGISTER, [keys.definitions(self._prefix)], flat)
        versions = _pairs(await self._observed("register", call))
        return {segment.decode(): int(version) for segment, version in versions}

    async def raise_versions(self, versions: dict[str, int]) -> None:
        stored = await self.versions()
        later = {key: version for key, version in versions.items() if version > stored.get(key, 0)}
        if later:
            fields: list[_Argument] = []
            for key, version in later.items():
                fields += (f"version:{key}", version)
            await self._observed("register", self._ask("HSET", keys.definitions(self._prefix), *fields))

    async def enrol(
        self, kind: str, names: Sequence[str], now_ms: int, *, keep_others: bool
    ) -> dict[str, Enrolled]:
        arguments: list[_Argument] = [now_ms, int(keep_others), *names]
        call = self._run(_ENROL, [keys.numbers(self._prefix, kind)], arguments)
        flat = await self._observed("enrol", call)
        rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        return {name.decode(): Enrolled(int(number), int(since_ms)) for name, number, since_ms in rows}

    async def enrolled(self, kind: str) -> dict[str, Enrolled]:
        flat = await self._observed("enrolled", self._ask("HGETALL", keys.numbers(self._prefix, kind)))
        named = ((field.decode(), value.split()) for field, value in _pairs(flat) if field != b"next")
        return {field.removeprefix("name:"): Enrolled(int(value[0]), int(value[1])) for field, value in named}

    async def versions(self) -> dict[str, int]:
        flat = await self._observed("versions", self._ask("HGETALL", keys.definitions(self._prefix)))
        named = ((field.decode(), value) for field, value in _pairs(flat))
        return {
            field.removeprefix("version:"): int(value)
            for field, value in named
            if field.startswith("version:")
        }

    async def peek(self, partition: int) -> PartitionState:
        return await self._observed("peek", self._read_state(partition, take=False))

    async def take(self, partition: int) -> PartitionState:
        state = await self._observed("take", self._read_state(partition, take=True))
        self._ownership.taken(partition, state.fence)
        return state

    async def _read_state(self, partition: int, *, take: bool) -> PartitionState:
        at = self._keys(partition)
        names = [at.state, at.offsets, at.meta, at.outbox, at.wakes]
        fence, clock, newest, offsets, meta, outbox, wake = await self._run(_TAKE, names, [int(take)])
        return PartitionState(
            fence=int(fence),
            offsets={topic.decode(): int(offset) for topic, offset in _pairs(offsets)},
            clock_ms=None if clock is None else int(clock),
            outbox=list(enumerate(outbox, start=int(newest) - len(outbox) + 1)),
            meta={name.decode(): value for name, value in _pairs(meta)},
            next_wake_ms=_ms(wake[1]) if wake else None,
        )

    async def glance(self, partition: int) -> Glance:
        at = self._keys(partition)
        asked = (
            self._ask("HGETALL", at.offsets),
            self._ask("HMGET", at.state, "clock", "outbox"),
            self._ask("LLEN", at.outbox),
        )
        offsets, (clock, newest), entries = await self._observed("glance", asyncio.gather(*asked))
        return Glance(
            offsets={topic.decode(): int(offset) for topic, offset in _pairs(offsets)},
            clock_ms=None if clock is None else int(clock),
            outbox_sequence=int(newest or 0),
            outbox_entries=int(entries),
        )

    async def outbox(self, partition: int) -> list[bytes]:
        call = self._ask("LRANGE", self._keys(partition).outbox, 0, -1)
        entries: list[bytes] = await self._observed("outbox", call)
        return entries

    async def due_count(self, partition: int, before_ms: int) -> int:
        call = self._ask("ZCOUNT", self._keys(partition).wakes, "-inf", f"({before_ms}")
        return int(await self._observed("due_count", call))

    async def note(self, partition: int, name: str, value: bytes) -> None:
        await self._observed("note", self._ask("HSET", self._keys(partition).meta, name, value))

    async def forget(self, partition: int, segments: Sequence[str], meta: dict[str, bytes]) -> None:
        at = self._keys(partition)
        fields: list[_Argument] = []
        for pair in meta.items():
            fields += pair
        await self._observed("forget", self._run(_FORGET, [at.state, at.meta], fields))
        # Not in the script: no worker needs the right to. Not DEL: to free a million contacts takes a second, in which
        # nobody else would be served.
        large = [at.offsets, at.counts, at.contacts, at.wakes, at.outbox]
        call = self._ask("UNLINK", *large, *map(at.members, dict.fromkeys(segments)))
        await self._observed("forget", call)

    async def load(self, partition: int, ids: Sequence[str]) -> list[bytes | None]:
        if not ids:
            return []
        call = self._ask("HMGET", self._keys(partition).contacts, *ids)
        records: list[bytes | None] = await self._observed("load", call)
        return records

    async def commit(self, commit: Commit) -> CommitResult:
        number = self._ownership.number(commit)
        touched, arguments = commit_command(commit, number, self._keys(commit.partition))
        try:
            answer = await self._observed("commit", self._run(_COMMIT, touched, arguments))
        except (TypeError, ValueError):  # cannot be spelled, so was not sent
            self._ownership.not_done(commit)
            raise
        if answer[0] != b"done":
            self._ownership.not_done(commit)
            raise self._refusal(commit, answer)
        self._ownership.done(commit)
        _, sequence, wake, due = answer
        names = tuple(contact_id.decode() for contact_id in due)
        return CommitResult(int(sequence), None if wake is None else _ms(wake), names)

    async def due(
        self, partition: int, before_ms: int, limit: int, inclusive: bool = False
    ) -> list[tuple[str, int]]:
        highest = str(before_ms) if inclusive else f"({before_ms}"
        wakes = self._keys(partition).wakes
        call = self._ask("ZRANGEBYSCORE", wakes, "-inf", highest, "WITHSCORES", "LIMIT", 0, limit)
        found = _pairs(await self._observed("due", call))
        return [(contact_id.decode(), _ms(at_ms)) for contact_id, at_ms in found]

    async def scan(self, partition: int, cursor: int, count: int) -> tuple[int, list[tuple[str, bytes]]]:
        call = self._ask("HSCAN", self._keys(partition).contacts, cursor, "COUNT", count)
        following, flat = await self._observed("scan", call)
        return int(following), [(contact_id.decode(), record) for contact_id, record in _pairs(flat)]

    async def members(self, segment: str) -> int:
        return (await self.member_counts([segment]))[segment]

    async def member_counts(self, segments: Sequence[str]) -> dict[str, int]:
        totals = dict.fromkeys(segments, 0)
        for sizes in await self._observed("members", self._member_counts(list(totals))):
            for segment, size in zip(totals, sizes, strict=True):
                totals[segment] += size
        return totals

    async def counts(self, partition: int) -> dict[str, int]:
        flat = await self._observed("counts", self._ask("HGETALL", self._keys(partition).counts))
        return {name.decode(): int(value) for name, value in _pairs(flat)}

    async def close(self) -> None:
        await self._lines.close()

    async def _open(self, partitions: int) -> list[str]:
        denied = await self.denied_commands()
        if denied:
            rights = " ".join(f"+{command.lower()}" for command in denied)
            raise StoreDenied(f"the user may not run {', '.join(denied)} (ACL SETUSER … {rights})")
        asked = await asyncio.gather(*map(self._warnings_of, await self._lines.primaries()))
        warnings = list(chain.from_iterable(asked))
        for warning in warnings:
            _log.warning(warning)
        name = keys.partition_count(self._prefix)
        if await self._ask("SET", name, partitions, "NX") is None:
            stored = int(await self._ask("GET", name))
            if stored != partitions:
                raise PartitionCountMismatch(stored, partitions)
        return warnings

    @staticmethod
    async def _warnings_of(primary: Primary) -> list[str]:
        which = "Redis" if primary.place is None else f"Redis at {primary.place}"
        try:
            asked = [primary.line.ask("INFO", section) for section in ("memory", "persistence")]
            return keeping_warnings(b"".join(await asyncio.gather(*asked)), which)
        except ResponseError as error:
            trouble = unavailable(error)
            if trouble.trouble is not Trouble.DENIED:
                raise trouble from error
            return [f"cannot tell whether {which} may evict contacts or keeps them on disk: INFO is denied"]

    async def _member_counts(self, segments: list[str]) -> list[list[int]]:
        stored = await self._ask("GET", keys.partition_count(self._prefix)) if segments else None
        partitions = [self._keys(partition) for partition in range(int(stored or 0))]
        calls = [self._run(_SIZES, [each.members(key) for key in segments], []) for each in partitions]
        sizes: list[list[int]] = await asyncio.gather(*calls)
        return sizes

    @staticmethod
    def _refusal(commit: Commit, answer: list[bytes]) -> PartitionMoved:
        match answer:
            case [b"fence"]:
                return FenceLost(commit.partition, commit.fence)
            case [b"offset", topic, stored]:
                name = topic.decode()
                return OffsetMismatch(commit.partition, name, commit.offsets[name][0], int(stored))
            case [b"number", stored]:
                detail = f"commit {commit.number} is not the one after {int(stored)}"
                return StateMoved(commit.partition, detail)
            case _:
                raise AssertionError(f"commit.lua gave {answer!r}")

    def _keys(self, partition: int) -> PartitionKeys:
        found = self._partitions.get(partition)
        if found is None:
            found = self._partitions[partition] = PartitionKeys.of(self._prefix, partition)
        return found

    async def _run(self, script: _Script, names: Sequence[str], arguments: Sequence[_Argument]) -> Any:
        try:
            return await self._ask("EVALSHA", script.sha, len(names), *names, *arguments)
        except NoScriptError:  # a server that has just started, or lost its scripts
            return await self._ask("EVAL", script.source, len(names), *names, *arguments)

    async def _ask(self, *command: _Argument) -> Any:
        try:
            return await self._lines.ask(*command)
        except NoScriptError:
            raise
        except ResponseError as error:
            raise unavailable(error) from error

    async def _observed(self, operation: str, call: Awaitable[_Answer]) -> _Answer:
        if self._observe is None:
            return await call
        begun, failed = time.perf_counter(), False
        try:
            return await call
        except StoreUnavailable:
            failed = True
            raise
        finally:
            self._observe(operation, time.perf_counter() - begun, failed)
