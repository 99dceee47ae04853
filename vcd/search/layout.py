"""What belongs in an index directory, and what was left behind there.

DIR/manifest.json    which rows of which shard are which reference
DIR/shards/          immutable descriptor files, named by their digest
DIR/derived/         what FAISS made of them; may be deleted at any time
DIR/lock             held by the writer
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vcd.core import SetupError
from vcd.search.publication import TEMPORARY_SUFFIX
from vcd.search.shards import shard_path

__all__ = ["as_setup_error", "check_free", "derived_path", "orphans"]

_DERIVED_FOLDER = "derived"
_OWN_NAMES = {"lock", "shards", _DERIVED_FOLDER}
_VERSION_DIGITS = 16


def derived_path(directory: Path, kind: str, *, version: str, recipe: str) -> Path:
    """Say where a derived file lies.

    Args:
        directory: of the index.
        kind: what it is, a word.
        version: of the contents that it was derived from.
        recipe: digest of how it was derived.
    """
    name = f"{kind}-{version[:_VERSION_DIGITS]}-{recipe[:_VERSION_DIGITS]}.faiss"
    return directory / _DERIVED_FOLDER / name


def orphans(directory: Path, shards: Iterable[str], version: str) -> list[Path]:
    """List the files that a dead writer left behind or that nothing names any more.

    Args:
        directory: of the index.
        shards: digests of those that are in use.
        version: whose derived rows are in use.
    """
    named = {shard_path(directory, digest) for digest in shards}
    written = set(shard_path(directory, "").parent.glob("*"))
    derived = directory / _DERIVED_FOLDER
    rows = {each for each in derived.glob("rows-*") if version[:_VERSION_DIGITS] not in each.name}
    parts = {*directory.glob(f"*{TEMPORARY_SUFFIX}"), *derived.glob(f"*{TEMPORARY_SUFFIX}")}
    return sorted((written - named) | rows | parts)


def check_free(path: Path) -> None:
    """Refuse to make an index where something else is.

    Raises:
        SetupError: the path is a file, or a directory with something of another's.
    """
    if path.exists() and not path.is_dir():
        raise SetupError(f"{path}: wanted a directory for the index, found a file")
    foreign = [
        each.name
        for each in (path.iterdir() if path.exists() else ())
        if each.name not in _OWN_NAMES and each.suffix != TEMPORARY_SUFFIX
    ]
    if foreign:
        raise SetupError(
            f"{path}: wanted an index or an empty directory, found {min(foreign)} and no index"
        )


@contextmanager
def as_setup_error(path: Path, what: str) -> Iterator[None]:
    """Turn what the file system says into a sentence.

    Raises:
        SetupError: the file system refused.
    """
    try:
        yield
    except OSError as error:
        raise SetupError(
            f"{path}: the index could not be {what}: {error.strerror}; "
            "what was published before still counts"
        ) from error
