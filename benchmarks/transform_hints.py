"""How often the hints from pixels are right: edited pictures of real videos beside the originals.

    python -m benchmarks.transform_hints VIDEOS [--held-out a.mp4 b.webm ...]

Five pairs of pictures of each video of three seconds or longer, the query's a twelfth of a second
later than the reference's, edited, compressed as JPEG of quality 60. A hint is right when its kind
was done; what is too small to be seen (a crop to more than 90 %, text on less than 1 %, colours
that change by less than 4 %) may be said or not. Also pairs of two different videos, which have
nothing to say.
"""

import argparse
import contextlib
import io
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.copies import RATE_HZ
from vcd.core import FrameBatch
from vcd.evaluation import Edit, plan_edit
from vcd.evidence import transform_hints
from vcd.media import DecodePool, DecodeRequest, MediaSettings, digest_file

HEIGHT_PX = 180
NUM_PAIRS = 5
MAX_S = 30.0
EDIT_NAMES = """
    none jpeg8 crop70 crop45 flip rotate10 blur grey colour solarize text padding inset shrink8
    anamorphic sticker caption stack flip+crop70 crop70+padding flip+text inset+grey
    padding+sticker other"""
EDITS = EDIT_NAMES.split()
SHAPE = {"none", "crop70", "crop45", "flip", "padding", "inset", "anamorphic", "caption", "stack"}
AROUND = {"padding": "padded", "caption": "padded", "inset": "inset", "stack": "stacked"}
ON_IT = {"text", "sticker"}
IN_COLOUR = {"grey", "colour", "solarize"}
KINDS = ("mirrored", "cropped", "padded", "inset", "stacked", "overlaid", "colour")
TOO_SMALL = {"overlaid": (0.0, 0.01), "colour": (0.0, 0.04), "cropped": (0.9, 1.0)}
Pixels = NDArray[np.uint8]
Pairs = list[tuple[Pixels, Pixels]]


@dataclass
class Count:
    said: int = 0
    right: int = 0
    missed: int = 0
    off: list[float] = field(default_factory=list)


def _frames(pool: DecodePool, path: Path) -> list[Pixels]:
    request = DecodeRequest(
        video_id=path.name,
        path=path,
        sha256=digest_file(path),
        rate_hz=RATE_HZ,
        max_short_edge_px=HEIGHT_PX,
    )
    frames: list[Pixels] = []
    with contextlib.closing(pool.decode([request])) as events:
        for event in events:
            if isinstance(event, FrameBatch):
                frames.extend(event.pixels_THWC)
            if len(frames) >= MAX_S * RATE_HZ:
                break
    return frames


def _sources(folder: Path) -> dict[str, Pairs]:
    found = {}
    with DecodePool(MediaSettings(num_children=1)) as pool:
        for path in sorted(folder.iterdir()):
            frames = _frames(pool, path)
            if len(frames) >= 3 * RATE_HZ:
                at = np.linspace(0, len(frames) - 2, NUM_PAIRS).astype(int)
                found[path.name] = [(frames[i + 1], frames[i]) for i in at]
    return found


def _as_copy(pixels: Pixels) -> Pixels:
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "JPEG", quality=60)
    with Image.open(packed) as picture:
        wide = max(2, round(picture.width * HEIGHT_PX / picture.height))
        return np.array(picture.convert("RGB").resize((wide, HEIGHT_PX)))


def _place(height: int, width: int, mark: int) -> Pixels:
    """A picture that says of each pixel where it lies: x, y and a mark."""
    place = np.full((height, width, 3), mark, dtype=np.uint8)
    place[..., 0] = np.linspace(0, 255, width).round()
    place[..., 1] = np.linspace(0, 255, height).round()[:, None]
    return place


def _edited(edits: Sequence[Edit], names: set[str], pixels: Pixels, other: Pixels) -> Pixels:
    for edit in edits:
        if edit.name in names:
            pixels = edit.apply(pixels, other)
    return pixels


def _case(
    name: str, seed: Sequence[int], pairs: Pairs, others: Pairs
) -> tuple[Pairs, dict[str, float | None]]:
    """Edit one video's pictures, and say what was done, measured on the edit itself."""
    if name == "other":
        return [(query, ref) for (query, _), (_, ref) in zip(pairs, others, strict=True)], {}
    rng = np.random.default_rng(seed)
    edits = [plan_edit(each, rng) for each in name.split("+")]
    names = {edit.name for edit in edits}
    made = [
        (_as_copy(_edited(edits, names, query, other)), ref)
        for (query, ref), (other, _) in zip(pairs, others, strict=True)
    ]
    truth = _shape_truth(edits, pairs[0][0], np.zeros_like(others[0][0]))
    return made, truth | _surface_truth(edits, [query for query, _ in pairs])


def _shape_truth(edits: Sequence[Edit], query: Pixels, other: Pixels) -> dict[str, float | None]:
    truth: dict[str, float | None] = {}
    names = {edit.name for edit in edits}
    height, width = query.shape[:2]
    marked, plain = (
        _edited(edits, SHAPE, _place(height, width, mark), other).astype(int) for mark in (255, 0)
    )
    is_copy = marked[..., 2] - plain[..., 2] > 200
    ends = [np.quantile(marked[..., axis][is_copy] / 255, (0.002, 0.998)) for axis in (0, 1)]
    left = float(np.prod([end - start for start, end in ends]))
    if "flip" in names:
        truth["mirrored"] = None
    if left < 0.97:
        truth["cropped"] = left
    for around in names & AROUND.keys():
        share = float(is_copy.mean())
        truth[AROUND[around]] = 1.0 - share if AROUND[around] == "padded" else share
    return truth


def _surface_truth(edits: Sequence[Edit], queries: Sequence[Pixels]) -> dict[str, float | None]:
    truth: dict[str, float | None] = {}
    names = {edit.name for edit in edits}
    if names & ON_IT:
        over = _edited(edits, ON_IT, queries[0], queries[0]).astype(int)
        truth["overlaid"] = float((np.abs(over - queries[0]).max(axis=2) > 25).mean())
    if names & IN_COLOUR:
        change = [
            np.abs(_edited(edits, IN_COLOUR, query, query).astype(int) - query).mean()
            for query in queries
        ]
        truth["colour"] = float(np.mean(change)) / 255
    return truth


def _tally(
    counts: dict[str, Count], said: dict[str, float | None], truth: dict[str, float | None]
) -> Iterator[str]:
    for kind in KINDS:
        count, value = counts[kind], truth.get(kind)
        low, high = TOO_SMALL.get(kind, (2.0, 2.0))
        is_small = kind in truth and value is not None and low <= value <= high
        if kind in said and not is_small:
            count.said += 1
            count.right += kind in truth
            if kind not in truth:
                yield f"+{kind}"
        if kind in said and kind in truth and value is not None:
            count.off.append(abs((said[kind] or 0.0) - value))
        if kind in truth and kind not in said and not is_small:
            count.missed += 1
            yield f"-{kind}"


def _measure(names: Sequence[str], sources: dict[str, Pairs], *, verbose: bool) -> None:
    counts: dict[str, Count] = defaultdict(Count)
    spent = []
    ordered = sorted(sources)
    for number, edit in enumerate(EDITS):
        for name in names:
            place = ordered.index(name)
            others = sources[ordered[(place + 5) % len(ordered)]]
            pairs, truth = _case(edit, (place, number, 0), sources[name], others)
            started = time.process_time()
            said = {hint.kind: hint.value for hint in transform_hints(pairs)}
            spent.append(time.process_time() - started)
            wrong = list(_tally(counts, said, truth))
            if wrong and verbose:
                print(f"  {edit} of {name}: {' '.join(wrong)}; said {said}, true {truth}")
    print(f"{len(names)} videos, {len(EDITS)} edits, {statistics.median(spent):.2f} s a match")
    print(f"{'kind':<10} {'said':>5} {'precision':>10} {'recall':>10} {'error, median':>14}")
    for kind in KINDS:
        count = counts[kind]
        total = count.right + count.missed
        off = f"{statistics.median(count.off):.3f}" if count.off else "-"
        print(
            f"{kind:<10} {count.said:>5} {count.right / max(1, count.said):>10.3f} "
            f"{f'{count.right} of {total}':>10} {off:>14}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--held-out", nargs="*", default=[], help="reported apart")
    parser.add_argument("--verbose", action="store_true", help="name what was wrong")
    arguments = parser.parse_args()
    sources = _sources(arguments.videos)
    for title, is_held in (("tuned on", False), ("held out", True)):
        names = [name for name in sources if (name in arguments.held_out) == is_held]
        if names:
            print(title)
            _measure(names, sources, verbose=arguments.verbose)
    return 0


if __name__ == "__main__":
    sys.exit(main())
