"""The descriptor track of VSC2022 at size, next to a plain version of the same rules.

    python -m benchmarks.bench_descriptor_track [--scale 1.0] [--half] [--json]

At scale 1: 2,000 queries x 10,000 references x 30 frames x 512 dimensions, 18 billion pairs of
frames of which 2.4 million are kept. Rows are drawn into descriptor files first; a tenth of the
queries copies a reference. A fresh process then does what ``vcd eval vsc-descriptor`` does between
reading the files and scoring the ranking, and says its peak resident set, mapped rows included.
Another measures the matrix product alone, as a bound; a third runs `tests.plain_tracks` object by
object on a hundredth of the pairs. Ratios are of CPU time, within one run; on a busy machine
OPENBLAS_NUM_THREADS=1 keeps threads that wait from counting.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.plain_tracks import plain_descriptor_track
from vcd.core import Descriptors, DescriptorSpace, Timeline
from vcd.descriptors import DescriptorRows, read_descriptor_rows, write_descriptors
from vcd.evaluation.vsc2022 import descriptor_track, raw_rows
from vcd.search.row_scores import RowScorer, RowSimilarity

NUM_QUERIES, NUM_REFS, NUM_FRAMES, DIM = 2_000, 10_000, 30, 512
PLAIN_SHARE = 0.1
"""Of the queries and of the references: a hundredth of the pairs."""

SPACE = DescriptorSpace(name="bench", dim=DIM, fingerprint="bench")


def _video(kind: str, number: int) -> np.ndarray:
    """Unit rows around a direction of their own: frames of one video are alike."""
    rng = np.random.default_rng([ord(kind), number])
    rows = rng.standard_normal((NUM_FRAMES, DIM)) + 0.7 * rng.standard_normal(DIM)
    return rows.astype(np.float32)


def _query(number: int, num_refs: int) -> np.ndarray:
    rows = _video("Q", number)
    if number % 10 == 0:
        copied = _video("R", number * 7 % num_refs)[5:25]
        rows[3:23] = copied + 0.8 * rows[3:23]
    return rows


def _write(path: Path, kind: str, num_videos: int, num_refs: int) -> None:
    timeline = Timeline.from_starts(np.arange(float(NUM_FRAMES)), end_s=float(NUM_FRAMES))
    videos = (
        _query(number, num_refs) if kind == "Q" else _video("R", number)
        for number in range(num_videos)
    )
    write_descriptors(
        path,
        (
            Descriptors.from_frames(
                f"{kind}{number:06d}",
                timeline,
                rows / np.linalg.norm(rows, axis=1, keepdims=True),
                SPACE,
            )
            for number, rows in enumerate(videos)
        ),
        space=SPACE,
    )


def _halved(path: Path) -> None:
    with np.load(path) as members:
        arrays = dict(members)
    arrays["features"] = arrays["features"].astype(np.float16)
    np.savez(path, **arrays)


def _ours(query: DescriptorRows, ref: DescriptorRows) -> int:
    return len(descriptor_track(raw_rows(query, ref)))


def _product(query: DescriptorRows, ref: DescriptorRows) -> int:
    scorer = RowScorer(query.features, ref.features, None, RowSimilarity.INNER_PRODUCT)
    return sum(1 for rows in scorer.query_blocks() for _ in scorer.cells(rows))


def _plain(query: DescriptorRows, ref: DescriptorRows) -> int:
    queries, refs = (
        [
            (str(rows.video_ids[first]), np.asarray(rows.features[first:stop], np.float32))
            for first, stop in rows.runs[: max(1, round(len(rows.runs) * PLAIN_SHARE))]
        ]
        for rows in (query, ref)
    )
    return len(plain_descriptor_track(queries, refs))


_PARTS = {"ours": _ours, "product": _product, "plain": _plain}


def _measure(part: str, folder: Path) -> None:
    """In a process of its own: print seconds, peak memory and what came out."""
    query, ref = (read_descriptor_rows(folder / f"{kind}.npz") for kind in "QR")
    started_s, started_cpu_s = time.monotonic(), time.process_time()
    found = _PARTS[part](query, ref)
    measured = {
        "wall_s": time.monotonic() - started_s,
        "cpu_s": time.process_time() - started_cpu_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "found": found,
    }
    print(json.dumps(measured))


def _measured(part: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_descriptor_track", "--part", part]
    result = subprocess.run(
        [*command, "--folder", str(folder)], stdout=subprocess.PIPE, text=True, check=True
    )
    measured: dict[str, float] = json.loads(result.stdout)
    return measured


def _results(scale: float, folder: Path, *, is_half: bool) -> dict[str, Any]:
    num_queries, num_refs = round(NUM_QUERIES * scale), round(NUM_REFS * scale)
    for kind, num_videos in (("Q", num_queries), ("R", num_refs)):
        _write(folder / f"{kind}.npz", kind, num_videos, num_refs)
        if is_half:
            _halved(folder / f"{kind}.npz")
    parts = {part: _measured(part, folder) for part in _PARTS}
    num_pairs = num_queries * num_refs * NUM_FRAMES**2
    shares = {"ours": 1.0, "product": 1.0, "plain": PLAIN_SHARE**2}
    ns = {part: parts[part]["cpu_s"] / (num_pairs * shares[part]) * 1e9 for part in parts}
    return {
        "num_queries": num_queries,
        "num_refs": num_refs,
        "num_frame_pairs": num_pairs,
        "dtype": "float16" if is_half else "float32",
        "parts": parts,
        "cpu_ns_per_frame_pair": ns,
        "plain_over_ours": ns["plain"] / ns["ours"],
        "ours_over_product": ns["ours"] / ns["product"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of both numbers of videos")
    parser.add_argument("--half", action="store_true", help="store rows in half precision")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", choices=_PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part is not None:
        _measure(arguments.part, arguments.folder)
        return 0
    with tempfile.TemporaryDirectory(prefix="vcd-track-") as name:
        results = _results(arguments.scale, Path(name), is_half=arguments.half)
    if arguments.json:
        print(json.dumps(results, indent=1))
        return 0
    print(f"{results['num_queries']} x {results['num_refs']} videos, {results['dtype']}")
    for part, measured in results["parts"].items():
        print(
            f"{part:<8} {measured['wall_s']:8.1f} s ({measured['cpu_s']:8.1f} s of CPU)  "
            f"peak {measured['peak_mb']:6.0f} MB  "
            f"{results['cpu_ns_per_frame_pair'][part]:9.3f} ns of CPU a pair of frames"
        )
    print(
        f"ours takes {results['ours_over_product']:.2f} times the product alone; "
        f"plain takes {results['plain_over_ours']:.0f} times ours for a pair of frames"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
