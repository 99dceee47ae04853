"""Fetch from object stores through fsspec: s3, gs, az and whatever else has a driver.

Whoever allows a scheme trusts its driver: it looks names up, connects and signs in by its own
rules. Where it goes is bound by the prefix, which names the bucket.
"""

from collections.abc import Callable
from typing import BinaryIO

from vcd.core import InputError, SetupError, TransientError, VcdError
from vcd.media.intake import Intake
from vcd.media.locations import Location

__all__ = ["check_driver", "fetch_from_store"]

_CHUNK_BYTES = 1 << 20


def check_driver(scheme: str) -> None:
    """Load the driver of an allowed scheme, so that a missing one is known before any upload.

    Raises:
        SetupError: there is none.
    """
    import fsspec

    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        raise SetupError(
            f"fetch.allowed_prefixes: {scheme}: needs a driver of fsspec: {error}"
        ) from error


def fetch_from_store(location: Location, intake: Intake, write: Callable[[bytes], None]) -> None:
    """Read one object in chunks.

    Raises:
        InputError: there is none, it may not be read, or it is too large.
        TransientError: it may work later.
    """
    try:
        with _opened(location) as file:
            size = getattr(file, "size", None)
            intake.expect(size if isinstance(size, int) else None)
            while chunk := file.read(_CHUNK_BYTES):
                intake.take(chunk)
                write(chunk)
    except VcdError:
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InputError(
            f"{intake.shown}: wanted an object, there is none of that name", reason="not_found"
        ) from None
    except PermissionError:
        raise InputError(
            f"{intake.shown}: the store does not let us read it", reason="forbidden"
        ) from None
    except Exception as error:  # drivers raise what they like
        raise TransientError(
            f"{intake.shown}: the store could not be read from: "
            f"{type(error).__name__}: {_without_queries(error)}",
            reason="fetch_failed",
        ) from error


def _opened(location: Location) -> BinaryIO:
    """Open by scheme and key; no option, glob or chain is taken from the uri."""
    import fsspec

    driver, key = fsspec.core.url_to_fs(location.uri)
    file: BinaryIO = driver.open(key, "rb")
    return file


def _without_queries(error: Exception) -> str:
    """The first words of what a driver says, up to what may be a signed query."""
    return str(error).partition("?")[0][:200]
