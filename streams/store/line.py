"""One connection to Redis that many share: what is asked goes out at once, whether or not answers are still due.

So Redis works on one partition's batch while the worker makes the next one's, also where the event loop comes to
nothing else meanwhile. Commands reach Redis in the order in which they were asked, and a caller that is cancelled
leaves the connection usable.

Every command sent this way must do no harm when it is done twice: where a connection turns out to be dead, what
has no answer is sent again over a new one.
"""

import asyncio
import contextlib
import re
from collections import deque
from itertools import islice
from typing import Any, TypeAlias

from hiredis import pack_command
from redis import exceptions as redis_errors
from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from streams.store.errors import StoreUnavailable, Trouble

Pending: TypeAlias = "tuple[bytes, asyncio.Future[Any]]"

GOODBYE_S = 0.5
"""How long a server may take to answer that a connection is being closed."""

_BY_CLASS: tuple[tuple[type[Exception], Trouble], ...] = (
    (redis_errors.AuthenticationError, Trouble.DENIED),
    (redis_errors.NoPermissionError, Trouble.DENIED),
    (redis_errors.BusyLoadingError, Trouble.LOADING),
    (redis_errors.MasterDownError, Trouble.LOADING),
    (redis_errors.ClusterDownError, Trouble.CLUSTER),
    (redis_errors.TryAgainError, Trouble.CLUSTER),
    (redis_errors.AskError, Trouble.CLUSTER),
    (redis_errors.OutOfMemoryError, Trouble.OUT_OF_MEMORY),
    (redis_errors.ReadOnlyError, Trouble.READ_ONLY),
    (TimeoutError, Trouble.TIMEOUT),
    (redis_errors.TimeoutError, Trouble.TIMEOUT),
    (redis_errors.ConnectionError, Trouble.CONNECTION),
    (OSError, Trouble.CONNECTION),
)
_BY_TEXT: tuple[tuple[re.Pattern[str], Trouble], ...] = (
    (re.compile(r"^(MISCONF|NOREPLICAS)\b|-(MISCONF|NOREPLICAS)\b"), Trouble.CANNOT_PERSIST),
    (re.compile(r"-OOM\b"), Trouble.OUT_OF_MEMORY),  # Redis 6 puts a script's errors into others
    (re.compile(r"-READONLY\b"), Trouble.READ_ONLY),
    (re.compile(r"^BUSY\b"), Trouble.BUSY),
    (re.compile(r"^ACL failure|user executing the script can't"), Trouble.DENIED),
)


def unavailable(error: Exception) -> StoreUnavailable:
    """What went wrong, in terms of what to do about it."""
    detail = str(error) or type(error).__name__
    if isinstance(error, redis_errors.AskError):
        detail = f"slot {error.slot_id} is on its way to {error.host}:{error.port}"
    if "CERTIFICATE_VERIFY_FAILED" in detail:
        why = detail.partition("CERTIFICATE_VERIFY_FAILED]")[2].strip() or detail
        return StoreUnavailable(
            Trouble.DENIED, f"its certificate cannot be trusted ({why}): see ssl_ca_certs"
        )
    for kind, trouble in _BY_CLASS:
        if isinstance(error, kind):
            return StoreUnavailable(trouble, detail)
    for pattern, trouble in _BY_TEXT:
        if pattern.search(detail):
            return StoreUnavailable(trouble, detail)
    return StoreUnavailable(Trouble.ERROR, detail)


def _connection(url: str, connect_timeout_s: float) -> AbstractConnection:
    options: dict[str, Any] = dict(parse_url(url))
    kind = options.pop("connection_class", Connection)
    options |= {
        "decode_responses": False,
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),  # who asks decides about retries, and sees them
        "socket_connect_timeout": connect_timeout_s,
        "socket_timeout": None,  # one limit for the exchange as a whole costs less than one for each read
    }
    try:
        connection: AbstractConnection = kind(**options)
    except TypeError as error:
        raise ValueError(f"the Redis URL has an option that does not exist: {error}") from None
    return connection


class Line:
    """A connection, made when first needed and again when lost.

    Raises ValueError on a URL that is none of `redis://`, `rediss://`, `unix://`.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        """`timeout_s` is how long Redis may give no answer while one is due: then all that wait are told so."""
        self._connection = _connection(url, timeout_s)
        self._timeout_s = timeout_s
        self._waiting: deque[Pending] = deque()
        """What has no answer yet, in the order in which it was asked."""
        self._unsent = 0
        """How many of them, from the end, are not on their way."""
        self._worker: asyncio.Task[None] | None = None
        self._is_ready = False
        """Whether what is asked can be sent at once."""
        self._is_proven = False
        """Whether this connection has brought an answer."""
        self._is_stale = False
        """Whether it leads to a server that is no longer the one to ask."""
        self._waits_since_s = 0.0
        """When the answer that comes next began to be due."""
        self._closed = False

    async def ask(self, *command: str | bytes | int) -> Any:
        """Redis' answer to one command. Raises `redis.exceptions.ResponseError` or `StoreUnavailable`."""
        if self._closed:
            raise StoreUnavailable(Trouble.CONNECTION, "the store is closed")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        packed = pack_command(command)  # type: ignore[arg-type]  # its stub asks for a tuple of one
        self._waiting.append((packed, answer))
        if self._is_ready and not self._is_stale:
            self._send(packed)
        else:
            self._unsent += 1
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await answer

    @property
    def is_idle(self) -> bool:
        """Nobody waits for an answer."""
        return not self._waiting

    async def close(self) -> None:
        """Ends the connection; whoever still waits is told so."""
        self._closed = True
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self._fail(ConnectionError("the store was closed"))
        # Over TLS both ends say goodbye before the socket is closed, and nobody is there for it once the loop has ended.
        with contextlib.suppress(redis_errors.RedisError, OSError):
            async with asyncio.timeout(GOODBYE_S):
                await self._connection.disconnect()

    def _send(self, packed: bytes) -> None:
        # redis-py's own way waits until the socket has taken it, and so can only be taken by a task: which would have
        # its turn after all that is ready to run, and Redis nothing to do until then.
        writer = self._connection._writer  # noqa: SLF001
        # Where it was lost, the worker is about to learn that, and sends again.
        if writer is not None and not writer.is_closing():
            writer.write(packed)

    async def _work(self) -> None:
        """Sends what is not on its way, and gives out answers, until nobody waits."""
        # Not since it was asked: other work may have kept the loop from looking for the answer.
        self._waits_since_s = asyncio.get_running_loop().time()
        while self._waiting:
            try:
                async with asyncio.timeout_at(self._waits_since_s + self._timeout_s):
                    if self._unsent and not self._is_stale:
                        await self._send_unsent()
                    reply = await self._reply()
            except Exception as error:  # noqa: BLE001  whatever it is, nobody may wait for ever
                await self._lose(error)
                continue
            self._is_proven, self._waits_since_s = True, asyncio.get_running_loop().time()
            _, answer = self._waiting.popleft()
            if isinstance(reply, redis_errors.ReadOnlyError):
                # This server became a replica: the name may stand for another one by now.
                self._is_stale = True
            if answer.done():
                pass  # its caller was cancelled
            elif isinstance(reply, Exception):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)
            if self._is_stale and len(self._waiting) == self._unsent:
                await self._disconnect()

    async def _send_unsent(self) -> None:
        if not self._is_ready:
            await self._connection.connect()  # type: ignore[no-untyped-call]
            self._is_ready = True
        for packed, _ in islice(self._waiting, len(self._waiting) - self._unsent, None):
            self._send(packed)
        self._unsent = 0

    async def _reply(self) -> Any:
        """What comes next, be it an error that Redis answers with."""
        try:
            return await self._connection.read_response()
        except redis_errors.ResponseError as error:
            return error

    async def _lose(self, error: Exception) -> None:
        """Gives the connection up. What waits is sent again over another one if this one had worked until now."""
        again = (
            self._is_proven
            and isinstance(error, redis_errors.ConnectionError | OSError)
            and not isinstance(error, TimeoutError)
        )
        await self._disconnect()
        if again:
            self._waiting = deque(each for each in self._waiting if not each[1].done())
            self._unsent = len(self._waiting)
        else:
            # Who waits behind has waited as long for the same server. One after the other, each would have to.
            self._fail(error)

    async def _disconnect(self) -> None:
        self._is_ready = self._is_proven = self._is_stale = False
        await self._connection.disconnect(nowait=True)

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting, self._unsent = self._waiting, deque(), 0
        for _, answer in waiting:
            if not answer.done():
                answer.set_exception(unavailable(error))
