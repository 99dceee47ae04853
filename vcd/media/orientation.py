"""Turn and mirror pictures the way their container says they are shown."""

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["Orientation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """One of the eight ways to lay a rectangle onto itself: swap the axes, then flip.

    Attributes:
        is_transposed: whether rows become columns.
        is_flipped_x: whether it is then mirrored left to right.
        is_flipped_y: whether it is then mirrored top to bottom.
    """

    is_transposed: bool = False
    is_flipped_x: bool = False
    is_flipped_y: bool = False

    @property
    def is_mirrored(self) -> bool:
        """Whether no rotation alone does it."""
        return self.is_transposed ^ self.is_flipped_x ^ self.is_flipped_y

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Swap width and height where the axes are swapped; its own inverse."""
        return (height, width) if self.is_transposed else (width, height)

    def apply(self, pixels_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Lay a picture as it is shown; a view, nothing is copied."""
        if self.is_transposed:
            pixels_HWC = pixels_HWC.swapaxes(0, 1)
        if self.is_flipped_x:
            pixels_HWC = pixels_HWC[:, ::-1]
        return pixels_HWC[::-1] if self.is_flipped_y else pixels_HWC

    @classmethod
    def from_matrix(cls, matrix: bytes) -> "Orientation":
        """Read a display matrix: nine int32, a pixel (x, y) goes to (ax + cy, bx + dy).

        Odd angles are taken to the nearest quarter turn.
        """
        a, b, _, c, d, *_ = struct.unpack_from("=9i", matrix)
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(is_transposed=True, is_flipped_x=c < 0, is_flipped_y=b < 0)
        return cls(is_flipped_x=a < 0, is_flipped_y=d < 0)

    @classmethod
    def of_frame(cls, frame: "VideoFrame") -> "Orientation":
        """Read the display matrix that a decoded frame carries."""
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        return cls() if matrix is None else cls.from_matrix(bytes(matrix))
