"""Read still images, and the animated WebP that ffmpeg cannot, with Pillow.

Part of the door to the decoders (`decode.py`); runs inside a child process.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vcd.core import InputError
from vcd.media.probe import Container

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ImageReader"]

_FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "bmp": "BMP", "tiff": "TIFF"}
_DEFAULT_FRAME_S = 0.1
"""What browsers show a frame for that asks for no time at all."""


@dataclass(frozen=True, slots=True)
class _Still:
    time_s: float
    duration_s: float
    image: "Image"


class ImageReader:
    """One open image file.

    Attributes:
        size: width and height of the picture as shown.
        is_animated: whether it has more than one frame.
    """

    def __init__(self, path: Path, container: Container, *, max_side_px: int) -> None:
        """Open a file as the image that its first bytes said it is.

        Raises:
            InputError: it is no such image, or larger than the limit.
        """
        from PIL import Image  # only in a child

        Image.MAX_IMAGE_PIXELS = max_side_px**2
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        self._path = path
        try:
            self._image = Image.open(path, formats=[_FORMATS[container.name]])
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise InputError(
                f"{path}: wanted a {container.name} image, got: {error}", reason="undecodable"
            ) from error
        if max(self._image.size) > max_side_px:
            raise InputError(
                f"{path}: wanted a picture of at most {max_side_px} px a side, "
                f"found {self._image.size[0]} x {self._image.size[1]} px",
                reason="over_limit",
            )
        is_turned = self._image.getexif().get(0x0112, 1) >= 5
        self.size = self._image.size[::-1] if is_turned else self._image.size
        self.is_animated = container.name == "webp" and getattr(self._image, "n_frames", 1) > 1

    def shown(self, size: tuple[int, int]) -> Iterator[tuple[float, float, NDArray[np.uint8]]]:
        """Decode the frames: when each begins, when it ends, and its pixels ``(H, W, 3)``."""
        from PIL import ImageSequence  # only in a child

        start_s = 0.0
        try:
            for image in ImageSequence.Iterator(self._image):
                pixels = _pixels(image, size)  # before the duration, which loading finds out
                end_s = start_s + (image.info.get("duration", 0) / 1000.0 or _DEFAULT_FRAME_S)
                yield start_s, end_s, pixels
                start_s = end_s
                if not self.is_animated:
                    return
        except (OSError, ValueError, SyntaxError) as error:
            if start_s == 0.0:
                raise InputError(
                    f"{self._path}: wanted a whole image, got: {error}", reason="undecodable"
                ) from error


def _pixels(image: "Image", size: tuple[int, int]) -> NDArray[np.uint8]:
    """Convert to RGB on black, turned as EXIF says, reduced with antialiasing."""
    from PIL import Image, ImageOps  # only in a child

    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "I;16", "I;16B", "F"):
        image = Image.fromarray(
            (np.asarray(image).astype(np.float64) / 257.0).clip(0, 255).astype(np.uint8)
        )
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    rgb = image.convert("RGB")
    if rgb.size != size:
        rgb = rgb.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(rgb)
