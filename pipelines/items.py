"""Turn the paths of a command line into videos with ids.

    uploads/             id
      a/rabbit.mp4       rabbit            the stem
      b/rabbit.webm      rabbit.webm       rabbit is taken: the file name
      c/rabbit.webm      c/rabbit.webm     so is that: the path below uploads/

A file that is named is always tried; a folder is walked for names that look
like media. What is really inside a file is for `vcd.media` to find out.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vcd.core import InputError

__all__ = ["MEDIA_SUFFIXES", "Item", "Items", "find_items"]

_VIDEO_SUFFIXES = """
    3g2 3gp asf avi divx dv f4v flv gif h264 hevc ivf m1v m2ts m2v m4v mj2 mjpeg mjpg mkv mov mp4
    mpeg mpg mts mxf nut obu ogm ogv qt rm rmvb ts vob webm wmv y4m"""
_IMAGE_SUFFIXES = "avif bmp heic heif jfif jpeg jpg jxl png ppm tif tiff webp"
MEDIA_SUFFIXES = frozenset(f".{name}" for name in (_VIDEO_SUFFIXES + " " + _IMAGE_SUFFIXES).split())
"""What a folder is walked for, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file and what it is called.

    Attributes:
        id: unique among the items and the ids that were taken before.
        path: the file, absolute.
        note: what to print about it: why its id is not simply the stem; None when it is.
    """

    id: str
    path: Path
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """What the paths of a command line stand for.

    Attributes:
        found: the items, in sorted order of their paths.
        num_passed_over: files inside folders whose names do not look like media.
    """

    found: tuple[Item, ...]
    num_passed_over: int = 0

    def __iter__(self) -> Iterator[Item]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


def find_items(
    paths: Sequence[str | os.PathLike[str]], *, taken: Mapping[str, Path] | None = None
) -> Items:
    """List the files behind the paths and give each an id.

    A file that holds an id in ``taken`` keeps it, so that the same command gives the same
    ids again. A file that two paths reach is one item.

    Args:
        paths: files and folders; folders are walked with all that is below them.
        taken: id -> file of what an index holds already.

    Raises:
        InputError: a path does not exist, or a folder has no video or image in it.
    """
    roots: dict[Path, Path] = {}
    num_passed_over = 0
    for root in map(Path, paths):
        files, num_others = _files_behind(root)
        num_passed_over += num_others
        for file in files:
            roots.setdefault(file, _absolute(root))
    owners = {id_: _absolute(path) for id_, path in (taken or {}).items()}
    ids = {path: id_ for id_, path in owners.items()}
    found = []
    for file in sorted(roots):
        id_ = ids.get(file) or _free_id(file, roots[file], owners)
        owners[id_] = file
        note = f"{file}: called {id_}, since {file.stem} is another file"
        found.append(Item(id=id_, path=file, note=None if id_ == file.stem else note))
    return Items(found=tuple(found), num_passed_over=num_passed_over)


def _free_id(file: Path, root: Path, owners: Mapping[str, Path]) -> str:
    below = file.relative_to(root) if file != root else Path(file.name)
    for id_ in (file.stem, file.name, below.as_posix(), file.as_posix()):
        if id_ not in owners:
            return id_
    raise InputError(f"{file}: every name for it is taken; rename the file")


def _files_behind(root: Path) -> tuple[list[Path], int]:
    if not root.exists():
        raise InputError(f"{root}: no such file or folder")
    if not root.is_dir():
        return [_absolute(root)], 0
    files = list(_walk(_absolute(root)))
    media = [file for file in files if file.suffix.lower() in MEDIA_SUFFIXES]
    if not media:
        others = "files of other kinds only" if files else "nothing"
        raise InputError(f"{root}: wanted a folder with videos or images in it, found {others}")
    return media, len(files) - len(media)


def _walk(folder: Path) -> Iterator[Path]:
    """Yield every file below the folder but the hidden ones; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be listed: {error.strerror}") from error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _absolute(path: Path) -> Path:
    """The path without ``..``; links stay as they are called, so that ids stay as typed."""
    return Path(os.path.normpath(path.absolute()))
