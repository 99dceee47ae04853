"""Bring a file over http(s) to a folder, however often the connection breaks.

    NAME.part          what has arrived
    NAME.part.json     of which version of which address

A transfer that breaks is taken up again where it broke, in the same run or in the next one, as
long as the server still has the same version (ETag, If-Range). Whether it is the right file is
for the caller to say.
"""

import http.client
import json
import logging
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

from vcd.core import SetupError, TransientError
from vcd.descriptors.settings import PullSettings

__all__ = ["OnProgress", "Transfer", "fetch"]

_CHUNK_BYTES = 1 << 18

_SPARE_BYTES = 64 << 20
"""Disk space that must remain: a full disk hurts more than a missing file."""

_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

OnProgress = Callable[[int, int | None], None]
"""Told how many bytes are there, and how many there will be if that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One file to bring.

    Attributes:
        url: where it is.
        path: what it will be called here; until then ``.part`` is appended.
    """

    url: str
    path: Path

    @property
    def part(self) -> Path:
        return self.path.with_name(self.path.name + ".part")

    @property
    def version_file(self) -> Path:
        return self.path.with_name(self.path.name + ".part.json")

    def forget(self) -> None:
        """Delete what has arrived."""
        self.part.unlink(missing_ok=True)
        self.version_file.unlink(missing_ok=True)


def fetch(
    transfer: Transfer,
    settings: PullSettings,
    on_progress: OnProgress,
    wait: Callable[[float], None],
) -> None:
    """Bring all of a file to its ``.part``, in several attempts with growing pauses.

    Raises:
        SetupError: the server has no such file or refuses, or the disk is full.
        TransientError: the last attempt failed too; what has arrived is kept.
    """
    pause_s = settings.first_wait_s
    for attempt in range(1, settings.num_attempts + 1):
        try:
            _attempt(transfer, settings, on_progress)
        except (TransientError, OSError, http.client.HTTPException) as error:
            _log.info("%s: attempt %d failed: %s", transfer.url, attempt, error)
            if attempt == settings.num_attempts:
                raise TransientError(_sentence(transfer, settings, error)) from error
            wait(pause_s)
            pause_s *= 2
        else:
            return


def _sentence(transfer: Transfer, settings: PullSettings, error: Exception) -> str:
    reason = str(getattr(error, "reason", None) or error) or type(error).__name__
    arrived = transfer.part.stat().st_size if transfer.part.exists() else 0
    kept = f"; {arrived:,} bytes are kept and the next pull goes on from there" if arrived else ""
    return (
        f"{transfer.url} could not be fetched in {settings.num_attempts} attempts: {reason}{kept}. "
        f"Is there a network? On a machine without one, put the file at {transfer.path}"
    )


def _attempt(transfer: Transfer, settings: PullSettings, on_progress: OnProgress) -> None:
    arrived = _resumable_bytes(transfer)
    headers = [("Accept-Encoding", "identity")]
    if arrived:
        headers += [("Range", f"bytes={arrived}-"), ("If-Range", _read_version(transfer))]
    with _open(transfer, headers, settings) as response:
        if response.status != 206:  # the whole file: another version, or a server without ranges
            arrived = 0
            _write_version(transfer, response.headers.get("ETag"))
        elif not (response.headers.get("Content-Range") or "").startswith(f"bytes {arrived}-"):
            transfer.forget()
            raise TransientError("the server sends another part than the one asked for")
        length = response.headers.get("Content-Length") or ""
        total = arrived + int(length) if length.isdecimal() else None
        _check_disk(transfer, total, arrived)
        arrived = _receive(transfer, response, arrived, lambda done: on_progress(done, total))
    if total is not None and arrived != total:
        raise TransientError(f"the connection ended after {arrived:,} of {total:,} bytes")


def _receive(
    transfer: Transfer,
    response: http.client.HTTPResponse,
    arrived: int,
    on_bytes: Callable[[int], None],
) -> int:
    """Append the body to what is there; a disk that fails is not the network's fault."""
    with _written(transfer, lambda: transfer.part.open("ab" if arrived else "wb")) as file:
        while chunk := response.read(_CHUNK_BYTES):
            _written(transfer, partial(file.write, chunk))
            arrived += len(chunk)
            on_bytes(arrived)
        _written(transfer, file.flush)
    return arrived


def _written(transfer: Transfer, write: Callable[[], _T]) -> _T:
    try:
        return write()
    except OSError as error:
        raise SetupError(f"{transfer.part}: cannot be written: {error.strerror}") from error


def _open(
    transfer: Transfer, headers: list[tuple[str, str]], settings: PullSettings
) -> http.client.HTTPResponse:
    scheme = transfer.url.partition("://")[0]
    if scheme not in ("https", "http"):
        raise SetupError(f"{transfer.url}: wanted an https address")
    opener = _web_opener()
    opener.addheaders += headers
    try:
        response: http.client.HTTPResponse = opener.open(transfer.url, timeout=settings.timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        _raise_for(transfer, error)
    if scheme == "https" and not response.url.startswith("https://"):
        response.close()
        raise SetupError(f"{transfer.url}: sends us on to {response.url}, which is not https")
    return response


def _web_opener() -> urllib.request.OpenerDirector:
    """Speak http and https alone: urllib's own opener would read local files and ftp as well."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler())
    opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
    opener.add_handler(urllib.request.HTTPRedirectHandler())
    opener.add_handler(urllib.request.HTTPErrorProcessor())
    opener.add_handler(urllib.request.UnknownHandler())
    return opener


def _raise_for(transfer: Transfer, error: urllib.error.HTTPError) -> NoReturn:
    answer = f"the server answers {error.code} {error.reason}"
    if error.code == 416:
        transfer.forget()
        raise TransientError("what had arrived is no beginning of what the server has") from error
    if error.code in _RETRIED_STATUSES:
        raise TransientError(answer) from error
    raise SetupError(f"{transfer.url}: {answer}") from error


def _resumable_bytes(transfer: Transfer) -> int:
    """Count what has arrived of a version that can be named to the server."""
    if not transfer.part.exists() or not _read_version(transfer):
        return 0
    return transfer.part.stat().st_size


def _read_version(transfer: Transfer) -> str:
    try:
        version = json.loads(transfer.version_file.read_text("utf-8"))
        return str(version["etag"]) if version["url"] == transfer.url else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _write_version(transfer: Transfer, etag: str | None) -> None:
    """Note the version; a weak ETag cannot name one in If-Range (RFC 9110, 13.1.5)."""
    if etag is None or etag.startswith("W/"):
        transfer.version_file.unlink(missing_ok=True)
    else:
        text = json.dumps({"url": transfer.url, "etag": etag})
        _written(transfer, lambda: transfer.version_file.write_text(text, "utf-8"))


def _check_disk(transfer: Transfer, total: int | None, arrived: int) -> None:
    wanted = _SPARE_BYTES + (0 if total is None else total - arrived)
    free = shutil.disk_usage(transfer.path.parent).free
    if free < wanted:
        raise SetupError(
            f"{transfer.path}: wanted {wanted:,} bytes of disk, only {free:,} are free"
        )
