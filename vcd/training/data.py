"""Photographs to train on, decoded once and packed.

Every photograph is decoded once, shrunk and written into one flat file, so that loader processes
share its pages and no epoch decodes again.
"""

import hashlib
import logging
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from vcd.core.errors import InputError, SetupError

__all__ = [
    "PackedPhotos",
    "find_photos",
    "is_held_out",
    "pack_photos",
    "read_held_out",
    "without_twins",
]

logger = logging.getLogger(__name__)

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
"""What is decoded, whatever a file is called: Pillow knows formats that start other programs."""

MAX_PHOTO_PIXELS = 80_000_000
"""A larger photograph is refused: it costs more memory than it teaches."""

MAX_ASPECT = 20
"""A photograph longer than this many short sides of the store is squashed to that length."""

UNREADABLE = (
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises over damaged files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedPhotos:
    """Decoded photographs in one flat array.

    Attributes:
        names: file name of each.
        levels: ``(bytes,)`` uint8, each photograph's ``(H, W, 3)`` one after the other.
        first: ``(N + 1,)`` int64, where each begins; the last entry is the end.
        sizes: ``(N, 2)`` int64, height and width of each.
    """

    names: tuple[str, ...]
    levels: NDArray[np.uint8]
    first: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, photo: int) -> NDArray[np.uint8]:
        height, width = self.sizes[photo]
        return self.levels[self.first[photo] : self.first[photo + 1]].reshape(height, width, 3)


def find_photos(folder: Path) -> list[Path]:
    """List the photographs of a folder and its sub-folders, by path.

    Raises:
        SetupError: there is no such folder, or no photograph in it.
    """
    if not folder.is_dir():
        raise SetupError(f"no folder of photographs at {folder}")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise SetupError(f"no photograph in {folder}; looked for {', '.join(sorted(SUFFIXES))}")
    return found


def is_held_out(name: str, *, every: int) -> bool:
    """Say whether the photograph of this file name is kept for measuring: one in ``every`` is."""
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % every == 0


def pack_photos(paths: Sequence[Path], *, short_px: int, file: Path) -> PackedPhotos:
    """Decode photographs, shrink them and write them into one file that is mapped, not read.

    A photograph that cannot be read is named in the log and left out.

    Args:
        paths: the photographs.
        short_px: each is shrunk to at most this short side; small ones stay as they are.
        file: where the decoded pixels go; overwritten.

    Raises:
        SetupError: none of them can be read, or the file cannot be written.
    """
    names, sizes = [], []
    try:
        with file.open("wb") as packed:
            for path in paths:
                try:
                    pixels = _decode(path, short_px)
                except InputError as error:
                    logger.warning("left out: %s", error)
                    continue
                packed.write(pixels.tobytes())
                names.append(path.name)
                sizes.append(pixels.shape[:2])
    except OSError as error:
        raise SetupError(f"{file}: the photographs cannot be packed ({error.strerror})") from error
    if not names:
        raise SetupError(f"none of {len(paths)} photographs can be read; the first is {paths[0]}")
    shapes = np.array(sizes, dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(shapes.prod(axis=1) * 3)]).astype(np.int64)
    levels = np.memmap(file, dtype=np.uint8, mode="r")
    return PackedPhotos(names=tuple(names), levels=levels, first=first, sizes=shapes)


def without_twins(
    photos: PackedPhotos, features: NDArray[np.float32], *, similarity: float
) -> PackedPhotos:
    """Leave out every photograph that is closer than ``similarity`` to one that is kept.

    Args:
        photos: N photographs.
        features: ``(N, D)`` float32, unit rows.
        similarity: cosine from which two count as one.
    """
    kept: list[int] = []
    kept_features = np.empty_like(features)
    for photo in range(len(photos)):
        if (kept_features[: len(kept)] @ features[photo] < similarity).all():
            kept_features[len(kept)] = features[photo]
            kept.append(photo)
    parts = [photos[photo].reshape(-1) for photo in kept]
    return PackedPhotos(
        names=tuple(photos.names[photo] for photo in kept),
        levels=np.concatenate(parts),
        first=np.cumsum([0, *(len(part) for part in parts)]).astype(np.int64),
        sizes=photos.sizes[kept],
    )


def read_held_out(folder: Path, *, every: int, short_px: int = 320) -> list[NDArray[np.uint8]]:
    """Decode the photographs of a folder that training does not see; unreadable ones are skipped.

    Raises:
        SetupError: there is no such folder or no photograph in it.
    """
    photos = []
    for path in find_photos(folder):
        if is_held_out(path.name, every=every):
            try:
                photos.append(_decode(path, short_px))
            except InputError as error:
                logger.warning("left out: %s", error)
    return photos


def _decode(path: Path, short_px: int) -> NDArray[np.uint8]:
    """Decode a photograph of any mode and shrink it; an animation gives its first picture.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(path, formats=FORMATS) as opened,
        ):
            if opened.width * opened.height > MAX_PHOTO_PIXELS:
                size = f"{opened.width}x{opened.height} pixels"
                raise InputError(
                    f"{path}: {size} are too many; at most {MAX_PHOTO_PIXELS} are read"
                )
            picture = _as_rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError as error:
        found = "no JPEG, PNG, WebP or BMP" if path.stat().st_size else "it is empty"
        raise InputError(f"{path}: not a readable photograph ({found})") from error
    except UNREADABLE as error:
        raise InputError(f"{path}: not a readable photograph ({error})") from error
    scale = min(1.0, short_px / min(picture.size))
    width, height = (
        min(max(1, round(side * scale)), MAX_ASPECT * short_px) for side in picture.size
    )
    return np.array(picture.resize((width, height), Image.Resampling.BICUBIC), dtype=np.uint8)


def _as_rgb(picture: Image.Image) -> Image.Image:
    """Bring any mode to RGB: 16 bits to 8 (Pillow would cut them off), what is clear to white."""
    if picture.mode.startswith("I"):
        levels = np.clip(np.asarray(picture), 0, 65535) >> 8
        return Image.fromarray(levels.astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")
