"""Matrices too large for one piece."""

import numpy as np
import pytest

from vcd.align import AlignSettings, TemporalNetwork
from vcd.align.frames import FrameView
from vcd.align.tiles import align_tiles

SMALL = AlignSettings(max_cells=10_000)


def _rows(rng, num, made):
    return made.unit(rng.normal(size=(num, 64)))


def _align(made, query, ref, hits, settings=SMALL, aligner=None):
    query_view, ref_view = (FrameView.of(made.from_features("v", each), 0) for each in (query, ref))
    aligner = aligner or TemporalNetwork(settings)
    return align_tiles(query_view, ref_view, np.array(hits), aligner, settings)


class Counting:
    """Counts the tiles that it aligns, and the cells of the largest."""

    def __init__(self, settings):
        self.aligner = TemporalNetwork(settings)
        self.sizes = []

    def align(self, similarity_QR):
        self.sizes.append(similarity_QR.size)
        return self.aligner.align(similarity_QR)


def test_a_segment_across_many_tiles_is_one_match(made, rng):
    ref = _rows(rng, 700, made)
    query = np.concatenate([_rows(rng, 40, made), ref[150:600], _rows(rng, 60, made)])

    found = _align(made, query, ref, [[200, 310]])

    assert [made.corners(box) for box in found] == [(40, 490, 150, 600)]


@pytest.mark.parametrize("slope", [0.6, 1.5])
def test_a_speed_change_across_tiles_is_one_match(made, rng, slope):
    ref = _rows(rng, 700, made)
    shown = 100 + np.round(np.arange(300) * slope).astype(int)
    query = np.concatenate([_rows(rng, 70, made), ref[shown], _rows(rng, 60, made)])

    found = _align(made, query, ref, [[200, int(shown[130])]])

    assert [made.corners(box) for box in found] == [(70, 370, 100, int(shown[-1]) + 1)]


@pytest.mark.parametrize("offset", range(70, 112, 3))
def test_a_short_segment_is_whole_wherever_the_seams_lie(made, rng, offset):
    ref, query = _rows(rng, 400, made), _rows(rng, 400, made)
    query[offset : offset + 6] = ref[offset + 70 : offset + 76]

    found = _align(made, query, ref, [[offset + 2, offset + 72]])

    assert [made.corners(box) for box in found] == [(offset, offset + 6, offset + 70, offset + 76)]


def test_the_result_does_not_depend_on_the_size_of_tiles(made, rng):
    ref = _rows(rng, 500, made)
    query = np.concatenate([ref[300:480], _rows(rng, 30, made), ref[20:200]])
    hits = [[50, 350], [300, 110]]

    found = [
        _align(made, query, ref, hits, AlignSettings(max_cells=cells))
        for cells in (10_000, 30_000, 4_000_000)
    ]
    boxes = [[made.corners(box) for box in each] for each in found]

    assert boxes[0] == boxes[1] == boxes[2] == [(0, 180, 300, 480), (210, 390, 20, 200)]


def test_tiles_without_hits_are_not_computed(made, rng):
    ref, query = _rows(rng, 3000, made), _rows(rng, 3000, made)
    query[1000:1100] = ref[2000:2100]
    counting = Counting(SMALL)

    found = _align(made, query, ref, [[1050, 2050]], SMALL, counting)

    assert [made.corners(box) for box in found] == [(1000, 1100, 2000, 2100)]
    assert max(counting.sizes) <= SMALL.max_cells
    assert len(counting.sizes) < 20


def test_the_number_of_tiles_is_bounded(made, rng):
    same = np.repeat(_rows(rng, 1, made), 2000, axis=0)
    settings = AlignSettings(max_cells=10_000, max_tiles=7)
    counting = Counting(settings)

    _align(made, same, same, [[0, 0], [900, 900]], settings, counting)

    assert len(counting.sizes) == 7


def test_a_long_video_against_a_short_one_has_long_tiles(made, rng):
    ref, query = _rows(rng, 5000, made), _rows(rng, 20, made)
    query[5:15] = ref[4100:4110]

    found = _align(made, query, ref, [[9, 4104]])

    assert [made.corners(box) for box in found] == [(5, 15, 4100, 4110)]
