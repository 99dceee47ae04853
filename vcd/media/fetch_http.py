"""Fetch over http(s) from a checked address and from no other.

    name -> look up once -> check every address -> connect to one of those -> TLS for the name
                                                        |
    the next name  <-  allowed, and not from https to http?  <-  redirect

Each hop is a connection of its own. No proxy, cookie or password is known here: none of the
environment's either, as they would carry a request past the check.
"""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from socket import SHUT_RDWR, socket
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urljoin

from vcd.core import InputError, SetupError, TransientError, VcdError
from vcd.media.addresses import Network, Resolve, checked_addresses
from vcd.media.intake import Intake
from vcd.media.locations import Location, parse_location, shown_uri
from vcd.media.settings import FetchSettings

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection
    from urllib3.response import BaseHTTPResponse

__all__ = ["Web", "trust"]

_CHUNK_BYTES = 1 << 18
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({408, 425, 429})
_REASONS = {401: "forbidden", 403: "forbidden", 404: "not_found", 410: "not_found"}


def trust(ca_file: str | None) -> ssl.SSLContext:
    """Trust the system's certificates, and those of a file.

    Raises:
        SetupError: the file cannot be read.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise SetupError(
                f"{ca_file}: wanted certificates in PEM (fetch.ca_file), got: {error}"
            ) from error
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """How servers are reached; many threads may fetch at once.

    Attributes:
        settings: limits.
        resolve: looks names up.
        allowed_networks: reachable although not public.
        is_allowed: whether a prefix holds a location; asked of every redirect.
        context: which certificates are trusted.
    """

    settings: FetchSettings
    resolve: Resolve
    allowed_networks: Sequence[Network]
    is_allowed: Callable[[Location], bool]
    context: ssl.SSLContext

    def fetch(self, location: Location, intake: Intake, write: Callable[[bytes], None]) -> None:
        """Read one file, wherever redirects lead within what is allowed.

        Raises:
            InputError: refused by us or by a server.
            TransientError: it may work later.
        """
        for _ in range(self.settings.max_redirects + 1):
            redirect = self._hop(location, intake, write)
            if redirect is None:
                return
            location = self._redirected(location, redirect, intake)
        raise InputError(
            f"{intake.shown}: wanted at most fetch.max_redirects = "
            f"{self.settings.max_redirects} redirects, got another",
            reason="unreadable",
        )

    def _redirected(self, origin: Location, redirect: str, intake: Intake) -> Location:
        parsed = _target(origin, redirect, intake)
        target = shown_uri(parsed.uri)
        if not parsed.is_web or (origin.scheme, parsed.scheme) == ("https", "http"):
            raise InputError(
                f"{intake.shown}: redirects from {origin.scheme} to {target}: not followed",
                reason="not_allowed",
            )
        if not self.is_allowed(parsed):
            raise InputError(
                f"{intake.shown}: redirects to {target}, which no prefix of "
                "fetch.allowed_prefixes holds",
                reason="not_allowed",
            )
        return parsed

    def _hop(
        self, location: Location, intake: Intake, write: Callable[[bytes], None]
    ) -> str | None:
        """Ask one server; returns where it sends us on to, None when it sent the file."""
        with _said_of(location, intake):
            intake.remaining_s()
            port = location.port or 0
            addresses = checked_addresses(
                location.host,
                port,
                resolve=self.resolve,
                allowed_networks=self.allowed_networks,
            )
            with (
                contextlib.closing(self._connected(location, addresses, intake)) as connection,
                _cut_off_in_time(connection, intake),
                contextlib.closing(_response(connection, location)) as response,
            ):
                if response.status in _REDIRECTS:
                    return response.headers.get("Location") or ""
                _check_answer(response, intake)
                _receive(response, intake, write)
        return None

    def _connected(
        self, location: Location, addresses: Sequence[str], intake: Intake
    ) -> "HTTPConnection":
        """Connect to the first address that answers; certificates are checked for the name."""
        failure: Exception | None = None
        for address in addresses:
            connection = self._connection(location, address, intake)
            try:
                connection.connect()
            except ssl.SSLCertVerificationError:
                connection.close()
                raise
            except _network_errors() as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure or OSError("no address")

    def _connection(self, location: Location, address: str, intake: Intake) -> "HTTPConnection":
        from urllib3.connection import HTTPConnection, HTTPSConnection

        timeout_s = min(self.settings.connect_timeout_s, intake.remaining_s())
        if location.scheme == "http":
            return HTTPConnection(address, location.port, timeout=timeout_s)
        return HTTPSConnection(
            address,
            location.port,
            timeout=timeout_s,
            ssl_context=self.context,
            server_hostname=location.host,
        )


def _target(origin: Location, redirect: str, intake: Intake) -> Location:
    """Resolve a redirect against where it came from; what it says is as untrusted as an upload."""
    if redirect and all(32 < ord(letter) < 127 for letter in redirect):
        with contextlib.suppress(ValueError, InputError):
            return parse_location(urljoin(origin.uri, redirect))
    raise InputError(
        f"{intake.shown}: redirects to no uri: {shown_uri(redirect)!r}", reason="bad_uri"
    )


def _response(connection: "HTTPConnection", location: Location) -> "BaseHTTPResponse":
    headers = {
        "Host": location.authority,
        "User-Agent": "vcd",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    target = f"{location.path}{location.query}"
    connection.request("GET", target, headers=headers, preload_content=False, decode_content=False)
    return connection.getresponse()


def _check_answer(response: "BaseHTTPResponse", intake: Intake) -> None:
    status = response.status
    if status >= 500 or status in _TRANSIENT:
        raise TransientError(
            f"{intake.shown}: the server answers {status}, try later", reason="fetch_failed"
        )
    if status != 200:
        raise InputError(
            f"{intake.shown}: wanted the file, the server answers {status}",
            reason=_REASONS.get(status, "unreadable"),
        )
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise InputError(
            f"{intake.shown}: wanted the bytes as they are, the server packs them: "
            f"{encoding[:30]!r}",
            reason="unreadable",
        )
    length = response.headers.get("Content-Length", "")
    intake.expect(int(length) if length.isascii() and length.isdecimal() else None)


def _receive(response: "BaseHTTPResponse", intake: Intake, write: Callable[[bytes], None]) -> None:
    """Read as it comes: a read that waits for more could wait for ever, byte by byte."""
    while chunk := response.read1(_CHUNK_BYTES):
        intake.take(chunk)
        write(chunk)


@contextlib.contextmanager
def _cut_off_in_time(connection: "HTTPConnection", intake: Intake) -> Iterator[None]:
    """End the connection when time is up, whatever it is being read for at that moment.

    A timeout of a socket is one of silence: a header that comes in byte by byte never meets it.
    """
    timer = threading.Timer(intake.remaining_s(), partial(_shut_down, connection.sock))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
    intake.remaining_s()


def _shut_down(sock: socket) -> None:
    with contextlib.suppress(OSError):
        socket.shutdown(sock, SHUT_RDWR)  # not SSLSocket's own: it goes on in plain text


def _network_errors() -> tuple[type[Exception], ...]:
    from http.client import HTTPException

    from urllib3.exceptions import HTTPError

    return (OSError, HTTPError, HTTPException, ValueError)


@contextlib.contextmanager
def _said_of(location: Location, intake: Intake) -> Iterator[None]:
    """Turn whatever the network does into a sentence about this fetch."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise InputError(
            f"{intake.shown}: {location.host} does not prove that it is {location.host}: "
            f"{error.verify_message}",
            reason="untrusted",
        ) from None
    except VcdError as error:
        _name_it(error, intake)
    except _network_errors() as error:
        intake.remaining_s()
        raise TransientError(
            f"{intake.shown}: {location.authority} could not be read from: {_why(error)}",
            reason="fetch_failed",
        ) from None


def _name_it(error: VcdError, intake: Intake) -> NoReturn:
    if str(error).startswith(intake.shown):
        raise error
    raise type(error)(f"{intake.shown}: {error}", reason=error.reason) from None


def _why(error: Exception) -> str:
    return (str(error).partition("?")[0] or type(error).__name__)[:200]
