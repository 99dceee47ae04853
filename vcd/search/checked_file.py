"""Small files beside the contents of an index: JSON with a checksum of itself.

    {"format": "vcd index calibration", "version": 1, "sha256": "<64 hex>", "body": {...}}

What the body says is for others; whoever changes it holds the writer's lock.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from vcd.core import InputError, SetupError
from vcd.search.publication import publish_file

__all__ = ["read_checked", "write_checked"]

_Result = TypeVar("_Result")


def read_checked(
    path: Path, parse: Callable[[dict[str, Any]], _Result], *, kind: str, version: int, advice: str
) -> _Result | None:
    """Read a file that `write_checked` wrote; None where there is none.

    Args:
        path: the file.
        parse: makes what is wanted of the body; may raise as a constructor does.
        kind: the format that the file must name.
        version: the only one that is understood.
        advice: what to do with a file that is damaged.

    Raises:
        SetupError: it is damaged, of a newer version, or cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return parse(_body_of(json.loads(data), kind, version))
    except (KeyError, TypeError, ValueError, RecursionError, InputError) as error:
        raise SetupError(f"{path}: damaged ({error}): {advice}") from error


def write_checked(path: Path, body: object, *, kind: str, version: int) -> None:
    """Put a file in the place of the one before, whole or not at all.

    Args:
        path: the file.
        body: what it says, in what JSON can hold.
        kind: the format that it names.
        version: of that format.

    Raises:
        OSError: the disk says no; the one before still counts.
    """
    document = {"format": kind, "version": version, "sha256": _digest(body), "body": body}
    text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"
    publish_file(path.parent, lambda file: file.write(text.encode()), lambda _: path.name)


def _body_of(document: dict[str, Any], kind: str, version: int) -> dict[str, Any]:
    found = document["format"], document["version"]
    if found != (kind, version):
        raise ValueError(f"wanted {kind} of version {version}, got {found[0]} of {found[1]}")
    if document["sha256"] != _digest(document["body"]):
        raise ValueError("its checksum is wrong")
    body: dict[str, Any] = document["body"]
    return body


def _digest(body: object) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
