"""A private folder for downloads that empties itself, after a crash of its owner as well.

    ROOT/                 0700, ours
      lock                held while folders are made or swept
      RANDOM/             of one process
        lock              held as long as that process lives
        RANDOM            a download

Decoding processes open a file by its path, so it needs a name, and SIGKILL leaves names behind:
whoever starts next removes the folders whose lock nobody holds. The kernel lets go of a lock when
its holder dies, which a process id in a name could not say (they are used again, and differ
between containers that share a disk).
"""

import contextlib
import fcntl
import io
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vcd.core import SetupError, TransientError

__all__ = ["Download", "Spool"]

_SPARE_BYTES = 64 << 20
"""Disk that must stay free: what else is on it may be a log that must never fail to write."""

_log = logging.getLogger(__name__)


class Spool:
    """The folder of this process; close it to remove it."""

    def __init__(self, root: str | None) -> None:
        """Make the folder and remove those of dead processes.

        Raises:
            SetupError: the folder cannot be made, or is somebody else's.
        """
        self._root = Path(root or f"{tempfile.gettempdir()}/vcd-fetch-{os.getuid()}").absolute()
        try:
            _make_private(self._root)
            with (self._root / "lock").open("wb") as guard:
                fcntl.flock(guard, fcntl.LOCK_EX)
                self._sweep()
                self.folder = Path(tempfile.mkdtemp(dir=self._root))
                self._lock = (self.folder / "lock").open("wb")
                fcntl.flock(self._lock, fcntl.LOCK_EX)
        except OSError as error:
            raise SetupError(
                f"{self._root}: wanted a folder for downloads (fetch.folder), got: {error}"
            ) from error

    @contextlib.contextmanager
    def download(self) -> Iterator["Download"]:
        """Lend a new, empty file; it is gone after the block."""
        try:
            handle, name = tempfile.mkstemp(dir=self.folder)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        path = Path(name)
        try:
            with io.FileIO(handle, "wb") as file:
                yield Download(path, file)
        finally:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()

    def _sweep(self) -> None:
        """Remove what nobody holds; a folder without a lock died before it had one."""
        for folder in [path for path in self._root.iterdir() if path.is_dir()]:
            with (
                contextlib.suppress(BlockingIOError, FileNotFoundError),  # it lives; it just went
                (folder / "lock").open("wb") as file,
            ):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _log.info("%s: removed, its process died", folder)
                shutil.rmtree(folder, ignore_errors=True)


class Download:
    """A file on its way in."""

    def __init__(self, path: Path, file: io.FileIO) -> None:
        self.path = path
        self._file = file

    def write(self, chunk: bytes) -> None:
        """Append.

        Raises:
            TransientError: the disk is full or fails; others may be done and gone at the next try.
        """
        try:
            if shutil.disk_usage(self.path.parent).free < len(chunk) + _SPARE_BYTES:
                raise TransientError(
                    f"{self.path.parent}: wanted room for a download and {_SPARE_BYTES:,} bytes to "
                    "spare, the disk is full",
                    reason="fetch_failed",
                )
            view = memoryview(chunk)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise _unwritable(self.path.parent, error) from error

    def finish(self) -> None:
        """Close it, so that it can be read; what it holds is no news to the disk in a crash."""
        self._file.close()


def _unwritable(folder: Path, error: OSError) -> TransientError:
    return TransientError(
        f"{folder}: a download cannot be written: {error.strerror}", reason="fetch_failed"
    )


def _make_private(root: Path) -> None:
    """Make a folder that only we can enter; a stranger may have made one of that name before."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(f"{root} is not a folder of our own")
    if stat.S_IMODE(found.st_mode) & 0o077:
        root.chmod(0o700)
