"""A score bias counts wherever the alignment asks what a cell scores."""

from dataclasses import replace

import numpy as np
import pytest

from vcd.align import AlignSettings, align_pair
from vcd.align.frames import FrameView
from vcd.align.tiles import align_tiles
from vcd.core import Interval

ALL = AlignSettings(min_similarity=0.3, min_score=-np.inf, refine=False)


def _biased(descriptors, bias):
    return replace(descriptors, score_bias=np.asarray(bias, dtype=np.float32))


def _as_similar(similarities):
    """Rows that are this similar to the first axis, and to each other in that alone."""
    rows = np.zeros((len(similarities), 64), dtype=np.float32)
    rows[:, 0] = similarities
    rows[np.arange(len(rows)), 1 + np.arange(len(rows))] = np.sqrt(1 - np.square(similarities))
    return rows


AXIS = np.eye(1, 64, dtype=np.float32)


def test_an_image_is_found_in_those_frames_of_a_query_that_score_with_their_bias(made):
    """With its bias the frame after the best scores 0.85, the one before it 0.2."""
    similar = made.from_features("q", _as_similar([0.0, 0.0, 0.9, 0.95, 0.9, 0.0]))
    query, ref = _biased(similar, [0, 0, -0.7, 0, -0.05, 0]), made.from_features("r", AXIS)

    (plain,) = align_pair(similar, ref, made.tally(query, ref), ALL).accepted
    (biased,) = align_pair(query, ref, made.tally(query, ref), ALL).accepted

    assert plain.query == Interval(1.0, 2.5)
    assert biased.query == Interval(1.5, 2.5)


def test_an_image_that_is_a_query_brings_its_bias_along_the_reference(made):
    """Half-way from the floor to the best lies 0.475; the frame after it scores 0.55 or 0.25."""
    ref = made.from_features("r", _as_similar([0.0, 0.95, 0.55, 0.0]))
    query = _biased(made.from_features("q", AXIS), [-0.3])

    (biased,) = align_pair(query, ref, made.tally(query, ref), ALL).accepted

    assert biased.ref == Interval(0.5, 1.0)


def test_ends_that_score_well_with_their_bias_belong_to_the_match(made):
    """The first eight frames are similar by 0.4 and score 0.7; 0.61 parts a match from its ends."""
    axes = np.eye(64, dtype=np.float32)
    similar = axes[:30].copy()
    similar[:8] = 0.4 * axes[:8] + np.sqrt(1 - 0.4**2) * axes[40:48]
    query, ref = made.from_features("q", similar), made.from_features("r", axes[:30])
    moved = _biased(query, [0.3] * 8 + [0.0] * 22)
    settings = replace(ALL, min_similarity=0.35)

    (plain,) = align_pair(query, ref, made.tally(query, ref), settings).accepted
    (biased,) = align_pair(moved, ref, made.tally(query, ref), settings).accepted

    assert plain.query == plain.ref == Interval(4.0, 15.0)
    assert biased.query == biased.ref == Interval(0.0, 15.0)


class Remembering:
    """Keeps what it is asked to align, and finds nothing."""

    def __init__(self):
        self.seen = []

    def align(self, similarity_QR):
        self.seen.append(similarity_QR.copy())
        return []


@pytest.mark.parametrize(
    ("max_cells", "num_tiles"), [(4_000_000, 1), (10_000, 3)], ids=["one tile", "many"]
)
def test_a_tile_holds_the_bias_of_its_own_rows(made, max_cells, num_tiles):
    axes = np.eye(2, 64, dtype=np.float32)
    bias = np.arange(1, 301, dtype=np.float32) / 1000
    query = _biased(made.from_features("q", axes[[0] * 300]), bias)
    ref = made.from_features("r", axes[[1] * 200])
    settings, aligner = AlignSettings(max_cells=max_cells), Remembering()
    hits = np.array([[0, 0], [150, 90], [299, 199]])

    align_tiles(FrameView.of(query, 0), FrameView.of(ref, 0), hits, aligner, settings)

    assert len(aligner.seen) == num_tiles
    for matrix in aligner.seen:
        first = round(float(matrix[0, 0]) * 1000) - 1
        wanted = np.broadcast_to(bias[first : first + len(matrix), None], matrix.shape)
        np.testing.assert_array_equal(matrix, wanted)
    assert len({float(matrix[0, 0]) for matrix in aligner.seen}) == num_tiles


def test_frames_sampled_more_densely_score_with_biases_of_their_own(made):
    """Every dense frame is of the reference; those from 9.5 s on score nothing with their bias."""
    source, other = made.Footage(1, 60.0), made.Footage(2, 60.0)

    def copied(times_s):
        return source.at(times_s + 20.0)

    def at(times_s):
        return np.where((times_s < 10.0)[:, None], copied(times_s), other.at(times_s))

    def denser(interval, rate_hz, view):
        dense = made.describe("q", copied, interval.start_s, interval.end_s, rate_hz, noise=0.0)
        return _biased(dense, np.where(dense.timeline.start_s < 9.5, 0.0, -0.9))

    query = made.describe("q", at, 0.0, 16.0, noise=0.0)
    ref = made.describe("r", source.at, 0.0, 60.0, noise=0.0)

    settings = replace(ALL, refine=True)
    (found,) = align_pair(query, ref, made.tally(query, ref), settings, denser=denser).accepted

    assert found.query.end_s == pytest.approx(9.5, abs=1 / settings.refine_rate_hz)
