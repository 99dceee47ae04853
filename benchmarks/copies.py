"""Recall by edit, false pairs and overlap in time, on edited copies of a folder of videos.

    python -m benchmarks.copies VIDEOS --hosts PHOTOS --work DIR [--twins a,b ...]

Every video of five seconds or longer is a reference; each is copied once per edit. Insertions
and pictures in pictures go into slide shows of the photographs, which are no references. The
index holds every decodable video of the folder. All copies are made with one seed.
"""

import argparse
import contextlib
import csv
import io
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipelines.cli import main as vcd
from vcd.core import FrameBatch, Interval
from vcd.evaluation import plan_edit
from vcd.media import DecodePool, DecodeRequest, MediaSettings, digest_file, write_video

RATE_HZ = 12.0
SHORT_EDGE_PX = 240
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Truth:
    ref_id: str
    edit: str
    query: Interval
    ref: Interval


@dataclass(frozen=True, kw_only=True)
class Source:
    id: str
    frames: list[Pixels]

    @property
    def length_s(self) -> float:
        return len(self.frames) / RATE_HZ


def _read(pool: DecodePool, path: Path, max_s: float) -> Source | None:
    request = DecodeRequest(
        video_id=path.stem,
        path=path,
        sha256=digest_file(path),
        rate_hz=RATE_HZ,
        max_short_edge_px=SHORT_EDGE_PX,
        interval=None,
    )
    frames: list[Pixels] = []
    with contextlib.closing(pool.decode([request])) as events:
        for event in events:
            if isinstance(event, FrameBatch):
                frames.extend(event.pixels_THWC)
            if len(frames) >= max_s * RATE_HZ:
                break
    return Source(id=path.name, frames=frames[: int(max_s * RATE_HZ)]) if frames else None


def _slide_show(photos: Sequence[Path], rng: np.random.Generator, length_s: float) -> list[Pixels]:
    """Photographs with a slow zoom, three seconds each: footage that is no reference."""
    frames: list[Pixels] = []
    while len(frames) < length_s * RATE_HZ:
        with Image.open(photos[rng.integers(len(photos))]) as photo:
            picture = ImageOps.fit(photo.convert("RGB"), (480, 360))
        for step in range(int(3 * RATE_HZ)):
            cut = step * 0.8
            box = (cut, cut * 0.75, 480 - cut, 360 - cut * 0.75)
            frames.append(np.array(picture.resize((320, 240), box=box)))
    return frames[: int(length_s * RATE_HZ)]


def _fit(frame: Pixels, like: Pixels) -> Pixels:
    size = (like.shape[1], like.shape[0])
    return np.array(ImageOps.pad(Image.fromarray(frame), size))


Copy = tuple[list[Pixels], Interval, Interval]
Copier = Callable[[Source, Callable[[float], list[Pixels]], np.random.Generator], Copy]


def _picture_edit(name: str) -> Copier:
    def copy(source: Source, _host: object, rng: np.random.Generator) -> Copy:
        edit = plan_edit(name, rng)
        whole = Interval(0.0, source.length_s)
        return [edit.apply(frame) for frame in source.frames], whole, whole

    return copy


def _low_bitrate(source: Source, _host: object, _rng: np.random.Generator) -> Copy:
    whole = Interval(0.0, source.length_s)
    return source.frames, whole, whole


def _speed(factor: float) -> Copier:
    def copy(source: Source, _host: object, _rng: np.random.Generator) -> Copy:
        picks = np.arange(0, len(source.frames), factor).astype(int)
        frames = [source.frames[i] for i in picks]
        return frames, Interval(0.0, len(frames) / RATE_HZ), Interval(0.0, source.length_s)

    return copy


def _middle(source: Source) -> tuple[list[Pixels], Interval]:
    num = min(len(source.frames) // 2, int(10 * RATE_HZ))
    first = (len(source.frames) - num) // 2
    return source.frames[first : first + num], Interval(first / RATE_HZ, (first + num) / RATE_HZ)


def _clip(source: Source, _host: object, _rng: np.random.Generator) -> Copy:
    frames, ref = _middle(source)
    return frames, Interval(0.0, len(frames) / RATE_HZ), ref


def _insertion(
    source: Source, host: Callable[[float], list[Pixels]], rng: np.random.Generator
) -> Copy:
    frames, ref = _middle(source)
    around = [_fit(frame, frames[0]) for frame in host(12.0)]
    at = int(rng.integers(len(around) // 4, 3 * len(around) // 4))
    query = Interval(at / RATE_HZ, (at + len(frames)) / RATE_HZ)
    return around[:at] + frames + around[at:], query, ref


def _picture_in_picture(
    source: Source, host: Callable[[float], list[Pixels]], rng: np.random.Generator
) -> Copy:
    edit = plan_edit("inset", rng)
    around = host(source.length_s)
    whole = Interval(0.0, source.length_s)
    frames = [edit.apply(frame, other) for frame, other in zip(source.frames, around, strict=True)]
    return frames, whole, whole


EDITS: dict[str, Copier] = {
    "re-encode, low bitrate": _low_bitrate,
    "crop to 70 % area": _picture_edit("crop70"),
    "crop to 45 % area": _picture_edit("crop45"),
    "flip": _picture_edit("flip"),
    "text": _picture_edit("text"),
    "blur": _picture_edit("blur"),
    "grey": _picture_edit("grey"),
    "padding": _picture_edit("padding"),
    "several at once": _picture_edit("several"),
    "speed 1.5": _speed(1.5),
    "speed 0.67": _speed(1 / 1.5),
    "clip from the middle": _clip,
    "insertion in another video": _insertion,
    "picture in picture": _picture_in_picture,
}


def _even(frame: Pixels) -> Pixels:
    return frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]


def make_copies(
    videos: Path, photos: Sequence[Path], work: Path, *, max_s: float, edits: Sequence[str]
) -> dict[str, Truth]:
    work.mkdir(parents=True, exist_ok=True)
    truths: dict[str, Truth] = {}
    with DecodePool(MediaSettings()) as pool:
        sources = [_read(pool, path, max_s) for path in sorted(videos.iterdir())]
    for number, source in enumerate(s for s in sources if s and s.length_s >= 5.0):
        for edit in edits:
            rng = np.random.default_rng([number, list(EDITS).index(edit)])
            name = f"{source.id.replace('.', '_')}--{edit.replace(' ', '_').replace(',', '')}"

            def host(length_s: float, rng: np.random.Generator = rng) -> list[Pixels]:
                return _slide_show(photos, rng, length_s)

            frames, query, ref = EDITS[edit](source, host, rng)
            crf = 38 if edit.startswith("re-encode") else 26
            file, options = work / f"{name}.mp4", {"crf": str(crf)}
            write_video(file, (_even(f) for f in frames), rate_hz=RATE_HZ, options=options)
            truths[name] = Truth(ref_id=source.id, edit=edit, query=query, ref=ref)
    return truths


def _overlap(a: Interval, b: Interval) -> float:
    shared = a.overlap_s(b)
    return shared / (a.length_s + b.length_s - shared)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as stream:
        yield from csv.DictReader(stream)


def score(
    truths: dict[str, Truth], matches: Path, ids: dict[str, str], twins: list[set[str]]
) -> dict[str, object]:
    best: dict[str, tuple[float, float, float]] = {}
    false_pairs: dict[tuple[str, str], float] = {}
    for row in _rows(matches):
        truth = truths[row["query_id"]]
        ref_file = ids[row["ref_id"]]
        if ref_file != truth.ref_id:
            if not any({ref_file, truth.ref_id} <= group for group in twins):
                pair = (row["query_id"], ref_file)
                false_pairs[pair] = max(false_pairs.get(pair, -1.0), float(row["score"]))
            continue
        query = Interval(float(row["query_start"]), float(row["query_end"]))
        ref = Interval(float(row["ref_start"]), float(row["ref_end"]))
        found = (_overlap(query, truth.query), _overlap(ref, truth.ref), float(row["score"]))
        if found[0] * found[1] > (lambda b: b[0] * b[1])(best.get(row["query_id"], (0, 0, 0))):
            best[row["query_id"]] = found
    table = {}
    for edit in dict.fromkeys(truth.edit for truth in truths.values()):
        names = [name for name, truth in truths.items() if truth.edit == edit]
        hits = [best[name] for name in names if name in best]
        table[edit] = {
            "num": len(names),
            "found": len(hits),
            "median_iou_query": statistics.median(h[0] for h in hits) if hits else None,
            "median_iou_ref": statistics.median(h[1] for h in hits) if hits else None,
            "missed": [truths[name].ref_id for name in names if name not in best],
        }
    return {
        "by_edit": table,
        "false_pairs": [
            {"query": q, "ref": r, "score": s} for (q, r), s in sorted(false_pairs.items())
        ],
    }


def _print(result: dict[str, object]) -> None:
    print(f"{'edit':<28} {'found':>9} {'IoU query':>10} {'IoU ref':>8}")
    table = result["by_edit"]
    for edit, row in table.items():
        iou = [
            f"{row[k]:.2f}" if row[k] is not None else "-"
            for k in ("median_iou_query", "median_iou_ref")
        ]
        print(f"{edit:<28} {row['found']:>3} of {row['num']:<3} {iou[0]:>9} {iou[1]:>8}")
    print(f"false pairs: {len(result['false_pairs'])}")
    for pair in result["false_pairs"]:
        print(f"  {pair['query']}  {pair['ref']}  {pair['score']:.3f}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--hosts", type=Path, required=True, help="photographs for slide shows")
    parser.add_argument("--work", type=Path, required=True, help="folder for copies and results")
    parser.add_argument("--max-s", type=float, default=40.0, help="longest part of a source used")
    parser.add_argument("--edits", nargs="*", default=list(EDITS))
    parser.add_argument("--twins", nargs="*", default=[], help="a.mp4,a.webm: the same footage")
    parser.add_argument("--min-score", default=None)
    parser.add_argument("--make-only", action="store_true", help="make the copies and stop")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _truths(arguments: argparse.Namespace) -> dict[str, Truth]:
    """Make the copies, or read what was made of them before."""
    file = arguments.work / "truths.json"
    if not file.exists():
        photos = sorted(path for path in arguments.hosts.rglob("*") if path.suffix == ".jpg")
        copies = arguments.work / "copies"
        truths = make_copies(
            arguments.videos, photos, copies, max_s=arguments.max_s, edits=arguments.edits
        )
        rows = {
            name: [t.ref_id, t.edit, t.query.start_s, t.query.end_s, t.ref.start_s, t.ref.end_s]
            for name, t in truths.items()
        }
        file.write_text(json.dumps(rows))
    return {
        name: Truth(ref_id=r[0], edit=r[1], query=Interval(r[2], r[3]), ref=Interval(r[4], r[5]))
        for name, r in json.loads(file.read_text()).items()
    }


def main() -> int:
    arguments = _parse()
    truths = _truths(arguments)
    if arguments.make_only:
        return 0
    index, matches = str(arguments.work / "index"), arguments.work / "matches.csv"
    vcd(["index", "add", str(arguments.videos), "--index", index])
    threshold = [] if arguments.min_score is None else [f"--min-score={arguments.min_score}"]
    copies = str(arguments.work / "copies")
    vcd(["check", copies, "--index", index, "--out", str(matches), *threshold])
    info = io.StringIO()
    with contextlib.redirect_stdout(info):
        vcd(["index", "info", "--index", index, "--json"])
    ids = {ref["id"]: Path(ref["uri"]).name for ref in json.loads(info.getvalue())["references"]}
    result = score(truths, matches, ids, [set(group.split(",")) for group in arguments.twins])
    print(json.dumps(result, indent=1)) if arguments.json else _print(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
