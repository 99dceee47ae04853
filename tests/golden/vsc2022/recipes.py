"""Predictions made from a ground truth by arithmetic: anyone can make the same ones again.

A row is ``(query_id, ref_id, query_start, query_end, ref_start, ref_end, score)``; recipes count
rows in the order of the file.
"""

from collections.abc import Callable
from functools import partial
from math import ceil, floor

Row = tuple[str, str, float, float, float, float, float]
Recipe = Callable[[list[Row]], list[Row]]


def late_by_1s(rows):
    """Recipe R2: both sides start 1 s late, with scores that repeat."""
    return [
        (query, ref, q_start + 1, q_end, r_start + 1, r_end, ((i * 7919) % 1000) / 1000)
        for i, (query, ref, q_start, q_end, r_start, r_end, _) in enumerate(rows)
    ]


def late_and_wrong(rows):
    """Recipe R3: R2, and each stretch once more on the next row's reference unless that is true."""
    true_pairs = {row[:2] for row in rows}
    wrong = [
        (row[0], rows[(i + 1) % len(rows)][1], *row[2:6], ((i * 104729) % 1000) / 1000)
        for i, row in enumerate(rows)
    ]
    return late_by_1s(rows) + [row for row in wrong if row[:2] not in true_pairs]


def snapped(rows, rate_hz):
    """Bounds moved outward to a grid."""
    return moved(
        rows,
        start=lambda at_s: floor(at_s * rate_hz) / rate_hz,
        end=lambda at_s: ceil(at_s * rate_hz) / rate_hz,
    )


def framed(rows, rate_hz):
    """From the first frame inside to the last, which lasts until the next one."""
    return moved(
        rows,
        start=lambda at_s: ceil(at_s * rate_hz) / rate_hz,
        end=lambda at_s: (floor(at_s * rate_hz) + 1) / rate_hz,
    )


def early_by(rows, seconds):
    """Both sides start early, but never before the video does."""
    return moved(rows, start=lambda at_s: max(0.0, at_s - seconds), end=lambda at_s: at_s)


def moved(rows, *, start, end):
    return [
        (query, ref, start(q_start), end(q_end), start(r_start), end(r_end), 1.0)
        for query, ref, q_start, q_end, r_start, r_end, _ in rows
    ]


def drawn_truth(num_rows=400):
    """A ground truth of several segments a pair, some of which overlap, made by arithmetic."""
    rows = []
    for i in range(num_rows):
        q_start, r_start = (i * 7919 % 5003) / 100, (i * 6007 % 4001) / 100
        length_s = 3 + (i * 4691 % 1709) / 100
        speed = 0.6 + (i * 3571 % 89) / 100
        pair = (f"Q{i * i % 61:03d}", f"R{i * i % 67:03d}")
        rows.append((*pair, q_start, q_start + length_s, r_start, r_start + length_s * speed, 1.0))
    return rows


ORACLES: dict[str, Recipe] = {
    **{f"snapped to {hz} Hz": partial(snapped, rate_hz=hz) for hz in (0.5, 1, 2, 4)},
    **{f"frames at {hz} Hz": partial(framed, rate_hz=hz) for hz in (1, 2, 4)},
    **{f"early by {s} s": partial(early_by, seconds=s) for s in (1, 2, 4, 9)},
}
RECIPES: dict[str, Recipe] = {"late": late_by_1s, "late and wrong": late_and_wrong, **ORACLES}
