"""Alignments of 60 x 60 matrices, against a plain graph-library longest path.

    python -m benchmarks.bench_align [--num 10000] [--num-plain 100] [--json]

Half of the matrices hold one or two planted copies with similar neighbours, as real videos
have them; all have noise like that of unrelated SSCD frames (standard deviation 0.1).

``published`` is the temporal network as VCSL publishes it, with its settings and networkx
(tests/plain_network.py); ``vcsl_temporal_network`` gives the same boxes.

``plain`` does what the network does, with networkx: the same cells as nodes, the same edges
and weights, `dag_longest_path`; the cells of the found path and of the runs it crosses are
removed, and so on until what is left is too short. It neither cuts nor trims its paths, which
the aligner does in the time measured. ``plain_once`` looks for one longest path only.

Rule of measurement: everything is run once on a few matrices before the clock starts; each
aligner sees the same matrices in the same order on one thread; the figure is that thread's CPU
time (the machine may be shared), the median over five equal parts, the spread their range.
"""

import argparse
import json
import time
from collections.abc import Callable

import networkx as nx
import numpy as np

from tests.plain_network import plain_published_boxes
from vcd.align import AlignerName, AlignSettings, PublishedNetworkSettings, make_aligner

SETTINGS = AlignSettings()
NAMES: tuple[AlignerName, ...] = (
    "temporal_network",
    "hough",
    "dynamic_programming",
    "vcsl_temporal_network",
)


def matrices(num: int, *, seed: int = 0) -> list[np.ndarray]:
    """Make matrices; every second one has copies in it."""
    rng = np.random.default_rng(seed)
    made = []
    for ordinal in range(num):
        matrix = rng.normal(0, 0.1, (60, 60)).astype(np.float32)
        if ordinal % 2:
            for half in range(1 + ordinal // 2 % 2):
                _plant(matrix, half, rng)
        made.append(matrix)
    return made


def _plant(matrix: np.ndarray, half: int, rng: np.random.Generator) -> None:
    length, slope = int(rng.integers(6, 25)), float(rng.uniform(0.58, 1.5))
    r_first = int(rng.integers(0, 58 - int(length * slope)))
    cols = np.arange(60)
    for a in range(length):
        off_line = np.abs(cols - r_first - a * slope)
        value = rng.uniform(0.65, 0.95) * np.exp(-((off_line / 4) ** 2))
        row = matrix[30 * half + a]
        row[:] = np.where(off_line < 6, np.maximum(row, value), row)


def plain_longest_paths(matrix: np.ndarray, *, max_paths: int = 50) -> int:
    """Find paths as a temporal network usually is: with a graph library. Returns how many."""
    num_found = 0
    alive = matrix >= SETTINGS.min_similarity
    while num_found < max_paths:
        path, length = _plain_longest_path(matrix, alive)
        if length < SETTINGS.min_evidence:
            break
        num_found += 1
        for q, r in path:
            left = right = r
            while left >= 0 and alive[q, left]:
                left -= 1
            while right < matrix.shape[1] and alive[q, right]:
                right += 1
            alive[q, left + 1 : right] = False
    return num_found


def _plain_longest_path(
    matrix: np.ndarray, alive: np.ndarray
) -> tuple[list[tuple[int, int]], float]:
    nodes = [(int(q), int(r)) for q, r in np.argwhere(alive)]
    if not nodes:
        return [], 0.0
    graph = nx.DiGraph()
    by_row: dict[int, list[int]] = {}
    for q, r in nodes:
        by_row.setdefault(q, []).append(r)
    floor = SETTINGS.min_similarity
    for q, r in nodes:
        weight = (float(matrix[q, r]) - floor) / (1 - floor)
        graph.add_edge("source", (q, r), weight=weight)
        for dq in range(1, SETTINGS.max_step_frames + 1):
            for r_before in by_row.get(q - dq, ()):
                dr = r - r_before
                fits = SETTINGS.min_slope * dq - 1 <= dr <= SETTINGS.max_slope * dq + 1
                if dr >= 0 and fits:
                    cost = SETTINGS.gap_penalty * (dq - 1) + SETTINGS.skew_penalty * abs(dr - dq)
                    graph.add_edge((q - dq, r_before), (q, r), weight=weight - cost)
    path = nx.dag_longest_path(graph)
    return path[1:], nx.path_weight(graph, path, "weight")


def _published(matrix: np.ndarray) -> int:
    return len(plain_published_boxes(matrix, PublishedNetworkSettings()))


def _plain_once(matrix: np.ndarray) -> int:
    return plain_longest_paths(matrix, max_paths=1)


def _timed(align: Callable[[np.ndarray], object], made: list[np.ndarray]) -> dict[str, float]:
    for matrix in made[:10]:
        align(matrix)
    parts = []
    for part in np.array_split(np.arange(len(made)), 5):
        started_s = time.thread_time()
        for ordinal in part:
            align(made[ordinal])
        parts.append((time.thread_time() - started_s) / len(part) * 1e3)
    return {
        "median_ms": float(np.median(parts)),
        "least_ms": min(parts),
        "most_ms": max(parts),
        "num": len(made),
    }


def measure(num: int, num_plain: int) -> dict[str, dict[str, float]]:
    """Time every aligner, and the plain longest path on fewer matrices."""
    made = matrices(num)
    results: dict[str, dict[str, float]] = {
        name: _timed(make_aligner(AlignSettings(aligner=name)).align, made) for name in NAMES
    }
    few = made[:num_plain]
    results["plain"] = _timed(plain_longest_paths, few)
    results["plain_once"] = _timed(_plain_once, few)
    results["published"] = _timed(_published, few)
    ours = results["temporal_network"]["median_ms"]
    results["ratio"] = {
        name: results[name]["median_ms"] / ours for name in ("published", "plain", "plain_once")
    }
    same_boxes = results["vcsl_temporal_network"]["median_ms"]
    results["ratio"]["published_same_boxes"] = results["published"]["median_ms"] / same_boxes
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num", type=int, default=10_000)
    parser.add_argument("--num-plain", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = measure(arguments.num, arguments.num_plain)
    if arguments.json:
        print(json.dumps(results, indent=1))
        return 0
    for name, figures in results.items():
        print(name, " ".join(f"{key}={value:.4g}" for key, value in figures.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
