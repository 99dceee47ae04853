"""Real JPEG sheets and real VP9 clips of a drawn scene, small and quickly made.

Every picture says on its face which second it shows, and its ground turns with time, so that a
look at a page tells whether what stands side by side belongs there.
"""

import colorsys
import hashlib
import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vcd.core import Interval
from vcd.evidence import Preview, Sheet
from vcd.media import write_video

__all__ = ["CLIP_SIZE_PX", "PICTURE_SIZE_PX", "clip_of", "sheet_of"]

PICTURE_SIZE_PX = (160, 90)
CLIP_SIZE_PX = (320, 180)
_NUM_COLUMNS = 6
_CLIP_RATE_HZ = 10.0
_TURN_S = 30.0
"""After so many seconds the ground has its first colour again."""


def sheet_of(folder: Path, name: str, times_s: tuple[float, ...], *, mirrored: bool) -> Sheet:
    """Write pictures of the drawn scene at some times into one JPEG file."""
    content = _sheet_bytes(times_s, mirrored)
    (folder / name).write_bytes(content)
    return Sheet(
        file=name,
        sha256=hashlib.sha256(content).hexdigest(),
        num_columns=min(_NUM_COLUMNS, len(times_s)),
        width_px=PICTURE_SIZE_PX[0],
        height_px=PICTURE_SIZE_PX[1],
        times_s=times_s,
    )


def clip_of(folder: Path, name: str, interval: Interval) -> Preview:
    """Write a stretch of the drawn scene as VP9 in WebM."""
    content = _clip_bytes(interval)
    (folder / name).write_bytes(content)
    return Preview(
        file=name,
        sha256=hashlib.sha256(content).hexdigest(),
        interval=interval,
        width_px=CLIP_SIZE_PX[0],
        height_px=CLIP_SIZE_PX[1],
    )


@cache
def _sheet_bytes(times_s: tuple[float, ...], mirrored: bool) -> bytes:
    width, height = PICTURE_SIZE_PX
    num_rows = -(-len(times_s) // _NUM_COLUMNS)
    sheet = Image.new("RGB", (min(_NUM_COLUMNS, len(times_s)) * width, num_rows * height))
    for ordinal, time_s in enumerate(times_s):
        row, column = divmod(ordinal, _NUM_COLUMNS)
        picture = _picture(time_s, PICTURE_SIZE_PX)
        if mirrored:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        sheet.paste(picture, (column * width, row * height))
    content = io.BytesIO()
    sheet.save(content, "JPEG", quality=60)
    return content.getvalue()


@cache
def _clip_bytes(interval: Interval) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.webm"
        write_video(
            path,
            _frames(interval),
            rate_hz=_CLIP_RATE_HZ,
            codec="libvpx-vp9",
            options={"crf": "45", "b": "0", "deadline": "realtime", "cpu-used": "8"},
        )
        return path.read_bytes()


def _frames(interval: Interval) -> Iterator[NDArray[np.uint8]]:
    for number in range(round(interval.length_s * _CLIP_RATE_HZ)):
        yield np.asarray(_picture(interval.start_s + number / _CLIP_RATE_HZ, CLIP_SIZE_PX))


def _picture(time_s: float, size_px: tuple[int, int]) -> Image.Image:
    width, height = size_px
    red, green, blue = colorsys.hsv_to_rgb(time_s / _TURN_S % 1.0, 0.5, 0.75)
    picture = Image.new("RGB", size_px, (int(255 * red), int(255 * green), int(255 * blue)))
    draw = ImageDraw.Draw(picture)
    left, radius = (time_s / 8.0 % 1.0) * width, height / 7
    draw.rectangle((0, 0.8 * height, width, height), fill=(40, 60, 40))
    draw.ellipse((left - radius, 0.62 * height, left + radius, 0.9 * height), fill=(250, 240, 200))
    font = ImageFont.load_default(height / 3)
    draw.text((0.06 * width, 0.12 * height), f"{time_s:.1f} s", fill=(20, 20, 30), font=font)
    return picture
