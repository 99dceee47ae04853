"""A page to draw on, smooth at slanted edges, in the colours that all pictures here share."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

__all__ = ["COLOURS", "EDGE", "FAINT", "INK", "Canvas", "Colour"]

Colour = tuple[int, int, int]

_SCALE = 2
"""Everything is drawn this much larger and then reduced, which smooths slanted edges."""

_PAPER = (250, 249, 245)
_CARD = (255, 255, 255)
EDGE = (222, 220, 212)
INK = (33, 37, 41)
FAINT = (120, 124, 128)
COLOURS: tuple[Colour, ...] = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (170, 68, 153))
"""Colours that colour-blind readers tell apart (Okabe and Ito, 2008)."""


class Canvas:
    """Draw in pixels of the finished picture.

    Args:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self._canvas = Image.new("RGB", (width * _SCALE, height * _SCALE), _PAPER)
        self._draw = ImageDraw.Draw(self._canvas, "RGBA")

    def text(
        self, at: tuple[float, float], words: str, size: int, ink: Colour = INK, anchor: str = "ls"
    ) -> None:
        font = ImageFont.load_default(size=size * _SCALE)
        self._draw.text((at[0] * _SCALE, at[1] * _SCALE), words, ink, font, anchor=anchor)

    def card(self, box: tuple[float, ...]) -> None:
        self._draw.rounded_rectangle(_scaled(box), 10 * _SCALE, _CARD, EDGE, _SCALE)

    def box(
        self, box: tuple[float, ...], *, fill: tuple[int, ...] | None, edge: Colour | None, px: int
    ) -> None:
        self._draw.rectangle(_scaled(box), fill, edge, px * _SCALE)

    def ribbon(self, corners: Sequence[float], colour: Colour) -> None:
        self._draw.polygon(_scaled(corners), (*colour, 70))

    def line(self, ends: Sequence[float], colour: Colour, px: int) -> None:
        self._draw.line(_scaled(ends), colour, px * _SCALE, joint="curve")

    def picture(self, picture: Image.Image, box: tuple[float, float, float, float]) -> None:
        left, top, right, bottom = (round(edge) for edge in _scaled(box))
        if right > left:
            shown = _filled(picture, (right - left, bottom - top))
            self._canvas.paste(shown, (left, top))

    def reduced(self) -> Image.Image:
        """Give the picture as it is shown."""
        size = (self._canvas.width // _SCALE, self._canvas.height // _SCALE)
        return self._canvas.resize(size, Image.Resampling.LANCZOS)


def _scaled(values: Sequence[float]) -> list[float]:
    return [value * _SCALE for value in values]


def _filled(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Cut the picture to the shape of the box and fill the box with it."""
    factor = max(size[0] / picture.width, size[1] / picture.height)
    wide, high = size[0] / factor, size[1] / factor
    left, top = max(0.0, picture.width - wide) / 2, max(0.0, picture.height - high) / 2
    box = (left, top, min(left + wide, picture.width), min(top + high, picture.height))
    return picture.convert("RGB").resize(size, Image.Resampling.BILINEAR, box=box)
