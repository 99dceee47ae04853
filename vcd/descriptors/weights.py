"""Say which file a name of weights means, and whether it is the file it should be.

Three kinds: ``vcd_compact`` ships inside the package; the published SSCD files lie in the cache
once ``vcd models pull`` has fetched them; anything else is a path. A TorchScript file is a
program, so it is opened only when its digest is built in here or the user has trusted it.
Nothing here opens a file as weights: it only reads bytes and digests.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from vcd.core import InputError, SetupError

__all__ = [
    "BUNDLED_NAME",
    "PUBLISHED",
    "PublishedWeights",
    "WeightsCache",
    "WeightsFile",
    "bundled_dir",
    "digest_weights",
    "locate_weights",
]

BUNDLED_NAME = "vcd_compact"

_SUFFIXES = (".torchscript.pt", ".torchvision.pt", ".classy.pt", ".safetensors", ".onnx")
"""What a weights file may be called; the name alone says how it is read."""

_LOCK_FILE = "weights.lock.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWeights:
    """Weights that their authors publish, in one or more formats.

    Attributes:
        name: as published.
        trunk: name in `TRUNKS`.
        dim: length of a descriptor.
        formats: best first: known digests, then files that hold no program.
        digests: SHA-256 by format, of the formats whose digest is built in.
    """

    name: str
    trunk: str
    dim: int
    formats: tuple[str, ...]
    digests: Mapping[str, str] = field(default_factory=dict)

    def file_name(self, file_format: str) -> str:
        return f"{self.name}.{file_format}.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """A weights file on this machine whose bytes have been checked.

    Attributes:
        name: what the descriptor space is called after.
        path: where it is.
        suffix: how it is read, like ``.torchvision.pt``.
        sha256: digest of its bytes.
    """

    name: str
    path: Path
    suffix: str
    sha256: str


def _published(
    name: str,
    formats: tuple[str, ...] = ("torchvision", "classy", "torchscript"),
    *,
    trunk: str = "resnet50",
    dim: int = 512,
    digests: Mapping[str, str] | None = None,
) -> tuple[str, PublishedWeights]:
    weights = PublishedWeights(
        name=name,
        trunk=trunk,
        dim=dim,
        formats=formats,
        digests=MappingProxyType(dict(digests or {})),
    )
    return name, weights


_DISC_MIXUP_SCRIPT = "9f26bd4c848cc19b73d2ae92eea6e04886f61a7b764ceb7a13aeee62e6a6db56"

PUBLISHED: Mapping[str, PublishedWeights] = MappingProxyType(
    dict(
        [
            _published("sscd_disc_blur"),
            _published("sscd_disc_advanced"),
            _published(
                "sscd_disc_mixup",
                ("torchscript", "torchvision", "classy"),
                digests={"torchscript": _DISC_MIXUP_SCRIPT},
            ),
            _published(
                "sscd_disc_large", ("classy", "torchscript"), trunk="resnext101_32x4d", dim=1024
            ),
            _published("sscd_imagenet_blur"),
            _published("sscd_imagenet_advanced"),
            _published("sscd_imagenet_mixup"),
        ]
    )
)
"""The seven published sets by name: github.com/facebookresearch/sscd-copy-detection, MIT."""


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
        write_atomically(self.make_folder() / _LOCK_FILE, text.encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Put a small file in its place whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error}") from error


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


def bundled_dir() -> Path:
    """Folder of what ships with the package."""
    return Path(__file__).parent / "bundled"


def locate_weights(weights: str, cache: WeightsCache) -> WeightsFile:
    """Find the file that a name or a path means, and check that it is what it was.

    Args:
        weights: a published name, with or without its format (``sscd_disc_mixup.torchvision``),
            or the path of a file. (The bundled weights are several files: `loading`.)
        cache: where pulled files are.

    Raises:
        SetupError: no such name or file, not pulled yet, another digest than expected, or a
            program that nobody trusts.
    """
    name, _, file_format = weights.partition(".")
    if name in PUBLISHED and not Path(weights).exists():
        return _located_pull(PUBLISHED[name], file_format, cache)
    path = Path(weights)
    suffix = next((suffix for suffix in _SUFFIXES if path.name.endswith(suffix)), None)
    if not path.is_file():
        known = ", ".join([BUNDLED_NAME, *sorted(PUBLISHED)])
        raise SetupError(f"no weights named {weights!r} and no such file; there are {known}")
    if suffix is None:
        raise SetupError(f"{path}: the name of a weights file ends in {', '.join(_SUFFIXES)}")
    sha256 = digest_weights(path)
    _check_program(path, suffix, sha256, cache)
    return WeightsFile(name=path.name.removesuffix(suffix), path=path, suffix=suffix, sha256=sha256)


def _located_pull(
    published: PublishedWeights, file_format: str, cache: WeightsCache
) -> WeightsFile:
    """Take the asked format, or the best one that has been pulled."""
    file_format = file_format.removesuffix(".pt")
    wanted = (file_format,) if file_format else published.formats
    paths = {each: cache.folder / published.file_name(each) for each in wanted}
    pulled = next((each for each in wanted if paths[each].is_file()), None)
    if pulled is None:
        asked = f"{published.name}.{file_format}" if file_format else published.name
        raise SetupError(
            f"{asked} is not on this machine: fetch it with `vcd models pull {asked}`"
            f" (looked in {cache.folder})"
        )
    path, suffix = paths[pulled], f".{pulled}.pt"
    sha256 = digest_weights(path)
    expected = published.digests.get(pulled) or cache.first_seen_sha256(path.name)
    if expected is not None and sha256 != expected:
        raise SetupError(
            f"{path}: wanted SHA-256 {expected}, found {sha256}: delete the file and pull it again"
        )
    _check_program(path, suffix, sha256, cache)
    return WeightsFile(name=published.name, path=path, suffix=suffix, sha256=sha256)


def _check_program(path: Path, suffix: str, sha256: str, cache: WeightsCache) -> None:
    built_in = {known for each in PUBLISHED.values() for known in each.digests.values()}
    if suffix != ".torchscript.pt" or sha256 in built_in or cache.is_trusted(sha256):
        return
    raise SetupError(
        f"{path}: a TorchScript file is a program and this one (SHA-256 {sha256}) is not known; "
        f"if you trust where it came from: `vcd models trust {path}`"
    )


def _default_folder() -> Path:
    from_environment = os.environ.get("VCD_CACHE")
    if from_environment:
        return Path(from_environment)
    import platformdirs

    return platformdirs.user_cache_path("vcd", appauthor=False)
