"""What the owner of a partition tells the next one: a line of JSON beside the committed offset.

    {"v":1,"run":true,"n":1,"to":812,"alone":805,"done":"DQ=="}

``done`` is a bitmap, base64: bit i (lowest first) of it stands for offset ``committed + i``.
A log keeps 4,096 bytes of note; what does not fit of the bitmap is left out and
would be done again.
"""

import base64
import binascii
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["MAX_NOTE_BYTES", "Note", "decode_note", "encode_note"]

MAX_NOTE_BYTES = 4096
"""What Kafka's brokers take (``offset.metadata.max.bytes``)."""

_MAX_BITS = 16_384
"""2,732 characters of base64; the rest needs less than 150."""

_VERSION = 1

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What is known of a partition beside its committed offset.

    Attributes:
        is_running: written by an owner that was at work: if it is the last word, that owner died.
        num_crashes: owners that died since the head last moved.
        highest: the last offset that any of them may have begun; None when nobody knows.
        alone: the offset that was tried with nothing beside it; None when none was.
        done: offsets from the committed one on that are done.
    """

    is_running: bool = False
    num_crashes: int = 0
    highest: int | None = None
    alone: int | None = None
    done: frozenset[int] = frozenset()


def encode_note(note: Note, head: int) -> str:
    """Write a note that goes with the committed offset ``head``."""
    document: dict[str, Any] = {"v": _VERSION}
    if note.is_running:
        document["run"] = True
    if note.num_crashes:
        document["n"] = note.num_crashes
    if note.highest is not None:
        document["to"] = note.highest
    if note.alone is not None:
        document["alone"] = note.alone
    if bits := _bitmap(note.done, head):
        document["done"] = base64.b64encode(bits).decode()
    return json.dumps(document, separators=(",", ":"))


def decode_note(text: str, head: int) -> Note:
    """Read a note; one that is not ours says nothing, and a line of the log says so."""
    if not text:
        return Note()
    try:
        return _note_from(json.loads(text), head)
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        _logger.warning("a note of somebody else beside offset %d is ignored: %r", head, error)
        return Note()


def _note_from(document: dict[str, Any], head: int) -> Note:
    if document["v"] != _VERSION:
        raise ValueError(f"wanted a note of version {_VERSION}, got {document['v']!r}")
    bits = base64.b64decode(document.get("done", ""), validate=True)
    return Note(
        is_running=bool(document.get("run", False)),
        num_crashes=int(document.get("n", 0)),
        highest=_offset(document.get("to")),
        alone=_offset(document.get("alone")),
        done=frozenset(head + at for at in range(8 * len(bits)) if bits[at // 8] >> (at % 8) & 1),
    )


def _bitmap(done: Iterable[int], head: int) -> bytes:
    places = [offset - head for offset in done if 0 <= offset - head < _MAX_BITS]
    if not places:
        return b""
    bits = bytearray(max(places) // 8 + 1)
    for at in places:
        bits[at // 8] |= 1 << (at % 8)
    return bytes(bits)


def _offset(value: object) -> int | None:
    if value is None or (isinstance(value, int) and value >= 0):
        return value
    raise ValueError(f"wanted an offset, got {value!r}")
