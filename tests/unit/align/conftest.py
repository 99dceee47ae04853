"""Made matrices and made videos; the truth is in the call."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from vcd.core import Descriptors, DescriptorSpace, PairCandidate, PairTally, Timeline

SPACE = DescriptorSpace(name="made", dim=64, fingerprint="f" * 64)


def background(num_rows, num_cols):
    """The unplanted matrix of the fact sheet: at most 0.05 anywhere."""
    i, j = np.mgrid[0:num_rows, 0:num_cols]
    return (0.05 * np.sin(12.9898 * i + 78.233 * j)).astype(np.float32)


def plant(matrix, q_first, r_first, length, slope=1.0, value=0.9, *, missing=()):
    """Plant a copy and return its box (q_first, q_stop, r_first, r_stop)."""
    along = np.array([a for a in range(length) if a not in missing])
    matrix[q_first + along, r_first + np.round(along * slope).astype(int)] = value
    last = int(np.round((length - 1) * slope))
    return (q_first, q_first + length, r_first, r_first + last + 1)


def plant_smooth(matrix, q_first, r_first, length, slope, rng):
    """As a real video: neighbours of a matching frame are similar too."""
    cols = np.arange(matrix.shape[1])
    for a in range(length):
        off_line = np.abs(cols - (r_first + a * slope))
        value = rng.uniform(0.65, 0.95) * np.exp(-((off_line / 4) ** 2))
        value = value + rng.normal(0, 0.03, len(cols))
        row = matrix[q_first + a]
        row[:] = np.where(off_line < 6, np.maximum(row, value), row)
    return (q_first, q_first + length, r_first, r_first + int(np.round((length - 1) * slope)) + 1)


def corners(scored):
    box = scored.box
    return (box.q_first, box.q_stop, box.r_first, box.r_stop)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Footage:
    """A video as a function of time: shots that drift, then cut; 50 instants a second."""

    def __init__(self, seed, length_s, *, drift=0.15, shot_s=6.0):
        rng = np.random.default_rng(seed)
        self.length_s = length_s
        num = int(length_s * 50) + 1
        cuts = np.cumsum(rng.exponential(shot_s, size=num)) * 50
        shot = np.searchsorted(cuts, np.arange(num), side="right")
        walk = np.cumsum(rng.normal(size=(num, SPACE.dim)) * drift / np.sqrt(50 * SPACE.dim), 0)
        scenes = unit(rng.normal(size=(int(shot.max()) + 1, SPACE.dim)))
        self.vectors = unit(scenes[shot] + walk * np.sqrt(8))

    def at(self, times_s):
        place = np.clip((np.asarray(times_s) * 50).astype(int), 0, len(self.vectors) - 1)
        return self.vectors[place]


def describe(video_id, at, start_s, end_s, rate_hz=2.0, *, noise=0.6, seed=0):
    """Sample footage in the middle of cells, with the noise of an edited copy."""
    num = max(1, int(np.ceil((end_s - start_s) * rate_hz - 0.5)))
    starts_s = start_s + np.arange(num) / rate_hz
    timeline = Timeline.from_starts(starts_s, end_s=max(end_s, starts_s[-1] + 1e-3))
    vectors = at(starts_s + 0.5 / rate_hz)
    rng = np.random.default_rng(seed)
    vectors = vectors + rng.normal(size=vectors.shape) * noise / np.sqrt(SPACE.dim)
    return Descriptors.from_frames(video_id, timeline, unit(vectors), SPACE)


def from_features(video_id, features, rate_hz=2.0):
    timeline = Timeline.from_starts(
        np.arange(len(features)) / rate_hz, end_s=len(features) / rate_hz
    )
    return Descriptors.from_frames(video_id, timeline, features, SPACE)


def tally(query, ref, min_score=0.35, max_hits=2000):
    """What the search would say of a pair; None when it has no hits."""
    similarity = query.features @ ref.features.T
    rows, cols = np.nonzero(similarity >= min_score)
    order = np.lexsort((cols, rows, -similarity[rows, cols]))[:max_hits]
    if len(order) == 0:
        return None
    score = similarity[rows[order], cols[order]].astype(np.float32)
    candidate = PairCandidate(
        query_id=query.video_id, ref_id=ref.video_id, score=float(score[0]), num_hits=len(rows)
    )
    return PairTally(candidate=candidate, query_row=rows[order], ref_row=cols[order], score=score)


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A query that holds a stretch of ``ref``, other footage around it, and the truth."""

    query: Descriptors
    ref: Descriptors
    tally: Any
    denser: Any
    truth: tuple[float, float, float, float]


def edited_copy(seed, *, length_s, slope=1.0, q_start_s=5.3, r_start_s=9.1, tail_s=6.0):
    source, other = Footage(1000 + seed, 60.0), Footage(2000 + seed, 60.0)
    q_end_s = q_start_s + length_s

    def at(times_s):
        inside = (times_s >= q_start_s) & (times_s < q_end_s)
        copied = source.at(r_start_s + (times_s - q_start_s) * slope)
        return np.where(inside[:, None], copied, other.at(times_s))

    def denser(interval, rate_hz, view):
        return describe("q", at, interval.start_s, interval.end_s, rate_hz, seed=seed + 7)

    query = describe("q", at, 0.0, q_end_s + tail_s, seed=seed)
    ref = describe("r", source.at, 0.0, 60.0, noise=0.0)
    truth = (q_start_s, q_end_s, r_start_s, r_start_s + length_s * slope)
    return Copy(query=query, ref=ref, tally=tally(query, ref), denser=denser, truth=truth)


@pytest.fixture
def rng():
    return np.random.default_rng(20240)


@pytest.fixture
def made():
    """Everything above, by name."""
    from types import SimpleNamespace

    names = (background, plant, plant_smooth, corners, unit, describe, from_features, tally)
    return SimpleNamespace(
        **{function.__name__: function for function in names},
        Footage=Footage,
        edited_copy=edited_copy,
        SPACE=SPACE,
    )
