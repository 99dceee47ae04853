"""The fonts that text and emoji are written with over training pictures, and what they can write.

They are Noto's (SIL Open Font License), as SSCD's are, and come with the package ``manimgx-fonts``
of the dependency group ``train``. A run that writes text does not start without them: with another
font it would be another run.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from vcd.core.errors import SetupError

__all__ = ["Face", "load_emoji_face", "load_faces", "open_font"]

EMOJI_FILE = "NotoEmoji[wght].ttf"
FIRST_EMOJI = 0x203C
"""Before this code point the emoji font has letters and digits."""


@dataclass(frozen=True, slots=True)
class Face:
    """A font file and the code points that it can write, in order."""

    file: Path
    codes: NDArray[np.int64]


@lru_cache
def load_faces() -> tuple[Face, ...]:
    """Read all faces for text, by file name.

    Raises:
        SetupError: the package with the fonts is not installed.
    """
    return tuple(Face(file, _written_codes(file)) for file in _files() if file.name != EMOJI_FILE)


@lru_cache
def load_emoji_face() -> Face:
    """Read the face whose glyphs are emoji.

    Raises:
        SetupError: the package with the fonts is not installed.
    """
    file = next(file for file in _files() if file.name == EMOJI_FILE)
    codes = _written_codes(file)
    font = open_font(file, 32)
    has_ink = [font.getbbox(chr(code))[2] > 0 for code in codes.tolist()]
    return Face(file, codes[has_ink & (codes >= FIRST_EMOJI)])


def open_font(file: Path, height_px: int) -> ImageFont.FreeTypeFont:
    """Open a font file; glyph stands beside glyph, with no library that some machines lack."""
    return ImageFont.truetype(file, height_px, layout_engine=ImageFont.Layout.BASIC)


def _files() -> list[Path]:
    try:
        folder = resources.files("manimgx_fonts")
    except ModuleNotFoundError as error:
        raise SetupError(
            "the recipe writes text over the pictures, and the fonts for it are not installed: "
            "pip install manimgx-fonts (the dependency group 'train')"
        ) from error
    return sorted(Path(str(entry)) for entry in folder.iterdir() if entry.name.endswith(".ttf"))


def _written_codes(file: Path) -> NDArray[np.int64]:
    """List the printable code points that a font file has a glyph for."""
    content = file.read_bytes()
    tables = {
        content[place : place + 4]: struct.unpack_from(">I", content, place + 8)[0]
        for place in range(12, 12 + 16 * struct.unpack_from(">H", content, 4)[0], 16)
    }
    start = tables[b"cmap"]
    num_maps = struct.unpack_from(">H", content, start + 2)[0]
    codes: set[int] = set()
    for place in range(start + 4, start + 4 + 8 * num_maps, 8):
        codes |= _mapped_codes(content, start + struct.unpack_from(">I", content, place + 4)[0])
    return np.array(sorted(code for code in codes if chr(code).isprintable()), dtype=np.int64)


def _mapped_codes(content: bytes, place: int) -> set[int]:
    """Read the ranges of code points of a character map; of the formats that Noto has (4, 12)."""
    kind = struct.unpack_from(">H", content, place)[0]
    if kind == 12:
        num_ranges = struct.unpack_from(">I", content, place + 12)[0]
        ranges = np.frombuffer(content, ">u4", 3 * num_ranges, place + 16).reshape(-1, 3)[:, :2]
    elif kind == 4:
        num_ranges = struct.unpack_from(">H", content, place + 6)[0] // 2
        stops = np.frombuffer(content, ">u2", num_ranges, place + 14)
        firsts = np.frombuffer(content, ">u2", num_ranges, place + 16 + 2 * num_ranges)
        ranges = np.stack([firsts, stops], axis=1)
    else:
        return set()
    return {code for first, last in ranges.tolist() for code in range(first, last + 1)}
