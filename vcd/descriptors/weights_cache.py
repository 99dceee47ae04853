"""The folder of pulled weights, and the record of the digests that were seen or trusted.

cache/NAME.FORMAT.pt       pulled files
cache/weights.lock.json    which digest each had at first, which ones the user trusts
cache/exports/             networks exported to ONNX (exports.py)
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

from vcd.core import InputError, SetupError

__all__ = ["WeightsCache", "digest_weights"]

_LOCK_FILE = "weights.lock.json"


class WeightsCache:
    """The folder of pulled files, their exports, and the digests that were seen or trusted.

    Args:
        folder: None for the environment's ``VCD_CACHE`` or else the user's cache folder.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else _default_folder()

    def make_folder(self) -> Path:
        """Create the folder, readable by its owner only, when it is missing."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"{self.folder}: cannot make the cache folder: {error}") from error
        return self.folder

    def first_seen_sha256(self, file_name: str) -> str | None:
        """Digest that a file of this name had when it was first pulled."""
        return self._lock()["pulled"].get(file_name)

    def is_trusted(self, sha256: str) -> bool:
        return sha256 in self._lock()["trusted"]

    def trusted_sha256(self, file_name: str) -> str | None:
        """Digest that the user trusted under this file name."""
        trusted = self._lock()["trusted"].items()
        return next((sha256 for sha256, name in trusted if name == file_name), None)

    def record_pull(self, file_name: str, sha256: str) -> None:
        """Remember a digest that nobody vouches for, so that another one will be noticed."""
        self._record("pulled", file_name, sha256)

    def trust(self, path: Path) -> str:
        """Record that the user believes this file; return its digest.

        Raises:
            InputError: there is no such file, or it cannot be read.
        """
        sha256 = digest_weights(path)
        self._record("trusted", sha256, path.name)
        return sha256

    def vouch(self, path: Path) -> None:
        """Record that this program wrote the file and has checked it."""
        self._record("trusted", digest_weights(path), f"exported: {path.name}")

    def _lock(self) -> dict[str, dict[str, str]]:
        path = self.folder / _LOCK_FILE
        if not path.exists():
            return {"pulled": {}, "trusted": {}}
        try:
            lock = json.loads(path.read_text("utf-8"))
            return {part: dict(lock[part]) for part in ("pulled", "trusted")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SetupError(f"{path}: the record of digests is damaged: {error}") from error

    def _record(self, part: str, key: str, value: str) -> None:
        lock = self._lock()
        lock[part][key] = value
        text = json.dumps(lock, indent=2, sort_keys=True) + "\n"
        _write_atomically(self.make_folder() / _LOCK_FILE, text.encode())


def digest_weights(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _write_atomically(path: Path, content: bytes) -> None:
    """Put a small file in its place whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error}") from error


def _default_folder() -> Path:
    from_environment = os.environ.get("VCD_CACHE")
    if from_environment:
        return Path(from_environment)
    import platformdirs

    return platformdirs.user_cache_path("vcd", appauthor=False)
