"""Answer, over HTTP, whether this worker lives, whether it is ready, and what it measures.

    /livez    200 ok, or 503 and the sentence that says why it should be restarted
    /readyz   200 ok, or 503 and the sentence that says what is missing
    /metrics  for Prometheus

It answers whoever reaches its address, without a password (docs/operations.md).
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Self

from vcd.core.errors import SetupError
from vcd.stream.metrics import StreamMetrics

__all__ = ["HealthServer"]

_logger = logging.getLogger(__name__)
_TEXT = "text/plain; charset=utf-8"
_LIST = """\
/livez    ok, or why this worker should be restarted
/readyz   ok, or what is missing before it checks uploads
/metrics  for Prometheus
"""
_MAX_CONNECTIONS = 16
"""More than a scraper, two probes and a curious person need; beyond it the oldest is dropped."""

_MAX_CONNECTION_S = 10.0
"""Whoever has not asked and taken the answer by then is dropped."""

_TICK_S = 0.1
_CLOSE_S = 5.0

_Socket = socket.socket | tuple[bytes, socket.socket]  # the tuple is of datagrams: never here


class HealthServer:
    """Serves /metrics, /livez and /readyz from threads of its own; a context manager.

    Args:
        address: ``HOST:PORT``; port 0 takes a free one, an IPv6 host stands in brackets.
        metrics: what /metrics shows.
        is_live: gives None while the worker works, else a sentence: why to restart it.
        is_ready: gives None while the worker checks uploads, else a sentence: what is missing.

    Raises:
        SetupError: the address is none, or cannot be listened on.
    """

    def __init__(
        self,
        address: str,
        metrics: StreamMetrics,
        *,
        is_live: Callable[[], str | None],
        is_ready: Callable[[], str | None],
    ) -> None:
        pages = _Pages(metrics=metrics, claims={"/livez": is_live, "/readyz": is_ready})
        try:
            self._server = _Server(_host_and_port(address), partial(_Request, pages))
        except (OSError, OverflowError) as error:
            raise SetupError(f"{address}: cannot listen on this address: {error}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_TICK_S,), name="vcd-health", daemon=True
        )

    @property
    def address(self) -> str:
        """Where it listens, with the port that was chosen."""
        host, port = self._server.server_address[:2]
        return f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        _logger.info("/metrics, /livez and /readyz are on %s", self.address)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join(_CLOSE_S)
        self._server.server_close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pages:
    metrics: StreamMetrics
    claims: dict[str, Callable[[], str | None]]

    def answer(self, path: str, accept: str) -> tuple[HTTPStatus, bytes, str]:
        """Give status, body and content type of a page."""
        if path == "/metrics":
            return HTTPStatus.OK, *self.metrics.exposition(accept)
        if path in self.claims:
            missing = self._missing(path)
            status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
            return status, f"{missing or 'ok'}\n".encode("utf-8", "backslashreplace"), _TEXT
        status = HTTPStatus.OK if path == "/" else HTTPStatus.NOT_FOUND
        return status, _LIST.encode(), _TEXT

    def _missing(self, path: str) -> str | None:
        try:
            return self.claims[path]()
        except Exception as error:
            _logger.exception("%s cannot be answered", path)
            return f"this cannot be told: {error}"


class _Request(BaseHTTPRequestHandler):
    """One question over one connection; HTTP/1.0, so that none stays open."""

    server_version = "vcd"
    sys_version = ""
    timeout = _MAX_CONNECTION_S / 2

    def __init__(
        self, pages: _Pages, request: _Socket, client_address: object, server: HTTPServer
    ) -> None:
        self._pages = pages
        super().__init__(request, client_address, server)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status, body, content_type = self._pages.answer(path, self.headers.get("Accept", ""))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, template: str, *args: object) -> None:
        _logger.debug("%s: %s", self.client_address, template % args)


class _Server(HTTPServer):
    """A thread for each connection, few of them, none for long."""

    request_queue_size = 2 * _MAX_CONNECTIONS

    def __init__(self, address: tuple[str, int], request: Callable[..., _Request]) -> None:
        self._lock = threading.Lock()
        self._open: dict[_Socket, _Connection] = {}  # by socket, oldest first
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, request)

    def server_bind(self) -> None:
        """Bind, and ask no name server what this machine is called, as the original does."""
        TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)

    def process_request(self, request: _Socket, client_address: object) -> None:
        thread = threading.Thread(
            target=self._answer, args=(request, client_address), name="vcd-health-one", daemon=True
        )
        with self._lock:
            num_over = max(0, len(self._open) - _MAX_CONNECTIONS + 1)
            for oldest in list(self._open)[:num_over]:
                _hang_up(oldest)
            self._open[request] = _Connection(thread, time.monotonic())
        thread.start()

    def shutdown_request(self, request: _Socket) -> None:
        super().shutdown_request(request)
        with self._lock:
            self._open.pop(request, None)

    def service_actions(self) -> None:
        """Drop, several times a second, whoever takes too long."""
        latest_s = time.monotonic() - _MAX_CONNECTION_S
        with self._lock:
            for request, connection in self._open.items():
                if connection.since_s < latest_s:
                    _hang_up(request)

    def server_close(self) -> None:
        """Stop listening, drop whoever is connected, and wait until their threads have ended."""
        super().server_close()
        with self._lock:
            threads = [connection.thread for connection in self._open.values()]
            for request in self._open:
                _hang_up(request)
        for thread in threads:
            thread.join(_CLOSE_S)

    def _answer(self, request: _Socket, client_address: object) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError as error:
            _logger.debug("%s went away: %s", client_address, error)
        except Exception:
            _logger.exception("a request from %s could not be answered", client_address)
        finally:
            self.shutdown_request(request)


@dataclass(frozen=True, slots=True)
class _Connection:
    thread: threading.Thread
    since_s: float


def _hang_up(request: _Socket) -> None:
    """End a connection from outside; the thread that waits for it wakes up and closes it."""
    if isinstance(request, socket.socket):
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()):
        raise SetupError(f"wanted an address HOST:PORT to serve metrics on, got {address!r}")
    return host, int(port)
