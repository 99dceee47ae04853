"""Find out whether an mp4's edit list cuts or moves frames, from a few boxes of its header.

Nearly every mp4 with B-frames has an edit list of one entry that only takes back
the reordering delay. Such a list does nothing; every other one does.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["has_effective_edit_list"]

_MAX_BOX_BYTES = 64 * 2**20
_MAX_BOXES = 10_000


@dataclass(frozen=True, slots=True)
class _Edit:
    duration: int
    media_time: int
    rate: int


def has_effective_edit_list(path: Path) -> bool:
    """Say whether a video track's edit list does more than take back the reordering delay.

    A list that cannot be understood counts as one that does.
    """
    with path.open("rb") as file:
        try:
            moov = next((body for kind, body in _file_boxes(file) if kind == b"moov"), None)
            if moov is None:
                return True
            movie_rate = _timescale(next(b for kind, b in _boxes(moov) if kind == b"mvhd"))
            tracks = [body for kind, body in _boxes(moov) if kind == b"trak"]
            return any(_is_edited(track, movie_rate) for track in tracks if _is_video(track))
        except (struct.error, StopIteration, ValueError, KeyError):
            return True


def _is_edited(track: bytes, movie_rate: int) -> bool:
    elst = _find(track, b"edts", b"elst")
    if elst is None:
        return False
    edits = list(_edits(elst))
    while edits and edits[0].media_time == -1:  # a delay before the first frame moves all alike
        edits.pop(0)
    if len(edits) != 1 or edits[0].rate != 0x10000:
        return True
    return edits[0].media_time != _first_delay(track) or _is_shortened(track, edits[0], movie_rate)


def _is_shortened(track: bytes, edit: _Edit, movie_rate: int) -> bool:
    mdhd = _find(track, b"mdia", b"mdhd")
    if mdhd is None:
        return True
    media_rate = _timescale(mdhd)
    media_s = _duration(mdhd) / media_rate - edit.media_time / media_rate
    # Writers round the edit's length to the movie's clock and differ by a frame in what it holds.
    return edit.duration != 0 and edit.duration / movie_rate < media_s - 0.1


def _first_delay(track: bytes) -> int:
    """Return the composition offset of the first sample, which is shown first in a sane file."""
    table = _find(track, b"mdia", b"minf", b"stbl") or b""
    ctts = _find(table, b"ctts")
    if ctts is None or struct.unpack_from(">I", ctts, 4)[0] == 0:
        return 0
    offset: int = struct.unpack_from(">i", ctts, 12)[0]
    return offset


def _edits(elst: bytes) -> Iterator[_Edit]:
    (count,) = struct.unpack_from(">I", elst, 4)
    layout = struct.Struct(">Qqi" if elst[0] == 1 else ">Iii")
    for ordinal in range(min(count, _MAX_BOXES)):
        yield _Edit(*layout.unpack_from(elst, 8 + ordinal * layout.size))


def _is_video(track: bytes) -> bool:
    hdlr = _find(track, b"mdia", b"hdlr")
    return hdlr is not None and hdlr[8:12] == b"vide"


def _timescale(header: bytes) -> int:
    (ticks,) = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)
    if ticks == 0:
        raise ValueError("a clock without ticks")
    return int(ticks)


def _duration(header: bytes) -> int:
    layout, offset = (">Q", 24) if header[0] == 1 else (">I", 16)
    (ticks,) = struct.unpack_from(layout, header, offset)
    return int(ticks)


def _find(body: bytes, *kinds: bytes) -> bytes | None:
    for wanted in kinds:
        found = next((inner for kind, inner in _boxes(body) if kind == wanted), None)
        if found is None:
            return None
        body = found
    return body


def _boxes(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = 0
    while offset + 8 <= len(body):
        size, kind = struct.unpack_from(">I4s", body, offset)
        header = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", body, offset + 8)
            header = 16
        size = size or len(body) - offset
        if size < header:
            raise ValueError(f"a box of {size} bytes")
        yield kind, body[offset + header : offset + size]
        offset += size


def _file_boxes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Walk the outermost boxes; only ``moov`` is read, the media are stepped over."""
    offset = 0
    for _ in range(_MAX_BOXES):
        file.seek(offset)
        header = file.read(16)
        if len(header) < 8:
            return
        size, kind = struct.unpack_from(">I4s", header)
        skip = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", header, 8)
            skip = 16
        if size < skip:  # 0 means: up to the end of the file
            size = _MAX_BOX_BYTES
        if kind == b"moov" and size > _MAX_BOX_BYTES:
            raise ValueError(f"a header of {size} bytes")
        file.seek(offset + skip)
        yield kind, file.read(size - skip) if kind == b"moov" else b""
        offset += size
