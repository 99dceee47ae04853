"""A reference of a minute of black and a title card, against unrelated videos that open with black.

    python -m benchmarks.black_openings PHOTOS [--videos 200] [--titles]

Each upload is two seconds of black and six of two photographs; with --titles, a title card of
its own words as well. Nothing is copied, so every match is false.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.slide_shows import RATE_HZ, Pixels, shot, title_card
from pipelines.cli import main as vcd
from vcd.media import write_video
from vcd.training.data import find_photos

BLACK: Pixels = np.zeros((240, 320, 3), dtype=np.uint8)


def _black(length_s: float) -> Iterator[Pixels]:
    for _ in range(int(length_s * RATE_HZ)):
        yield BLACK


def _reference() -> Iterator[Pixels]:
    yield from _black(60.0)
    yield from title_card("A FILM BY NOBODY", 5.0)


def _upload(photos: list[Path], rng: np.random.Generator, *, titles: bool) -> Iterator[Pixels]:
    yield from _black(2.0)
    if titles:
        words = " ".join(photos[i].stem.upper()[:8] for i in rng.integers(0, len(photos), 2))
        yield from title_card(words, 2.0)
    for photo in rng.choice(len(photos), 2, replace=False):
        yield from shot(photos[photo], 3.0, rng.uniform(0.3, 1.5))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--titles", action="store_true")
    arguments = parser.parse_args()
    photos = find_photos(arguments.photos)
    with tempfile.TemporaryDirectory(prefix="vcd-black-") as name:
        folder = Path(name)
        (folder / "uploads").mkdir()
        write_video(folder / "black_and_title.mp4", _reference(), rate_hz=RATE_HZ)
        for number in range(arguments.videos):
            frames = _upload(photos, np.random.default_rng(number), titles=arguments.titles)
            write_video(folder / "uploads" / f"u{number:03}.mp4", frames, rate_hz=RATE_HZ)
        index = str(folder / "index")
        vcd(["index", "add", str(folder / "black_and_title.mp4"), "--index", index])
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            vcd(["check", str(folder / "uploads"), "--index", index, "--json"])
    document = json.loads(printed.getvalue())
    matches = [match for report in document["reports"] for match in report["matches"]]
    best = max((r["score"] for d in document["reports"] for r in d["rejected"]), default=None)
    print(
        f"{len(document['reports'])} uploads, {len(matches)} matches; best rejected score: {best}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
