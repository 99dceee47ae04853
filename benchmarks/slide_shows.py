"""Make videos of held-out photographs, to choose thresholds on that no report is made on.

    python -m benchmarks.slide_shows PHOTOS OUT [--videos 40]

A quarter each: three-second shots with a slow zoom; two long shots; one still for ten seconds;
and two seconds of black with a title card of a second and a half before the shots. Only
photographs that training of the bundled weights held out are used.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vcd.media import write_video
from vcd.training.data import find_photos, is_held_out

RATE_HZ = 12.0
SIZE = (320, 240)
WORDS = [
    "THE",
    "HOUSE",
    "ON",
    "A",
    "HILL",
    "RIVER",
    "NIGHT",
    "NEWS",
    "CHAPTER",
    "ONE",
    "PRESENTS",
    "A",
    "FILM",
    "BY",
    "SUMMER",
    "TRIP",
    "2026",
]
SHOTS = ((5, 3.0, 1.0), (2, 8.0, 0.4), (1, 10.0, 0.0), (5, 3.0, 1.0))
"""For each kind: how many shots, how long (s), and how fast the zoom."""

Pixels = NDArray[np.uint8]


def shot(photo: Path, length_s: float, zoom: float) -> Iterator[Pixels]:
    with Image.open(photo) as opened:
        picture = ImageOps.fit(opened.convert("RGB"), (480, 360))
    for step in range(int(length_s * RATE_HZ)):
        cut = min(200.0, zoom * step)
        box = (cut, cut * 0.75, 480 - cut, 360 - cut * 0.75)
        yield np.array(picture.resize(SIZE, Image.Resampling.BILINEAR, box=box))


def title_card(words: str, length_s: float) -> Iterator[Pixels]:
    card = Image.new("RGB", SIZE)
    ImageDraw.Draw(card).text((60, 105), words, fill="white", font=ImageFont.load_default(24))
    for _ in range(int(length_s * RATE_HZ)):
        yield np.array(card)


def _frames(kind: int, photos: list[Path], rng: np.random.Generator) -> Iterator[Pixels]:
    if kind == 3:
        for _ in range(int(2 * RATE_HZ)):
            yield np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)
        yield from title_card(" ".join(rng.choice(WORDS, 3)), 1.5)
    num_shots, length_s, zoom = SHOTS[kind]
    for _ in range(num_shots):
        photo = photos[rng.integers(len(photos))]
        yield from shot(photo, length_s, rng.uniform(0.3, 1.5) * zoom)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--videos", type=int, default=40)
    arguments = parser.parse_args()
    photos = [p for p in find_photos(arguments.photos) if is_held_out(p.name, every=6)]
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.videos):
        rng = np.random.default_rng(number)
        frames = _frames(number % 4, photos, rng)
        write_video(arguments.out / f"show{number:03}.mp4", frames, rate_hz=RATE_HZ)
    return 0


if __name__ == "__main__":
    sys.exit(main())
