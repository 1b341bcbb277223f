"""The endpoints ``/metrics``, ``/live`` and ``/ready``, answered by threads of their own.

So they answer while the event loop is busy; when it is stuck, ``/live`` says so.
"""

import errno
import json
import logging
import socket
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore, Thread
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from streams.errors import ConfigurationError
from streams.progress import Progress, Report

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 8
"""Requests answered at a time; further ones are refused, so that nobody can fill this process with threads."""
PATIENCE_S = 5.0
"""How long a client may take over a request."""


class HealthServer:
    """Serves from ``start`` to ``stop``. ``port`` 0 takes a free one, which ``port`` then says."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry, progress: Progress) -> None:
        self._host, self._port = host, port
        self._registry, self._progress = registry, progress
        self._server: _Server | None = None
        self._thread: Thread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port if self._server is None else int(self._server.server_address[1])

    def start(self) -> None:
        """Begins to listen. Raises ConfigurationError if the address cannot be had."""
        try:
            server = _Server(self._host, self._port, self._answers())
        except OSError as error:
            raise ConfigurationError(_why_not(self._host, self._port, error)) from None
        except OverflowError:
            raise ConfigurationError(f"SEGMENTS_METRICS_PORT={self._port}: there is no such port") from None
        self._server = server
        self._thread = Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="health", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Ends listening; returns when the port is free. May be called again."""
        server, thread, self._server, self._thread = self._server, self._thread, None, None
        if server is not None and thread is not None:
            self._port = int(server.server_address[1])
            server.shutdown()
            thread.join()
            server.server_close()

    def _answers(self) -> dict[str, Callable[[str], tuple[int, str, bytes]]]:
        return {
            "/metrics": self._metrics,
            "/live": lambda _: _json(self._progress.live()),
            "/ready": lambda _: _json(self._progress.ready()),
        }

    def _metrics(self, accept: str) -> tuple[int, str, bytes]:
        encode, content_type = choose_encoder(accept)
        return HTTPStatus.OK, content_type, encode(self._registry)


def _json(report: Report) -> tuple[int, str, bytes]:
    status = HTTPStatus.OK if report.ok else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps(report.body).encode() + b"\n"


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"SEGMENTS_METRICS_PORT={port} is taken on {host} by another program: choose another port, or 0 for none"
    if error.errno == errno.EACCES:
        return f"SEGMENTS_METRICS_PORT={port} may not be used by this user: choose a port from 1024 on, or 0 for none"
    return f"SEGMENTS_METRICS_HOST={host!r} is no address of this machine: {error.strerror or error}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    allow_reuse_port = False

    def __init__(
        self, host: str, port: int, answers: dict[str, Callable[[str], tuple[int, str, bytes]]]
    ) -> None:
        self.answers = answers
        self._places = BoundedSemaphore(MOST_AT_ONCE)
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service for this machine's name, which can take seconds.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):  # A client that hangs up is nothing to log.
            logger.error("a request to the metrics port could not be answered", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE_S
    server_version, sys_version = "livesegments", ""

    def do_GET(self) -> None:
        answer = self.server.answers.get(urlsplit(self.path).path)
        if answer is None:
            known = ", ".join(self.server.answers)
            self._send(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", f"there is {known}\n".encode())
        else:
            self._send(*answer(self.headers.get("Accept", "")))

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Probes come every few seconds: they would be all that the log shows."""
