"""Segment AP of a million predictions, next to the plain version of the same definition.

    python -m benchmarks.bench_metrics [--predictions 1000000] [--plain 20000]

Both versions score the same predictions at the size that the plain one can do, in the same run; the
ratio of CPU times is of that size and of no other. Ours then scores the large table alone. Prints
JSON on stdout and a sentence on stderr.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

from tests import plain_metrics
from vcd.evaluation import Segments, confidence_interval, segment_ap, segment_curve

BOXES_A_PAIR = 5
REPEATS = 3


def draw(num_predictions: int, *, crowded: bool = False) -> tuple[Segments, Segments]:
    """Draw predictions, two fifths of them near a true stretch, scores with some ties.

    Crowded, all lie on one pair; else there are about five a pair and ten pairs a query.
    """
    rng = np.random.default_rng(0)
    num_pairs = 1 if crowded else num_predictions // BOXES_A_PAIR
    num_true = max(1, num_predictions // 50)
    true_pair, length_s = rng.integers(0, num_pairs, num_true), rng.uniform(3, 30, num_true)
    true_start_s = rng.uniform(0, 60, (num_true, 2))
    truth = table(true_pair, true_start_s, length_s, np.ones(num_true))
    near = rng.integers(0, num_true, num_predictions)
    is_near = rng.random(num_predictions) < 0.4
    pair = np.where(is_near, true_pair[near], rng.integers(0, num_pairs, num_predictions))
    start_s = np.where(
        is_near[:, None],
        true_start_s[near] + rng.normal(0, 1, (num_predictions, 2)),
        rng.uniform(0, 60, (num_predictions, 2)),
    )
    score = np.round(rng.random(num_predictions) + 0.3 * is_near, 5)
    return table(pair, start_s, rng.uniform(3, 30, num_predictions), score), truth


def table(
    pair: np.ndarray, start_s: np.ndarray, length_s: np.ndarray, score: np.ndarray
) -> Segments:
    return Segments(
        query_ids=np.char.add("Q", (pair // 10).astype(str)),
        ref_ids=np.char.add("R", (pair * 7919 % 40009).astype(str)),
        query_s=np.stack([start_s[:, 0], start_s[:, 0] + length_s], axis=1),
        ref_s=np.stack([start_s[:, 1], start_s[:, 1] + length_s], axis=1),
        score=score,
    )


def rows(segments: Segments) -> list[tuple]:
    """The table as the plain version takes it."""
    bounds = np.hstack([segments.query_s, segments.ref_s]).tolist()
    ids = zip(segments.query_ids.tolist(), segments.ref_ids.tolist(), strict=True)
    return [
        (*pair, *box, score)
        for pair, box, score in zip(ids, bounds, segments.score.tolist(), strict=True)
    ]


def cpu_s(work: Callable[[], float]) -> tuple[float, float]:
    """CPU seconds, and what came out."""
    start_s = time.process_time()
    value = work()
    return time.process_time() - start_s, value


def compare(num_predictions: int, *, crowded: bool) -> dict[str, float]:
    predictions, truth = draw(num_predictions, crowded=crowded)
    taken = [cpu_s(lambda: segment_ap(predictions, truth)) for _ in range(REPEATS)]
    boxes, true_boxes = rows(predictions), rows(truth)
    plain_s, plain_ap = cpu_s(lambda: plain_metrics.segment_ap(boxes, true_boxes))
    ours_s = statistics.median(seconds for seconds, _ in taken)
    return {
        "predictions": num_predictions,
        "plain_cpu_s": plain_s,
        "cpu_s": ours_s,
        "ratio": plain_s / ours_s,
        "difference": abs(plain_ap - taken[0][1]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--plain", type=int, default=20_000)
    arguments = parser.parse_args()
    result = {
        "spread": compare(arguments.plain, crowded=False),
        "crowded": compare(arguments.plain // 10, crowded=True),
    }
    predictions, truth = draw(arguments.predictions)
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start_s = time.perf_counter()
    taken_s, found = cpu_s(lambda: segment_ap(predictions, truth))
    wall_s = time.perf_counter() - start_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    curve = segment_curve(predictions, truth)
    interval_s, _ = cpu_s(lambda: confidence_interval(curve.resampled_ap(), curve.num_queries)[0])
    result["large"] = {
        "predictions": arguments.predictions,
        "cpu_s": taken_s,
        "wall_s": wall_s,
        "segment_ap": found,
        "peak_mb_before": before_mb,
        "peak_mb": peak_mb,
        "interval_cpu_s": interval_s,
    }
    print(json.dumps(result, indent=1))
    print(
        f"{arguments.predictions:,} predictions in {taken_s:.1f} s of CPU and {peak_mb:.0f} MB at "
        f"the peak; {result['spread']['ratio']:.0f} times as fast as the plain version at "
        f"{arguments.plain:,}, {result['crowded']['ratio']:.0f} times on one pair with a tenth.",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
