"""One connection to Redis that many share: what is asked in one turn of the event loop goes out in one write.

So the batches of one poll, whatever their partitions, share a round trip. Commands reach Redis in the order in
which they were asked, and a caller that is cancelled leaves the connection usable.

Every command sent this way must do no harm when it is done twice: where a connection turns out to be dead, what
has no answer is sent once more over a new one.
"""

import asyncio
import contextlib
import re
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
        self._connection = _connection(url, timeout_s)
        self._timeout_s = timeout_s
        self._waiting: list[Pending] = []
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    async def ask(self, *command: str | bytes | int) -> Any:
        """Redis' answer to one command. Raises `redis.exceptions.ResponseError` or `StoreUnavailable`."""
        if self._closed:
            raise StoreUnavailable(Trouble.CONNECTION, "the store is closed")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((pack_command(command), answer))  # type: ignore[arg-type]  # its stub asks for a tuple of one
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await answer

    @property
    def is_idle(self) -> bool:
        """Nobody waits for an answer."""
        return not self._waiting and (self._worker is None or self._worker.done())

    async def close(self) -> None:
        """Ends the connection; whoever still waits is told so."""
        self._closed = True
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self._fail(self._waiting, ConnectionError("the store was closed"))
        # Over TLS both ends say goodbye before the socket is closed, and nobody is there for it once the loop has ended.
        with contextlib.suppress(redis_errors.RedisError, OSError):
            async with asyncio.timeout(GOODBYE_S):
                await self._connection.disconnect()

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._exchange(batch)
            except asyncio.CancelledError:
                self._waiting = batch + self._waiting
                raise

    async def _exchange(self, batch: list[Pending]) -> None:
        used_before = self._connection.is_connected
        try:
            try:
                await self._send_and_read(batch)
            except (redis_errors.ConnectionError, OSError) as error:
                if not used_before or isinstance(error, TimeoutError):
                    raise
                await self._send_and_read([each for each in batch if not each[1].done()])
        except Exception as error:  # noqa: BLE001  whatever it is, nobody may wait for ever
            await self._connection.disconnect(nowait=True)
            if unavailable(error).trouble is Trouble.TIMEOUT:
                # Who waits behind has waited as long for the same server. One after the other, each would have to.
                batch, self._waiting = batch + self._waiting, []
            self._fail(batch, error)

    async def _send_and_read(self, batch: list[Pending]) -> None:
        moved = False
        async with asyncio.timeout(self._timeout_s):
            await self._connection.connect()  # type: ignore[no-untyped-call]
            await self._connection.send_packed_command([packed for packed, _ in batch], check_health=False)
            for _, answer in batch:
                try:
                    reply = await self._connection.read_response()
                except redis_errors.ResponseError as error:
                    moved = moved or isinstance(error, redis_errors.ReadOnlyError)
                    if not answer.done():
                        answer.set_exception(error)
                else:
                    if not answer.done():
                        answer.set_result(reply)
        if moved:  # this server became a replica: the name may stand for another one by now
            await self._connection.disconnect(nowait=True)

    @staticmethod
    def _fail(batch: list[Pending], error: Exception) -> None:
        for _, answer in batch:
            if not answer.done():
                answer.set_exception(unavailable(error))
