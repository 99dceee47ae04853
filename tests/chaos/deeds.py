"""What can be done to a good file, or be made instead of one, to hurt whoever decodes it.

Each deed gives the bytes of one file. All choices come from the draft, so equal
drafts give equal bytes.
"""

import functools
import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["FAMILIES", "SUFFIXES", "Draft"]

_HUGE_PX = 30_000
_PALE_PX = 8000
"""Within the limits, and 192 MB when it is decoded."""

_NUM_GIF_FRAMES = 20_000
_LONG_MS = 5 * 86_400_000.0
_MANY = 0x7FFF_FF00


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a deed may draw on.

    Attributes:
        sources: good videos of several containers.
        choice: makes all choices.
        attempt: from 0; a later one does more harm.
    """

    sources: Sequence[Path]
    choice: np.random.Generator
    attempt: int

    def source(self, *suffixes: str) -> bytes:
        """Take a good video, of one of these containers if any are named."""
        fit = [path for path in self.sources if not suffixes or path.suffix in suffixes]
        return fit[self.choice.integers(len(fit))].read_bytes()

    @property
    def num_flips(self) -> int:
        return int(4 ** (self.attempt + 1))


def _cut(draft: Draft, first_share: float, last_share: float) -> bytes:
    data = draft.source(".mp4", ".mkv")
    return data[: int(len(data) * draft.choice.uniform(first_share, last_share))]


def _cut_in_header(draft: Draft) -> bytes:
    return draft.source()[: draft.choice.integers(11, 1000)]


def _flip(data: bytes, draft: Draft, first: int, stop: int) -> bytes:
    """Turn single bits over within a stretch."""
    flipped = bytearray(data)
    for _ in range(draft.num_flips):
        flipped[draft.choice.integers(first, stop)] ^= 1 << int(draft.choice.integers(8))
    return bytes(flipped)


def _flip_head(draft: Draft) -> bytes:
    return _flip(data := draft.source(), draft, 0, min(64, len(data)))


def _flip_box(draft: Draft, name: bytes) -> bytes:
    data = draft.source(".mp4")
    first = data.index(name) - 4
    (length,) = struct.unpack_from(">I", data, first)
    return _flip(data, draft, first + 8, first + length)


def _flip_anywhere(draft: Draft) -> bytes:
    return _flip(data := draft.source(".mp4", ".mkv"), draft, 0, len(data))


def _garbage(draft: Draft) -> bytes:
    """Write noise over a third of a file, somewhere behind its beginning."""
    data = bytearray(draft.source(".mkv"))
    first = int(draft.choice.integers(len(data) // 10, len(data) // 2))
    length = len(data) // 3
    data[first : first + length] = draft.choice.bytes(length)
    return bytes(data)


def _zip(draft: Draft) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("holiday.mp4"), draft.source())
    return buffer.getvalue()


def _executable(_draft: Draft) -> bytes:
    with Path(sys.executable).open("rb") as file:
        return file.read(1 << 16)


def _sound(draft: Draft) -> bytes:
    samples = draft.choice.bytes(16_000)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _text(content: str) -> Callable[[Draft], bytes]:
    return lambda draft: f"{content}\n".encode() * int(draft.choice.integers(1, 40))


@functools.cache
def _blank_png(side_px: int) -> bytes:
    """Draw a white square, one bit a pixel: a kilobyte for each megabyte of it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    packer = zlib.compressobj(9)
    row = b"\0" + b"\xff" * ((side_px + 7) // 8)
    pixels = b"".join(packer.compress(row) for _ in range(side_px)) + packer.flush()
    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


@functools.cache
def _gif(side_px: int, num_frames: int) -> bytes:
    """Show one black pixel again and again on a screen of any size."""
    screen = struct.pack("<HHBBB", side_px, side_px, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    pause = b"\x21\xf9\x04\x00" + struct.pack("<H", 2) + b"\x00\x00"
    picture = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + screen + (pause + picture) * num_frames + b"\x3b"


def _huge_webp(_draft: Draft) -> bytes:
    """Claim a canvas of 30,000 x 30,000 px around a picture that claims 16,384 x 16,384."""
    canvas = struct.pack("<I", _HUGE_PX - 1)[:3] * 2
    extended = b"VP8X" + struct.pack("<II", 10, 0) + canvas
    picture = b"\x2f" + struct.pack("<I", 16_383 | 16_383 << 14) + b"\0" * 8
    pixels = b"VP8L" + struct.pack("<I", len(picture)) + picture + b"\0" * (len(picture) % 2)
    body = b"WEBP" + extended + pixels
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _long_mkv(draft: Draft) -> bytes:
    """Claim that the film lasts for five days."""
    data = bytearray(draft.source(".mkv"))
    struct.pack_into(">d", data, data.index(b"\x44\x89\x88") + 3, _LONG_MS)
    return bytes(data)


def _many_mp4(draft: Draft) -> bytes:
    """Claim two thousand million frames of a gigabyte each."""
    data = bytearray(draft.source(".mp4"))
    struct.pack_into(">II", data, data.index(b"stsz") + 8, 1 << 30, _MANY)
    struct.pack_into(">I", data, data.index(b"stts") + 12, _MANY)
    return bytes(data)


def _huge_frames(draft: Draft) -> bytes:
    """Claim 30,000 x 30,000 px in the header of every JPEG picture of a video."""
    data = bytearray(draft.source(".avi"))
    first = data.find(b"\xff\xc0\x00\x11\x08")
    while first >= 0:
        struct.pack_into(">HH", data, first + 5, _HUGE_PX, _HUGE_PX)
        first = data.find(b"\xff\xc0\x00\x11\x08", first + 1)
    return bytes(data)


def _good(draft: Draft) -> bytes:
    return draft.source(".mp4")


FAMILIES: Mapping[str, Mapping[str, Callable[[Draft], bytes]]] = {
    "truncated": {
        "empty": lambda _draft: b"",
        "early": lambda draft: _cut(draft, 0.05, 0.5),
        "tenbytes": lambda draft: draft.source()[:10],
        "inheader": _cut_in_header,
        "late": lambda draft: _cut(draft, 0.5, 0.95),
    },
    "flipped": {
        "head": _flip_head,
        "moov": lambda draft: _flip_box(draft, b"moov"),
        "mdat": lambda draft: _flip_box(draft, b"mdat"),
        "anywhere": _flip_anywhere,
        "garbage": _garbage,
    },
    "renamed": {
        "text": _text("This is not a video."),
        "playlist": _text("#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd"),
        "concat": _text("ffconcat version 1.0\nfile /etc/passwd"),
        "html": _text("<!doctype html><video src='/etc/passwd'></video>"),
        "zip": _zip,
        "executable": _executable,
        "sound": _sound,
    },
    "bomb": {
        "longmkv": _long_mkv,
        "hugepng": lambda _draft: _blank_png(_HUGE_PX),
        "palepng": lambda _draft: _blank_png(_PALE_PX),
        "hugegif": lambda _draft: _gif(_HUGE_PX, 1),
        "framesgif": lambda _draft: _gif(64, _NUM_GIF_FRAMES),
        "hugewebp": _huge_webp,
        "manymp4": _many_mp4,
        "hugeframes": _huge_frames,
    },
    "hang": {"sleep": _good, "spin": _good},
    "abort": {"crash": _good, "bomb": _good, "liar": _good, "overrun": _good, "babble": _good},
}
"""Family -> deed -> how it is done. Hangs and aborts are good videos: the villains do it."""

SUFFIXES = {
    "garbage": ".mkv",
    "hugepng": ".png",
    "palepng": ".png",
    "hugegif": ".gif",
    "framesgif": ".gif",
    "hugewebp": ".webp",
    "longmkv": ".mkv",
    "hugeframes": ".avi",
}
"""Of the names; what is not listed is called .mp4, whatever it is."""
