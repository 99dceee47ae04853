"""What belongs in an index directory, and what was left behind there.

DIR/manifest.json    which rows of which shard are which reference
DIR/shards/          immutable descriptor files, named by their digest
DIR/derived/         what fits and FAISS made of them; may be deleted at any time
DIR/calibration.json what an index is searched with, and DIR/fit-*.npz (calibration.py)
DIR/lock             held by the writer
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vcd.core import SetupError
from vcd.search.manifest import MANIFEST_NAME, Manifest, manifest_bytes, read_manifest
from vcd.search.publication import LOCK_NAME, TEMPORARY_SUFFIX, publish_file
from vcd.search.shards import shard_path

__all__ = [
    "PROJECTED",
    "as_setup_error",
    "check_free",
    "derived_path",
    "opened_manifest",
    "orphans",
    "projected_files",
    "publish_manifest",
]

_DERIVED_FOLDER = "derived"
_VERSION_DIGITS = 16
PROJECTED = "projected"
_PROJECTED_SUFFIX = ".rows"


def derived_path(directory: Path, kind: str, *, version: str, recipe: str) -> Path:
    """Say where a derived file lies.

    Args:
        directory: of the index.
        kind: ``rows`` and ``trained`` are what FAISS made, ``projected`` rows are searched in
            place of the stored ones.
        version: of the contents that it was derived from.
        recipe: digest of how it was derived.
    """
    suffix = _PROJECTED_SUFFIX if kind == PROJECTED else ".faiss"
    name = f"{kind}-{version[:_VERSION_DIGITS]}-{recipe[:_VERSION_DIGITS]}{suffix}"
    return directory / _DERIVED_FOLDER / name


def projected_files(directory: Path) -> list[Path]:
    """List the files of rows that are searched in place of the stored ones."""
    return sorted((directory / _DERIVED_FOLDER).glob(f"{PROJECTED}-*{_PROJECTED_SUFFIX}"))


def orphans(directory: Path, shards: Iterable[str], version: str) -> list[Path]:
    """List the files that a dead writer left behind or that nothing names any more.

    Args:
        directory: of the index.
        shards: digests of those that are in use.
        version: whose derived rows are in use.
    """
    shards = set(shards)
    named = {shard_path(directory, digest) for digest in shards}
    written = set(shard_path(directory, "").parent.glob("*"))
    derived = directory / _DERIVED_FOLDER
    rows = {each for each in derived.glob("rows-*") if version[:_VERSION_DIGITS] not in each.name}
    alive = {digest[:_VERSION_DIGITS] for digest in shards}
    rows |= {each for each in projected_files(directory) if each.name.split("-")[1] not in alive}
    parts = {*directory.glob(f"*{TEMPORARY_SUFFIX}"), *derived.glob(f"*{TEMPORARY_SUFFIX}")}
    return sorted((written - named) | rows | parts)


def check_free(path: Path) -> None:
    """Refuse to make an index where something else is.

    A new index gets its manifest before its first shard, so shards without a
    manifest are an index that lost it, and are left alone.

    Raises:
        SetupError: the path is a file, or a directory with something in it.
    """
    if path.exists() and not path.is_dir():
        raise SetupError(f"{path}: wanted a directory for the index, found a file")
    found = [
        each.name
        for each in (path.iterdir() if path.exists() else ())
        if each.name != LOCK_NAME and each.suffix != TEMPORARY_SUFFIX
    ]
    if found:
        raise SetupError(
            f"{path}: wanted an index or an empty directory, found {min(found)} and no "
            f"{MANIFEST_NAME}"
        )


@contextmanager
def as_setup_error(subject: str) -> Iterator[None]:
    """Turn what the file system says into a sentence.

    Args:
        subject: what could not be done.

    Raises:
        SetupError: the file system refused.
    """
    try:
        yield
    except OSError as error:
        raise SetupError(f"{subject}: {error.strerror}") from error


def opened_manifest(path: Path, new: Manifest) -> Manifest:
    """Read the manifest, or publish a new one when there is none.

    Raises:
        SetupError: there is one of another space or rate, or it is damaged.
    """
    if not (path / MANIFEST_NAME).exists():
        with as_setup_error(f"{path}: the index could not be made"):
            publish_manifest(path, new)
        return new
    manifest = read_manifest(path)
    if manifest.space != new.space:
        raise SetupError(
            f"{path}: the index holds descriptors of {manifest.space}, made with "
            f"{manifest.weights}; these would be of {new.space}, made with {new.weights}"
        )
    if manifest.rate_hz != new.rate_hz:
        raise SetupError(
            f"{path}: the index was sampled at {manifest.rate_hz} Hz, "
            f"this would be sampled at {new.rate_hz} Hz"
        )
    return manifest


def publish_manifest(path: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the one before.

    Raises:
        OSError: it could not be written; the one before still counts.
    """
    data = manifest_bytes(manifest)
    publish_file(path, lambda file: file.write(data), lambda _: MANIFEST_NAME)
