"""What a run says of itself, epoch by epoch: lines of JSON, and the same for TensorBoard.

``metrics.jsonl`` is what counts; the event file is made of it, so after a resume both hold what a
run without interruption would have written. An event file is a row of framed protocol buffers:

    length (8 bytes)  checksum of it (4)  Event {wall_time, step, summary {tag, simple_value} ...}
    checksum of the event (4)

written here by hand, because a number with a name is all that is needed of it.
Reference: tensorflow/core/util/event.proto and tensorflow/core/lib/io/record_writer.h.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vcd.core.errors import SetupError

__all__ = ["EVENTS_NAME", "METRICS_NAME", "append_metrics", "event_record", "keep_metrics_until"]

METRICS_NAME = "metrics.jsonl"
EVENTS_NAME = "events.out.tfevents.vcd"
"""TensorBoard looks for ``tfevents`` in a file's name."""

_VERSION = b"brain.Event:2"
_CASTAGNOLI = 0x82F63B78
_MASK = 0xA282EAD8


def append_metrics(folder: Path, line: Mapping[str, float]) -> None:
    """Add the line of one epoch to both files.

    Args:
        folder: of the run.
        line: by name; ``step`` and ``time_s`` (seconds since 1970) say where and when.

    Raises:
        SetupError: it cannot be written.
    """
    try:
        with (folder / METRICS_NAME).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        with (folder / EVENTS_NAME).open("ab") as events:
            events.write(event_record(line))
    except OSError as error:
        raise SetupError(f"{folder}: metrics cannot be written ({error.strerror})") from error


def keep_metrics_until(folder: Path, step: int) -> None:
    """Drop the lines of later steps, and one that a kill has cut off, from both files.

    A run that goes on from a checkpoint writes them again. Also begins both files.

    Raises:
        SetupError: they cannot be written.
    """
    try:
        kept = [line for line in _whole_lines(folder / METRICS_NAME) if line["step"] <= step]
        text = "".join(json.dumps(line) + "\n" for line in kept)
        events = _framed(_double(1, 0.0) + _bytes(3, _VERSION)) + b"".join(map(event_record, kept))
        for name, content in ((METRICS_NAME, text.encode()), (EVENTS_NAME, events)):
            beside = folder / f"{name}.part"
            beside.write_bytes(content)
            beside.replace(folder / name)
    except OSError as error:
        raise SetupError(f"{folder}: metrics cannot be written ({error.strerror})") from error


def _whole_lines(file: Path) -> Iterator[dict[str, Any]]:
    if not file.exists():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            return
        if not isinstance(entry, dict) or "step" not in entry:
            return
        yield entry


def event_record(line: Mapping[str, float]) -> bytes:
    """Frame one line as TensorBoard reads it: every number but ``step`` and ``time_s`` by name."""
    values = b"".join(
        _bytes(1, _bytes(1, name.encode()) + _tag(2, 5) + struct.pack("<f", value))
        for name, value in line.items()
        if name not in ("step", "time_s")
    )
    step = _tag(2, 0) + _varint(int(line["step"]))
    return _framed(_double(1, line.get("time_s", 0.0)) + step + _bytes(5, values))


def _framed(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    return length + _checksum(length) + event + _checksum(event)


def _checksum(content: bytes) -> bytes:
    """CRC-32C, turned and shifted as the format wants it."""
    remainder = 0xFFFFFFFF
    for byte in content:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (_CASTAGNOLI if remainder & 1 else 0)
    crc = remainder ^ 0xFFFFFFFF
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF)


def _double(field: int, value: float) -> bytes:
    return _tag(field, 1) + struct.pack("<d", value)


def _bytes(field: int, content: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(content)) + content


def _tag(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
