"""Make films out of nothing: drawn scenes, moving cameras, things that fly past, hard cuts.

A film is a function of time, so an edited copy of any stretch at any speed is
drawn, not decoded, and where it came from is known exactly.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vcd.evaluation.synthesis.drawn_scenes import PAINTERS
from vcd.evaluation.synthesis.drawn_textures import random_colour

__all__ = ["Film", "draw_film"]

_CANVAS_FACTOR = 2.0
"""How much wider than the picture a scene is: room for the camera to move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flyer:
    """A thing that crosses the picture.

    Attributes:
        kind: ``ball``, ``bird`` or ``box``.
        colour: RGB.
        size: radius as a share of the picture's height.
        start: where it is when the shot starts, as shares of width and height.
        speed_hz: how far it moves a second, in widths and heights; it comes back around.
    """

    kind: str
    colour: tuple[int, int, int]
    size: float
    start: tuple[float, float]
    speed_hz: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shot:
    """One scene between two cuts.

    Attributes:
        start_s: when it starts in the film.
        length_s: how long it lasts.
        canvas: the scene.
        path: camera centre and width at the start and at the end, as shares of the canvas.
        flyers: what moves in front of it.
    """

    start_s: float
    length_s: float
    canvas: Image.Image
    path: tuple[tuple[float, float, float], tuple[float, float, float]]
    flyers: tuple[_Flyer, ...]

    def picture_at(self, time_s: float, size: tuple[int, int]) -> Image.Image:
        """Draw the picture at a time of the film."""
        since_s = time_s - self.start_s
        share = float(np.clip(since_s / self.length_s, 0.0, 1.0))
        first, last = self.path
        x, y, wide = (a + (b - a) * share for a, b in zip(first, last, strict=True))
        half_width, half_height = wide * self.canvas.width / 2, wide * self.canvas.height / 2
        centre_x = half_width + x * (self.canvas.width - 2 * half_width)
        centre_y = half_height + y * (self.canvas.height - 2 * half_height)
        box = (
            centre_x - half_width,
            centre_y - half_height,
            centre_x + half_width,
            centre_y + half_height,
        )
        picture = self.canvas.resize(size, Image.Resampling.BILINEAR, box=box)
        for flyer in self.flyers:
            _draw_flyer(picture, flyer, since_s)
        return picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Film:
    """A drawn video.

    Attributes:
        title: what it is called.
        duration_s: how long it lasts.
        size: width and height in pixels.
    """

    title: str
    duration_s: float
    size: tuple[int, int]
    shots: tuple[_Shot, ...]

    def picture_at(self, time_s: float) -> Image.Image:
        """Draw the picture at a time; before the start the first, after the end the last."""
        for shot in self.shots:
            if time_s < shot.start_s + shot.length_s:
                return shot.picture_at(max(time_s, 0.0), self.size)
        return self.shots[-1].picture_at(self.duration_s, self.size)


def draw_film(title: str, *, seed: int, duration_s: float, size: tuple[int, int]) -> Film:
    """Draw a film of several shots; the same seed draws the same film.

    Args:
        title: what it is called.
        seed: decides everything that is in it.
        duration_s: how long it lasts.
        size: width and height in pixels, even numbers.
    """
    rng = np.random.default_rng(seed)
    num_shots = max(1, round(duration_s / 5.0))
    lengths = rng.uniform(0.7, 1.3, num_shots)
    cuts_s = np.concatenate([[0.0], np.cumsum(lengths / lengths.sum()) * duration_s])
    kinds = rng.permutation(sorted(PAINTERS))
    canvas_size = (round(size[0] * _CANVAS_FACTOR), round(size[1] * _CANVAS_FACTOR))
    shots = tuple(
        _Shot(
            start_s=float(cuts_s[i]),
            length_s=float(cuts_s[i + 1] - cuts_s[i]),
            canvas=PAINTERS[kinds[i % len(kinds)]](rng, canvas_size),
            path=_camera_path(rng),
            flyers=tuple(_random_flyer(rng) for _ in range(int(rng.integers(2, 6)))),
        )
        for i in range(num_shots)
    )
    return Film(title=title, duration_s=duration_s, size=size, shots=shots)


def _camera_path(
    rng: np.random.Generator,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Draw a move from one side to the other, with a zoom: no two moments look the same."""
    x, y = float(rng.uniform(0.0, 0.25)), float(rng.uniform())
    near, far = float(rng.uniform(0.45, 0.6)), float(rng.uniform(0.6, 0.75))
    ends = [(x, y, near), (1.0 - x, 1.0 - y, far)]
    first, last = rng.permutation(2)
    return ends[first], ends[last]


def _random_flyer(rng: np.random.Generator) -> _Flyer:
    return _Flyer(
        kind=str(rng.choice(["ball", "bird", "box"])),
        colour=random_colour(rng),
        size=float(rng.uniform(0.03, 0.12)),
        start=(float(rng.uniform()), float(rng.uniform())),
        speed_hz=(float(rng.normal(0, 0.2)), float(rng.normal(0, 0.08))),
    )


def _draw_flyer(picture: Image.Image, flyer: _Flyer, since_s: float) -> None:
    draw = ImageDraw.Draw(picture)
    x = (flyer.start[0] + flyer.speed_hz[0] * since_s) % 1.2 - 0.1
    y = (flyer.start[1] + flyer.speed_hz[1] * since_s) % 1.2 - 0.1
    x, y, radius = x * picture.width, y * picture.height, flyer.size * picture.height
    dark = tuple(level // 3 for level in flyer.colour)
    if flyer.kind == "ball":
        draw.circle((x, y), radius, fill=flyer.colour, outline=dark)
        draw.circle((x - radius / 3, y - radius / 3), radius / 4, fill=(255, 255, 255))
    elif flyer.kind == "bird":
        flap = radius * (0.3 + 0.7 * abs(np.sin(since_s * 7)))
        wings = [(x - 2 * radius, y - flap), (x, y), (x + 2 * radius, y - flap)]
        draw.line(wings, fill=dark, width=max(2, round(radius / 4)), joint="curve")
    else:
        draw.rectangle((x - radius, y - radius, x + radius, y + radius), flyer.colour, dark, 2)
