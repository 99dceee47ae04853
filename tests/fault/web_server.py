"""A small web server that answers byte for byte what a test says, good or bad."""

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["WebServer", "answer", "make_certificate", "serving"]

Reply = Callable[[socket.socket, str], None]
"""Given the connection and the head of the request, send what is wanted, in whatever way."""


@dataclass
class WebServer:
    """What listens, and what has happened to it so far.

    Attributes:
        address: of this machine.
        port: where.
        reply: what to do for each connection.
        num_connections: accepted so far.
        requests: the heads of the requests read so far.
    """

    address: str
    port: int
    reply: Reply
    num_connections: int = 0
    requests: list[str] = field(default_factory=list)

    def uri(self, path: str = "/clips/a.mp4", host: str = "cdn.example.com") -> str:
        return f"http://{host}:{self.port}{path}"


def answer(status: str, *headers: str, body: bytes = b"") -> Reply:
    """Answer every request alike; the headers are exactly the given ones."""

    def reply(connection: socket.socket, request: str) -> None:
        head = "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""])
        connection.sendall(head.encode("latin-1") + body)

    return reply


@contextlib.contextmanager
def serving(
    reply: Reply,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    context: ssl.SSLContext | None = None,
) -> Iterator[WebServer]:
    """Listen on loopback until the block ends; every thread and socket is gone then."""
    listener = socket.create_server((address, port))
    listener.settimeout(0.05)
    server = WebServer(address, listener.getsockname()[1], reply)
    is_over = threading.Event()
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not is_over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                server.num_connections += 1
                connection.settimeout(10)
                threads.append(threading.Thread(target=_serve, args=(server, connection, context)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        is_over.set()
        accepting.join()
        listener.close()
        for thread in threads:
            thread.join()


def _serve(server: WebServer, connection: socket.socket, context: ssl.SSLContext | None) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(OSError))  # the other side may leave at any time
        stack.enter_context(connection)
        if context is not None:
            connection = stack.enter_context(context.wrap_socket(connection, server_side=True))
        head = b""
        while b"\r\n\r\n" not in head:
            chunk = connection.recv(4096)
            if not chunk:
                return
            head += chunk
        request = head.decode("latin-1")
        server.requests.append(request)
        server.reply(connection, request)


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Let openssl make a self-signed certificate for a name; gives certificate and key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key
