"""Bring a frame to the size the network was trained for.

    small_288    short edge 288 pixels, aspect kept      (published files, by default)
    skew_320     squashed to 320 x 320 pixels

The resampling is Pillow's antialiased bilinear filter on bytes, the one the published
descriptors were made with; an own filter would save a millisecond and cost comparability.

Shape letters: B frames, H and W pixels, C channels.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vcd.core import SetupError

__all__ = ["PREPROCESSING_REVISION", "Preprocessing", "standardization", "standardize_pixels"]

PREPROCESSING_REVISION = 2
"""Part of every fingerprint: raise it when the same frame would give other pixels."""

_MAX_ASPECT = 8
"""A ``small_N`` frame longer than this many short edges is squashed to it: one of 8,192 x 16
pixels would otherwise become 147,456 x 288. No published set holds such a frame."""

_MEAN_C = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION_C = np.array([0.229, 0.224, 0.225], dtype=np.float32)
"""Of ImageNet, as every published trunk expects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """A rule that turns any frame into the pixels that the network sees.

    Attributes:
        keeps_aspect: whether the picture keeps its shape (``small``) or is squashed (``skew``).
        short_edge_px: length of the short edge afterwards.
    """

    keeps_aspect: bool
    short_edge_px: int

    @classmethod
    def from_name(cls, name: str) -> "Preprocessing":
        """Read ``small_288`` or ``skew_320``.

        Raises:
            SetupError: the name is neither.
        """
        parts = re.fullmatch(r"(small|skew)_([1-9][0-9]{1,3})", name)
        if parts is None:
            raise SetupError(f"preprocessing must be small_N or skew_N, like small_288: {name!r}")
        return cls(keeps_aspect=parts[1] == "small", short_edge_px=int(parts[2]))

    @property
    def name(self) -> str:
        return f"{'small' if self.keeps_aspect else 'skew'}_{self.short_edge_px}"

    def output_size_px(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Say how high and how wide a frame of this size becomes."""
        short = self.short_edge_px
        if not self.keeps_aspect:
            return short, short
        longer, shorter = max(height_px, width_px), min(height_px, width_px)
        long = min(short * longer // shorter, _MAX_ASPECT * short)
        return (short, long) if height_px <= width_px else (long, short)

    def resize(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize one frame; safe to call from several threads, and parallel in them."""
        from PIL import Image

        height_px, width_px = self.output_size_px(*pixels_HWC.shape[:2])
        image = Image.fromarray(pixels_HWC).resize((width_px, height_px), Image.Resampling.BILINEAR)
        return np.asarray(image)


def standardization() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Say by what a byte is multiplied and what is then taken away, per channel ``(3, 1, 1)``."""
    scale_C11 = (1.0 / (255.0 * _DEVIATION_C))[:, None, None]
    return scale_C11, (_MEAN_C / _DEVIATION_C)[:, None, None]


def standardize_pixels(pixels_BHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn bytes into what the trunk expects: ``(x / 255 - mean) / deviation``, channels first."""
    scale_C11, offset_C11 = standardization()
    num_frames, height_px, width_px, _ = pixels_BHWC.shape
    pixels_BCHW = np.empty((num_frames, 3, height_px, width_px), dtype=np.float32)
    np.multiply(pixels_BHWC.transpose(0, 3, 1, 2), scale_C11, out=pixels_BCHW)
    pixels_BCHW -= offset_C11
    return pixels_BCHW
