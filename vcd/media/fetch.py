"""Bring what an upload's uri names within reach of a decoder, if that was allowed.

    uri -> one spelling -> allowed? -> file: where it lies
                                       http(s): our own thin layer over urllib3
                                       else: fsspec

What is downloaded is gone after the block, whatever happened in it. See docs/design/fetching.md.
"""

import contextlib
import ipaddress
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vcd.core import InputError, SetupError
from vcd.media.addresses import Resolve, addresses_of
from vcd.media.fetch_http import Web, trust
from vcd.media.fetch_local import check_unchanged, digest_file, read_local
from vcd.media.fetch_store import check_driver, fetch_from_store
from vcd.media.intake import Intake
from vcd.media.locations import (
    Location,
    is_within,
    parse_location,
    prefix_to_allow,
    shown_uri,
)
from vcd.media.settings import FetchSettings
from vcd.media.spool import Spool

__all__ = ["Fetched", "Fetcher", "digest_file"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that can be decoded for as long as the block lasts.

    Attributes:
        path: where it is.
        sha256: of its bytes, read in the one pass that brought it here.
        num_bytes: how many.
    """

    path: Path
    sha256: str
    num_bytes: int


class Fetcher:
    """Fetches what is allowed; several threads may use it at once, somebody must close it."""

    def __init__(self, settings: FetchSettings, *, resolve: Resolve = addresses_of) -> None:
        """Check the settings, make the folder for downloads, sweep out what dead processes left.

        Args:
            settings: what is allowed, and how much of it.
            resolve: looks names up, for http(s).

        Raises:
            SetupError: a prefix is none, its driver is missing, the folder cannot be made, or
                ``ca_file`` cannot be read.
        """
        self._settings = settings
        self._prefixes = [_prefix(text) for text in settings.allowed_prefixes]
        for scheme in {prefix.scheme for prefix in self._prefixes} - {"file", "http", "https"}:
            check_driver(scheme)
        self._web = Web(
            settings=settings,
            resolve=resolve,
            allowed_networks=[ipaddress.ip_network(text) for text in settings.allowed_networks],
            is_allowed=self._is_allowed,
            context=trust(settings.ca_file),
        )
        self._spool = Spool(settings.folder)

    @contextlib.contextmanager
    def fetch(self, uri: str) -> Iterator[Fetched]:
        """Lend the file that a uri names.

        Raises:
            InputError: it will never work: ``bad_uri``, ``not_allowed``, ``not_found``,
                ``forbidden``, ``untrusted``, ``too_large`` or ``unreadable``.
            TransientError: it may work later: ``fetch_failed``; also, when the block is done, that
                a local file was changed during it.
        """
        location = parse_location(uri)
        if not self._is_allowed(location):
            raise InputError(
                f"{shown_uri(uri)}: no prefix of fetch.allowed_prefixes holds it; "
                f"{prefix_to_allow(uri)} would",
                reason="not_allowed",
            )
        intake = Intake(
            shown_uri(uri),
            max_bytes=self._settings.max_bytes,
            max_wall_s=self._settings.max_wall_s,
        )
        lend = self._local if location.scheme == "file" else self._downloaded
        with lend(location, intake) as fetched:
            yield fetched

    def close(self) -> None:
        """Remove the folder, and with it the downloads that are still lent."""
        self._spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_allowed(self, location: Location) -> bool:
        return is_within(location, self._prefixes)

    @contextlib.contextmanager
    def _local(self, location: Location, intake: Intake) -> Iterator[Fetched]:
        path = Path(location.path)
        found = read_local(path, intake)
        yield Fetched(path=path, sha256=intake.sha256, num_bytes=intake.num_bytes)
        check_unchanged(path, found, intake)

    @contextlib.contextmanager
    def _downloaded(self, location: Location, intake: Intake) -> Iterator[Fetched]:
        with self._spool.download() as download:
            if location.is_web:
                self._web.fetch(location, intake, download.write)
            else:
                fetch_from_store(location, intake, download.write)
            download.finish()
            _log.debug("%s: %d bytes", intake.shown, intake.num_bytes)
            yield Fetched(path=download.path, sha256=intake.sha256, num_bytes=intake.num_bytes)


def _prefix(text: str) -> Location:
    """Read a prefix as uris are read, so that both are compared in the same spelling."""
    try:
        location = parse_location(text)
    except InputError as error:
        raise SetupError(f"fetch.allowed_prefixes: {error}") from error
    if location.query:
        raise SetupError(f"fetch.allowed_prefixes: {shown_uri(text)}: wanted no query in a prefix")
    return location
