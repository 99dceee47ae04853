"""The metrics of stretches once more, object by object: obviously right, and slow.

Written from the definitions; they share no arithmetic with `vcd.evaluation`. Tests hold the fast
versions against these, and `benchmarks/bench_metrics.py` measures how much faster they are.

A box is ``(query_id, ref_id, query_start, query_end, ref_start, ref_end, score)``.
"""

from collections import defaultdict
from math import sqrt

import numpy as np

from vcd.evaluation import Segments

QUERY, REF = 0, 1


def union(intervals):
    """Merge intervals, those that touch included; empty ones vanish."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def length(intervals):
    return sum(end - start for start, end in union(intervals))


def side(box, axis):
    return (box[2], box[3]) if axis == QUERY else (box[4], box[5])


def overlap(one, other):
    """The part that two intervals share; empty when it ends before it starts."""
    return max(one[0], other[0]), min(one[1], other[1])


def shares_area(one, other):
    return all(
        start < end
        for start, end in (overlap(side(one, axis), side(other, axis)) for axis in (QUERY, REF))
    )


def by_pair(boxes):
    pairs = defaultdict(list)
    for box in boxes:
        pairs[box[0], box[1]].append(box)
    return pairs


def pair_lengths(predicted, true, axis):
    """Give inter and total of one pair on one axis."""
    found = [side(box, axis) for box in predicted]
    gated = [side(box, axis) for box in true if any(shares_area(box, other) for other in predicted)]
    return length(found) + length(gated) - length(found + gated), length(found)


def share(parts, wholes):
    if min(wholes) <= 0:
        return 0.0
    return sqrt(parts[QUERY] / wholes[QUERY] * (parts[REF] / wholes[REF]))


def segment_ap(predictions, truth):
    true = by_pair(truth)
    to_find = [
        sum(length([side(box, axis) for box in boxes]) for boxes in true.values())
        for axis in (QUERY, REF)
    ]
    predicted = defaultdict(list)
    known: dict[tuple[tuple[str, str], int], tuple[float, float]] = {}
    inter, total, ap, recall_before = [0.0, 0.0], [0.0, 0.0], 0.0, 0.0
    groups = defaultdict(list)
    for box in predictions:
        groups[box[6]].append(box)
    for score in sorted(groups, reverse=True):
        for box in groups[score]:
            predicted[box[0], box[1]].append(box)
        for pair in {(box[0], box[1]) for box in groups[score]}:
            for axis in (QUERY, REF):
                before = known.get((pair, axis), (0.0, 0.0))
                now = pair_lengths(predicted[pair], true.get(pair, []), axis)
                known[pair, axis] = now
                inter[axis] += now[0] - before[0]
                total[axis] += now[1] - before[1]
        recall = share(inter, to_find)
        ap += share(inter, total) * (recall - recall_before)
        recall_before = recall
    return ap


def vcsl_share(boxes, others):
    """VCSL's precision of boxes against others, or recall with the roles exchanged."""
    product = 1.0
    for axis in (QUERY, REF):
        shared, whole = 0.0, 0.0
        for box in boxes:
            shared += length(
                overlap(side(box, axis), side(other, axis))
                for other in others
                if shares_area(box, other)
            )
            whole += side(box, axis)[1] - side(box, axis)[0]
        product *= shared / (whole + 1e-6)
    return product


def vcsl_pairs(predictions, truth, judged=()):
    """Give VCSL's precision and recall of each pair."""
    predicted, true = by_pair(predictions), by_pair(truth)
    results = {}
    for pair in dict.fromkeys([*judged, *predicted, *true]):
        boxes, others = predicted.get(pair, []), true.get(pair, [])
        if boxes and others:
            results[pair] = vcsl_share(boxes, others), vcsl_share(others, boxes)
        else:
            results[pair] = float(not boxes), float(not others)
    return results


def as_table(boxes):
    """Put boxes into the record that the fast versions take."""
    boxes = list(boxes)
    bounds = np.array([box[2:6] for box in boxes], dtype=np.float64).reshape(-1, 4)
    return Segments(
        query_ids=np.array([box[0] for box in boxes], dtype=np.str_),
        ref_ids=np.array([box[1] for box in boxes], dtype=np.str_),
        query_s=bounds[:, :2],
        ref_s=bounds[:, 2:],
        score=np.array([box[6] for box in boxes], dtype=np.float64),
    )


def pair_micro_ap(predictions, truth):
    """Give canonical micro-AP of the best score of each pair: equal scores enter together."""
    best: dict[tuple[str, str], float] = {}
    for box in predictions:
        best[box[0], box[1]] = max(best.get((box[0], box[1]), box[6]), box[6])
    true_pairs = {(box[0], box[1]) for box in truth}
    ap, recall_before = 0.0, 0.0
    for threshold in sorted(set(best.values()), reverse=True):
        accepted = {pair for pair, score in best.items() if score >= threshold}
        num_found = len(accepted & true_pairs)
        recall = num_found / len(true_pairs) if true_pairs else 0.0
        ap += num_found / len(accepted) * (recall - recall_before)
        recall_before = recall
    return ap
