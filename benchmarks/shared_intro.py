"""Many videos that share an intro, which one reference has too: what does a pre-flight spare?

    python -m benchmarks.shared_intro [--videos 200] [--background 20] [--copies 20] [--keep DIR]

Every video has ten seconds of the same drawn intro, in its own size and quality, with a mark in a
corner of its own; in every third it follows a cold open. The rest of each is its own film; some
end with seconds of the reference's own film. Some are the background of the pre-flight. The
others are checked twice: against the reference as it is, and as the pre-flight accepted it.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipelines.cli import main as vcd
from vcd.evaluation.synthesis.drawn_film import Film, draw_film
from vcd.media import write_video

RATE_HZ = 12.0
INTRO_S = 10.0
COLD_OPEN_S = 3.0
COPY_S = 6.0
MIN_SHARED_S = 2.0
"""A match that shows this much of the intro matches by it."""
SIZES = ((384, 216), (320, 180), (426, 240), (320, 240))
REF_SIZE = (384, 216)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where the videos of one run are.

    Attributes:
        reference: the intro, then its own film.
        background: a folder of videos with the intro.
        uploads: a folder of further ones.
        copies: ids of the uploads that hold some of the reference's own film.
    """

    reference: Path
    background: Path
    uploads: Path
    copies: frozenset[str]


def make_world(
    folder: Path, *, num_background: int, num_uploads: int, num_copies: int, own_s: float = 14.0
) -> World:
    """Draw and encode all of it; the same arguments draw the same pictures."""
    intro = draw_film("intro", seed=7, duration_s=INTRO_S, size=REF_SIZE)
    film = draw_film("reference", seed=8, duration_s=own_s, size=REF_SIZE)
    world = World(
        reference=folder / "reference.mp4",
        background=folder / "background",
        uploads=folder / "uploads",
        copies=frozenset(f"u{number:03}" for number in range(num_copies)),
    )
    for place in (world.background, world.uploads):
        place.mkdir(parents=True)
    frames = (*_frames(intro, 0.0, INTRO_S), *_frames(film, 0.0, own_s))
    write_video(world.reference, iter(frames), rate_hz=RATE_HZ, options={"crf": "23"})
    intro_frames = frames[: round(INTRO_S * RATE_HZ)]
    copied = _frames(film, own_s / 4, own_s / 4 + COPY_S)
    for number in range(num_background + num_uploads):
        is_upload = number >= num_background
        name = f"u{number - num_background:03}" if is_upload else f"b{number:03}"
        own = draw_film(name, seed=1000 + number, duration_s=own_s, size=REF_SIZE)
        place = world.uploads if is_upload else world.background
        end = copied if name in world.copies else ()
        _write(place / f"{name}.mp4", number, own, intro_frames, end)
    return world


def _write(
    path: Path, number: int, own: Film, intro: Sequence[Pixels], end: Sequence[Pixels]
) -> None:
    rng = np.random.default_rng(number)
    size = SIZES[rng.integers(len(SIZES))]
    crf = int(rng.integers(20, 36))
    corner = (float(rng.uniform(0, 0.8)), float(rng.choice([0.04, 0.82])))
    colour = tuple(int(level) for level in rng.integers(0, 256, 3))
    opening_s = COLD_OPEN_S if number % 3 == 0 else 0.0

    def frames() -> Iterator[Pixels]:
        yield from _frames(own, 0.0, opening_s)
        yield from (_marked(pixels, corner, colour) for pixels in intro)
        yield from _frames(own, opening_s, own.duration_s)
        yield from end

    shown = (_resized(pixels, size) for pixels in frames())
    options = {"crf": str(crf), "preset": "veryfast"}
    write_video(path, shown, rate_hz=RATE_HZ, options=options)


def _frames(film: Film, start_s: float, end_s: float) -> tuple[Pixels, ...]:
    steps = range(round(start_s * RATE_HZ), round(end_s * RATE_HZ))
    return tuple(np.asarray(film.picture_at(step / RATE_HZ)) for step in steps)


def _marked(pixels: Pixels, corner: tuple[float, float], colour: tuple[int, ...]) -> Pixels:
    """Lay a mark over a picture, as a channel does with its logo."""
    picture = Image.fromarray(pixels)
    width, height = picture.size
    left, top = corner[0] * width, corner[1] * height
    box = (left, top, left + 0.18 * width, top + 0.13 * height)
    ImageDraw.Draw(picture).rounded_rectangle(box, 6, fill=colour, outline=(255, 255, 255), width=2)
    return np.asarray(picture)


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def run(folder: Path, world: World) -> dict[str, Any]:
    """Check the uploads against the reference as it is, and as the pre-flight accepts it."""
    raw, accepted = folder / "raw.index", folder / "accepted.index"
    vcd(["index", "add", str(world.reference), "--index", str(raw)])
    described = folder / "background.npz"
    vcd(["describe", str(world.background), "--out", str(described)])
    started_s = time.monotonic()
    preflight = _json(
        *("index", "preflight", str(world.reference), "--index", str(accepted)),
        *("--background", str(described), "--out", str(folder), "--accept", "--json"),
    )
    elapsed_s = time.monotonic() - started_s
    (looked,) = preflight["videos"]
    return {
        "proposed": [
            (each["reason"], each["start_s"], each["end_s"]) for each in looked["proposed"]
        ],
        "predicted": looked["predicted"]["background"],
        "preflight_s": round(elapsed_s, 1),
        "as_it_is": _judged(_json("check", str(world.uploads), "--index", str(raw)), world),
        "accepted": _judged(_json("check", str(world.uploads), "--index", str(accepted)), world),
    }


def _json(*words: str) -> dict[str, Any]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        vcd([*words, *([] if "--json" in words else ["--json"])])
    document: dict[str, Any] = json.loads(printed.getvalue())
    return document


def _judged(document: dict[str, Any], world: World) -> dict[str, int]:
    """Count the uploads that match by the intro, by what is really copied, and by neither."""
    by_intro, copies, strangers = set(), set(), set()
    for report in document["reports"]:
        for match in report["matches"]:
            in_intro_s = min(match["ref"]["end_s"], INTRO_S) - match["ref"]["start_s"]
            if in_intro_s > MIN_SHARED_S:
                by_intro.add(report["query_id"])
            elif report["query_id"] in world.copies:
                copies.add(report["query_id"])
            else:
                strangers.add(report["query_id"])
    return {
        "uploads": len(document["reports"]),
        "matching_by_the_intro": len(by_intro),
        "copies": len(world.copies),
        "copies_found": len(copies),
        "matching_by_something_else": len(strangers),
    }


def main() -> int:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--background", type=int, default=20)
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="an empty folder for all of it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vcd-intro-") as name:
        folder = arguments.keep or Path(name)
        world = make_world(
            folder,
            num_background=arguments.background,
            num_uploads=arguments.videos - arguments.background,
            num_copies=arguments.copies,
        )
        print(json.dumps(run(folder, world), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
