"""Read JSON from strangers: one object, known fields, each of the kind and size that was agreed.

A message is refused rather than guessed at: two fields of one name, a number that
is none, text with control characters, an object a thousand levels deep. Fields
that nobody asks for are passed over, so that a later writer can add some.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Never

from vcd.core import InputError

__all__ = ["Fields", "document_bytes", "document_fields"]

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, which would forge lines of a log, and halves of characters, which cannot be
written as UTF-8 at all."""

_MAX_QUOTED = 60


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """Write an object as JSON: sorted keys, no blanks, UTF-8, so that equal is equal bytes."""
    text = json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def document_fields(data: bytes, *, version: int, origin: str) -> "Fields":
    """Read a message as one JSON object of a known version.

    Args:
        data: the message as it came.
        version: the only ``schema_version`` that is understood.
        origin: topic, partition and offset, for the message of an error.

    Raises:
        InputError: ``not_json``, ``wrong_message`` or ``unknown_version``.
    """
    try:
        document = json.loads(
            data.decode(), object_pairs_hook=_once_each, parse_constant=_refuse_constant
        )
    except _Twice as error:
        raise InputError(f"{origin}: {error}", reason="wrong_message") from error
    except RecursionError:  # nested deeper than the interpreter goes
        raise InputError(f"{origin}: nested too deeply to be read", reason="not_json") from None
    except ValueError as error:  # no UTF-8, no JSON, or a number of thousands of digits
        raise InputError(f"{origin}: wanted JSON in UTF-8: {error}", reason="not_json") from error
    if not isinstance(document, dict):
        raise InputError(
            f"{origin}: wanted a JSON object, got {_quoted(document)}", reason="wrong_message"
        )
    found = document.get("schema_version")
    if isinstance(found, bool) or found != version:
        raise InputError(
            f"{origin}: wanted schema_version {version}, got {_quoted(found)}",
            reason="unknown_version",
        )
    return Fields(document, origin)


class Fields:
    """The fields of one JSON object, taken out one by one and checked as they are.

    Args:
        document: the object.
        origin: where it is, for the message of an error.
        at: the way to it inside the message, with a dot at its end.
    """

    def __init__(self, document: Mapping[str, Any], origin: str, at: str = "") -> None:
        self._document = document
        self._origin = origin
        self._at = at

    def text(self, name: str, *, max_chars: int, default: str | None = None) -> str:
        """Take a text of printable characters; an empty one only where there is a default."""
        value = self._document.get(name, default)
        if not isinstance(value, str):
            self.refuse(name, "text", value)
        if not (default is not None or value):
            self.refuse(name, "text that is not empty", value)
        if len(value) > max_chars:
            self.refuse(name, f"at most {max_chars} characters", value)
        if _UNPRINTABLE.search(value):
            self.refuse(name, "text without control characters", value)
        return value

    def digest(self, name: str) -> str:
        """Take a SHA-256 of 64 hexadecimal digits in lower case."""
        value = self.text(name, max_chars=64)
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            self.refuse(name, "64 hexadecimal digits in lower case", value)
        return value

    def number(self, name: str, *, low: float, high: float) -> float:
        """Take a finite number in ``[low, high]``."""
        value = self._document.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(name, "a number", value)
        if not low <= value <= high:
            self.refuse(name, f"a number from {low:g} to {high:g}", value)
        return float(value)

    def whole(self, name: str, *, low: int, high: int) -> int:
        """Take a whole number in ``[low, high]``; JSON does not tell 2 from 2.0."""
        value = self.number(name, low=low, high=high)
        if not value.is_integer():
            self.refuse(name, "a whole number", value)
        return int(value)

    def inner(self, name: str) -> "Fields":
        """Take an object."""
        value = self._document.get(name)
        if not isinstance(value, dict):
            self.refuse(name, "an object", value)
        return Fields(value, self._origin, f"{self._at}{name}.")

    def inners(self, name: str, *, max_items: int) -> list["Fields"]:
        """Take a list of objects; a list that is not there is empty."""
        values = self._document.get(name, [])
        if not isinstance(values, list):
            self.refuse(name, "a list", values)
        if len(values) > max_items:
            self.refuse(name, f"at most {max_items} items", len(values))
        for value in values:
            if not isinstance(value, dict):
                self.refuse(name, "a list of objects", value)
        return [
            Fields(value, self._origin, f"{self._at}{name}.{ordinal}.")
            for ordinal, value in enumerate(values)
        ]

    def refuse(self, name: str, wanted: str, value: object) -> Never:
        """Say which field of which message is not what it should be."""
        raise InputError(
            f"{self._origin}: {self._at}{name}: wanted {wanted}, got {_quoted(value)}",
            reason="wrong_message",
        )


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object; of two fields with one name, which one counts would depend on the reader."""
    document = dict(pairs)
    if len(document) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _Twice(f"wanted each field once, got {_quoted(name)} twice")
    return document


class _Twice(Exception):
    """JSON as it should be, and yet it says two things of one."""


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is no JSON")


def _quoted(value: object) -> str:
    """Show a value in one short line; an absent field reads better as nothing."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "an object"
    shown = ascii(value)
    return shown if len(shown) <= _MAX_QUOTED else f"{shown[:_MAX_QUOTED]}... ({len(shown)} long)"
