"""What every aligner must do, behind one interface."""

import numpy as np
import pytest

from vcd.align import AlignSettings, DynamicProgramming, HoughVoting, TemporalNetwork, make_aligner

NAMES = ["temporal_network", "hough", "dynamic_programming"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("temporal_network", TemporalNetwork),
        ("hough", HoughVoting),
        ("dynamic_programming", DynamicProgramming),
    ],
)
def test_an_aligner_is_chosen_by_name(name, kind):
    assert isinstance(make_aligner(AlignSettings(aligner=name)), kind)


def test_an_unknown_aligner_is_refused():
    with pytest.raises(ValueError, match="no aligner is called 'guess'"):
        make_aligner(AlignSettings(aligner="guess"))  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("slope", [0.58, 0.8, 1.0, 1.3, 1.75])
@pytest.mark.parametrize("length", [3, 6, 12, 25])
def test_a_planted_copy_is_found_within_a_frame(made, name, slope, length):
    matrix = made.background(45, 80)
    truth = made.plant(matrix, 7, 11, length, slope)

    found = make_aligner(AlignSettings(aligner=name)).align(matrix)

    assert len(found) == 1
    assert np.abs(np.subtract(made.corners(found[0]), truth)).max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_segments_far_apart_are_all_found(made, name):
    matrix = made.background(90, 120)
    truths = [
        made.plant(matrix, 2, 80, 20, 1.5),
        made.plant(matrix, 35, 5, 6, 1.0),
        made.plant(matrix, 62, 30, 25, 0.9),
    ]

    found = make_aligner(AlignSettings(aligner=name)).align(matrix)

    assert np.abs(np.subtract(sorted(map(made.corners, found)), sorted(truths))).max() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_noise_alone_gives_nothing(made, rng, name):
    aligner = make_aligner(AlignSettings(aligner=name))
    noise = [rng.normal(0, 0.1, (50, 70)).astype(np.float32) for _ in range(50)]

    found = [aligner.align(matrix) for matrix in [made.background(60, 60), *noise]]

    assert not any(found)


@pytest.mark.parametrize("name", NAMES)
def test_two_still_shots_give_one_box(name):
    matrix = np.full((60, 80), 0.95, dtype=np.float32)

    assert len(make_aligner(AlignSettings(aligner=name)).align(matrix)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_paths_lie_in_their_boxes_and_on_similar_cells(made, rng, name):
    matrix = rng.normal(0, 0.1, (60, 90)).astype(np.float32)
    made.plant_smooth(matrix, 5, 8, 20, 1.2, rng)
    made.plant_smooth(matrix, 35, 50, 20, 0.8, rng)
    settings = AlignSettings(aligner=name)

    for found in make_aligner(settings).align(matrix):
        q_first, q_stop, r_first, r_stop = made.corners(found)
        rows, cols = found.path.T
        assert (np.diff(rows) > 0).all()
        assert (np.diff(cols) >= 0).all()
        assert (rows[0], rows[-1] + 1, cols[0], cols[-1] + 1) == (q_first, q_stop, r_first, r_stop)
        assert (matrix[rows[[0, -1]], cols[[0, -1]]] >= settings.min_similarity).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (1, 1), (2, 9)])
def test_too_small_a_matrix_gives_nothing(name, shape):
    matrix = np.full(shape, 0.9, dtype=np.float32)

    assert make_aligner(AlignSettings(aligner=name)).align(matrix) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"min_similarity": 0.0}, "min_similarity"),
        ({"min_slope": 1.8}, "wanted a range of slopes"),
        ({"min_frames": 1}, "min_frames must be 2"),
        ({"max_cells": 10}, "too small"),
    ],
    ids=["everything would be evidence", "no speed at all", "a point is no path", "no tile"],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        AlignSettings(**change)
