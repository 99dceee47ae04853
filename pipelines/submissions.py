"""Turn the paths and uris of a command line into uploads, and say what a worker must allow.

uploads/a/rabbit.mp4          rabbit      file:///srv/uploads/a/rabbit.mp4
https://cdn.example.com/x/rabbit.mp4?signature=...
                              rabbit.mp4  rabbit is taken
"""

import json
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from pipelines.items import find_items
from vcd.core import InputError
from vcd.media import prefix_to_allow, shown_uri

__all__ = ["Submission", "allowing_line", "allowing_prefixes", "find_submissions"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One video to be checked and where a worker finds it.

    Attributes:
        id: unique among the submissions of one command.
        uri: absolute.
        folder: what a worker must allow for it: the folder that was given, or the one it is in,
            links resolved.
        note: what to print about it: why its id is not simply the stem; None when it is.
    """

    id: str
    uri: str
    folder: str
    note: str | None = None


def find_submissions(words: Sequence[str]) -> tuple[Submission, ...]:
    """List what is behind paths and uris: files first, in the order and with the ids of `check`.

    A uri is called by the last part of its path as a file is by its name; one that is given
    twice is one submission.

    Raises:
        InputError: a path does not exist, a folder has no video or image in it, or a uri is none.
    """
    uris = list(dict.fromkeys(word for word in words if _SCHEME.match(word)))
    paths = [Path(word) for word in words if not _SCHEME.match(word)]
    folders = [Path(os.path.realpath(path)).as_uri() + "/" for path in paths if path.is_dir()]
    found = [
        Submission(
            id=item.id,
            uri=item.path.as_uri(),
            folder=_folder_of(item.path.as_uri(), folders),
            note=item.note,
        )
        for item in find_items(paths)
    ]
    taken = {submission.id for submission in found}
    for uri in uris:
        submission = _of_uri(uri, taken)
        taken.add(submission.id)
        found.append(submission)
    return tuple(found)


def allowing_prefixes(submissions: Iterable[Submission]) -> tuple[str, ...]:
    """List the fewest folders that hold all of these, without going above what was given."""
    prefixes: list[str] = []
    for folder in sorted({submission.folder for submission in submissions}):
        if not any(folder.startswith(prefix) for prefix in prefixes):
            prefixes.append(folder)
    return tuple(prefixes)


def allowing_line(prefixes: Sequence[str]) -> str:
    """Write the setting that lets a worker fetch from these, ready to be pasted into a shell."""
    return "export VCD_FETCH__ALLOWED_PREFIXES=" + shlex.quote(json.dumps(list(prefixes)))


def _of_uri(uri: str, taken: set[str]) -> Submission:
    folder = _folder_of(uri)
    path = re.split(r"[?#]", uri, maxsplit=1)[0]
    name = PurePosixPath(unquote(path)).name
    if path.endswith("/") or not name:
        raise InputError(f"{shown_uri(uri)}: wanted a uri with the name of a file at its end")
    stem = PurePosixPath(name).stem
    id_ = next((id_ for id_ in (stem, name, path) if id_ not in taken), None)
    if id_ is None:
        raise InputError(f"{shown_uri(uri)}: every name for it is taken; submit it by itself")
    note = f"{shown_uri(uri)}: called {id_}, since {stem} is another one"
    return Submission(id=id_, uri=uri, folder=folder, note=None if id_ == stem else note)


def _folder_of(uri: str, folders: Sequence[str] = ()) -> str:
    """Name the given folder that a worker will find the file in; else the file's own folder."""
    narrowest = prefix_to_allow(uri)
    return next((folder for folder in folders if narrowest.startswith(folder)), narrowest)
