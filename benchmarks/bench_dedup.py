"""Clusters among many descriptors: recall of inverted lists, and a million of them for real.

    python -m benchmarks.bench_dedup recall [--rows 50000] [--features FILE.npz]
    python -m benchmarks.bench_dedup million [--rows 1000000] --work DIR

Drawn rows: unit vectors in random directions, the hardest case there is for lists (no two
strangers are near each other, so a row is hardly nearer to its own centroid than to others). One
row in twenty has a copy, of similarity drawn evenly from 0.70 to 0.99; one in two thousand has
eight. The truth is what was planted, and, for
``recall``, all pairs compared exactly. One core: OMP_NUM_THREADS=1.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.descriptors import read_descriptor_rows
from vcd.search.duplicates import all_links, exact_links, probed_links
from vcd.search.inverted_lists import InvertedLists
from vcd.search.link_forest import Links, clusters_of, strongest_forest

THRESHOLD = 0.65
DIM = 256
SEED = 7
PROBES = (4, 8, 16, 32, 64)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("recall", "million"))
    parser.add_argument("--rows", type=int)
    parser.add_argument("--features", type=Path, help="a descriptor file instead of drawn rows")
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--work", type=Path, default=Path())
    arguments = parser.parse_args(argv)
    if arguments.what == "recall":
        rows = recall(arguments.rows or 50_000, arguments.features, arguments.threshold)
    else:
        rows = [million(arguments.rows or 1_000_000, arguments.work)]
    for row in rows:
        print(json.dumps(row), flush=True)
    return 0


def recall(num_rows: int, file: Path | None, threshold: float) -> Iterable[dict[str, object]]:
    if file is None:
        features = np.empty((num_rows, DIM), dtype=np.float32)
        draw(features)
    else:
        features = np.asarray(read_descriptor_rows(file).features, dtype=np.float32)
    rows = np.flatnonzero(features.any(axis=1))
    began_s = time.process_time()
    exact = Links.joined(exact_links(features, rows, threshold))
    yield described("exact", exact, exact, len(features), time.process_time() - began_s)
    for num_probes in PROBES:
        began_s = time.process_time()
        lists = InvertedLists.of(features, rows, num_probes=num_probes)
        found = Links.joined(probed_links(features, lists, threshold))
        name = f"{num_probes} of {lists.num_lists} lists"
        yield described(name, found, exact, len(features), time.process_time() - began_s)


def described(
    name: str, found: Links, exact: Links, num_rows: int, cpu_s: float
) -> dict[str, object]:
    true = {tuple(rows.tolist()) for rows in clusters_of(exact, num_rows)}
    got = {tuple(rows.tolist()) for rows in clusters_of(found, num_rows)}
    known = np.isin(keys(exact, num_rows), keys(found, num_rows))
    near_one = exact.similarity >= 0.8
    return {
        "how": name,
        "cpu_s": round(cpu_s, 1),
        "links": len(found),
        "recall_of_links": round(float(known.mean()), 4),
        "recall_of_links_from_0.8": round(float(known[near_one].mean()), 4),
        "clusters": len(got),
        "recall_of_clusters_whole": round(len(true & got) / len(true), 4),
    }


def keys(links: Links, num_rows: int) -> NDArray[np.int64]:
    return links.first * num_rows + links.second


def million(num_rows: int, work: Path) -> dict[str, object]:
    path = work / f"bench_dedup_{num_rows}.f32"
    drawn = np.memmap(path, dtype=np.float32, mode="w+", shape=(num_rows, DIM))
    planted = draw(drawn)
    drawn.flush()
    del drawn
    features = np.asarray(np.memmap(path, dtype=np.float32, mode="r", shape=(num_rows, DIM)))
    began_s, cpu_s, before = time.perf_counter(), time.process_time(), memory_mb()
    forest, num_links = strongest_forest(all_links(features, THRESHOLD).links, num_rows)
    clusters = clusters_of(forest, num_rows)
    elapsed_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    label = np.arange(num_rows)
    for rows in clusters:
        label[rows] = rows[0]
    is_joined = label[planted[:, 0]] == label[planted[:, 1]]
    path.unlink()
    return {
        "rows": num_rows,
        "elapsed_s": round(elapsed_s, 1),
        "cpu_s": round(cpu_s, 1),
        "links": num_links,
        "clusters": len(clusters),
        "planted_joined": round(float(is_joined.mean()), 4),
        "own_memory_before_mb": before,
        "peak_own_memory_mb": peak_own_memory_mb(),
        "peak_with_mapped_file_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def draw(out_ND: NDArray[np.float32]) -> NDArray[np.int64]:
    """Fill with random directions and planted copies; return the planted pairs ``(P, 2)``."""
    rng = np.random.default_rng(SEED)
    for first in range(0, len(out_ND), 65_536):
        part = rng.standard_normal((min(65_536, len(out_ND) - first), DIM), dtype=np.float32)
        out_ND[first : first + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    order = rng.permutation(len(out_ND))
    num_pairs, num_stars = len(out_ND) // 20, len(out_ND) // 200
    pairs = [order[: 2 * num_pairs].reshape(-1, 2)]
    stars = order[2 * num_pairs : 2 * num_pairs + 9 * (num_stars // 10)].reshape(-1, 9)
    pairs += [stars[:, [0, copy]] for copy in range(1, 9)]
    planted = np.concatenate(pairs)
    for first in range(0, len(planted), 65_536):
        one, two = planted[first : first + 65_536].T
        cosine = rng.uniform(0.70, 0.99, (len(one), 1)).astype(np.float32)
        origin, other = out_ND[one], out_ND[two]
        other = other - (other * origin).sum(axis=1, keepdims=True) * origin
        other /= np.linalg.norm(other, axis=1, keepdims=True)
        out_ND[two] = cosine * origin + np.sqrt(1 - cosine**2) * other
    return planted


def memory_mb() -> int:
    return status_kb("RssAnon") // 1024


def peak_own_memory_mb() -> int:
    """Peak of all resident memory less what is mapped of files now: an upper bound."""
    return (status_kb("VmHWM") - status_kb("RssFile")) // 1024


def status_kb(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1])


if __name__ == "__main__":
    sys.exit(main())
