"""Take values out of a document that may be anybody's: of the kind and size that was asked for.

Raises ``TypeError`` and ``ValueError``, as the constructors of the records do; who reads a whole
document makes an `InputError` of them that names it.
"""

import math
import re
from typing import Any

from vcd.core.finding_documents import text_of

__all__ = [
    "CLIP_NAME",
    "PICTURE_NAME",
    "check_sizes",
    "count_of",
    "digest_of",
    "file_name_of",
    "list_of",
    "number_of",
    "object_of",
]

PICTURE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}\.jpg")
CLIP_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}\.webm")

_MAX_NUMBER = 1e12
"""Beyond it lies no time, size or count of a video, and the scales of a page lose their steps."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def object_of(value: object) -> dict[str, Any]:
    """Take an object, `{...}`."""
    if not isinstance(value, dict):
        raise TypeError(f"wanted an object, got {value!r}"[:80])
    return value


def list_of(value: object) -> list[Any]:
    """Take a list."""
    if not isinstance(value, list):
        raise TypeError(f"wanted a list, got {value!r}"[:80])
    return value


def number_of(value: object) -> float:
    """Take a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"wanted a finite number, got {value!r}"[:80])
    return float(value)


def count_of(value: object, *, most: int) -> int:
    """Take a whole number from 1 to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"wanted a whole number from 1 to {most}, got {value!r}"[:80])
    return value


def file_name_of(value: object, pattern: re.Pattern[str]) -> str:
    """Take the plain name of a file: no folder, no leading dot, no other ending."""
    name = text_of(value)
    if not pattern.fullmatch(name):
        raise ValueError(f"wanted the plain name of a file like {pattern.pattern}, got {name!r}")
    return name


def digest_of(value: object) -> str:
    """Take a SHA-256 as 64 hexadecimal digits."""
    digest = text_of(value)
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"wanted 64 hexadecimal digits, got {digest!r}"[:120])
    return digest


def check_sizes(value: object) -> None:
    """Refuse numbers that nothing about a video can be, wherever they are."""
    if isinstance(value, dict):
        for each in value.values():
            check_sizes(each)
    elif isinstance(value, list):
        for each in value:
            check_sizes(each)
    elif isinstance(value, int | float) and not abs(value) <= _MAX_NUMBER:
        raise ValueError(f"wanted numbers up to {_MAX_NUMBER:g}, got {value!r}"[:80])
