"""The temporal network on planted matrices."""

import time

import numpy as np
import pytest

from vcd.align import AlignSettings, TemporalNetwork
from vcd.align.nodes import Nodes

SLOPES = [0.58, 0.67, 0.75, 0.9, 1.0, 1.1, 1.25, 1.43, 1.5, 1.75]


def test_the_planted_copy_of_the_fact_sheet_begins_where_it_begins(made):
    matrix = made.background(45, 60)
    truth = made.plant(matrix, 20, 30, 10)

    found = TemporalNetwork().align(matrix)

    assert [made.corners(box) for box in found] == [truth]


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("length", [3, 4, 5, 6, 9, 17, 30])
def test_a_copy_of_any_length_and_speed_is_found_to_the_frame(made, slope, length):
    matrix = made.background(45, 80)
    truth = made.plant(matrix, 7, 11, length, slope)

    found = TemporalNetwork().align(matrix)

    assert [made.corners(box) for box in found] == [truth]


@pytest.mark.parametrize("slope", SLOPES)
def test_noise_moves_no_bound_by_more_than_a_frame(made, rng, slope):
    for length in (3, 6, 12, 25):
        matrix = rng.normal(0, 0.1, (45, 80)).astype(np.float32)
        truth = made.plant(matrix, 9, 13, length, slope, rng.uniform(0.6, 0.9, length))

        found = TemporalNetwork().align(matrix)

        assert len(found) == 1
        assert np.abs(np.subtract(made.corners(found[0]), truth)).max() <= 1


@pytest.mark.parametrize("slope", SLOPES)
def test_similar_neighbours_move_no_bound_by_more_than_a_frame(made, rng, slope):
    for length in (8, 14, 25):
        matrix = rng.normal(0, 0.08, (50, 80)).astype(np.float32)
        truth = made.plant_smooth(matrix, 9, 13, length, slope, rng)

        found = TemporalNetwork().align(matrix)

        assert len(found) == 1
        assert np.abs(np.subtract(made.corners(found[0]), truth)).max() <= 1


def test_nothing_is_found_where_nothing_is_planted(made, rng):
    aligner = TemporalNetwork()
    noise = [rng.normal(0, 0.1, (60, 60)).astype(np.float32) for _ in range(200)]

    found = [aligner.align(matrix) for matrix in [made.background(60, 60), *noise]]

    assert not any(found)


def test_several_segments_in_any_order_are_told_apart(made):
    matrix = made.background(90, 120)
    truths = [
        made.plant(matrix, 2, 80, 20, 1.5),
        made.plant(matrix, 30, 5, 3, 1.0),
        made.plant(matrix, 40, 40, 15, 0.67),
        made.plant(matrix, 62, 12, 25, 0.9),
    ]

    found = TemporalNetwork().align(matrix)

    assert sorted(made.corners(box) for box in found) == sorted(truths)


def test_a_stretch_that_the_ref_repeats_is_found_in_both_places(made):
    matrix = made.background(40, 90)
    truths = [made.plant(matrix, 5, 8, 25), made.plant(matrix, 5, 60, 25)]

    found = TemporalNetwork().align(matrix)

    assert sorted(made.corners(box) for box in found) == truths


@pytest.mark.parametrize("slope", [0.58, 1.0, 1.75])
def test_a_gap_of_seven_frames_is_bridged(made, slope):
    matrix = made.background(45, 80)
    truth = made.plant(matrix, 8, 6, 25, slope, missing=range(9, 16))

    found = TemporalNetwork().align(matrix)

    assert [made.corners(box) for box in found] == [truth]


def test_a_gap_of_eight_frames_parts_two_segments(made):
    matrix = made.background(45, 80)
    made.plant(matrix, 8, 6, 26, missing=range(9, 17))

    found = TemporalNetwork().align(matrix)

    assert sorted(made.corners(box) for box in found) == [(8, 17, 6, 15), (25, 34, 23, 32)]


def test_a_jump_of_the_ref_parts_two_segments(made):
    matrix = made.background(60, 90)
    truths = [made.plant(matrix, 5, 10, 15), made.plant(matrix, 20, 30, 15)]

    found = TemporalNetwork().align(matrix)

    assert sorted(made.corners(box) for box in found) == truths


@pytest.mark.parametrize("shape", [(60, 60), (60, 200), (200, 60), (400, 60), (3, 400)])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_two_still_shots_give_one_box(rng, shape, noise):
    matrix = rng.normal(0.9, noise, shape).astype(np.float32)

    found = TemporalNetwork().align(matrix)

    assert len(found) == 1
    box = found[0].box
    assert min(box.q_stop - box.q_first, box.r_stop - box.r_first) >= 0.9 * min(shape)


def test_two_still_shots_of_one_length_match_from_end_to_end(made, rng):
    matrix = rng.normal(0.9, 0.03, (60, 60)).astype(np.float32)

    found = TemporalNetwork().align(matrix)

    assert [made.corners(box) for box in found] == [(0, 60, 0, 60)]


def test_a_slide_show_gives_one_box(made):
    slide = np.repeat(np.arange(5), 12)
    matrix = np.where(slide[:, None] == slide, 0.93, 0.05).astype(np.float32)

    found = TemporalNetwork().align(matrix)

    assert [made.corners(box) for box in found] == [(0, 60, 0, 60)]


def test_a_copy_before_a_frozen_frame_keeps_its_bounds(made):
    matrix = made.background(90, 60)
    truth = made.plant(matrix, 4, 10, 30)
    matrix[34:80, 39] = 0.9

    found = TemporalNetwork().align(matrix)

    assert np.abs(np.subtract(made.corners(found[0]), truth)).max() <= 3


@pytest.mark.parametrize("fill", ["alike", "half of the cells"])
def test_a_crowded_tile_is_done_in_seconds(rng, fill):
    matrix = np.full((1000, 1000), 0.95, dtype=np.float32)
    if fill != "alike":
        matrix = rng.normal(0.35, 0.1, matrix.shape).astype(np.float32)

    started_s = time.process_time()
    found = TemporalNetwork().align(matrix)

    assert time.process_time() - started_s < 5.0
    assert len(found) <= AlignSettings().max_segments


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (1, 9), (2, 2)])
def test_a_matrix_too_small_for_a_path_has_none(shape):
    assert TemporalNetwork().align(np.full(shape, 0.9, dtype=np.float32)) == []


def test_the_matrix_is_not_changed(made):
    matrix = made.background(30, 30)
    made.plant(matrix, 5, 5, 10)
    before = matrix.copy()
    matrix.flags.writeable = False

    TemporalNetwork().align(matrix)

    assert np.array_equal(matrix, before)


def brute_force_longest_path(matrix, settings):
    """The longest path by trying, for each node, every node before it."""
    nodes = [(q, r) for q, r in np.argwhere(matrix >= settings.min_similarity).tolist()]
    best: dict[tuple[int, int], float] = {}
    for q, r in nodes:
        arriving = 0.0
        for (q0, r0), length in best.items():
            dq, dr = q - q0, r - r0
            fits = settings.min_slope * dq - 1 <= dr <= settings.max_slope * dq + 1
            if 0 < dq <= settings.max_step_frames and dr >= 0 and fits:
                skew = settings.skew_penalty * abs(dr - dq)
                arriving = max(arriving, length - settings.gap_penalty * (dq - 1) - skew)
        weight = (matrix[q, r] - settings.min_similarity) / (1 - settings.min_similarity)
        best[q, r] = arriving + weight + 1e-3
    return [best[node] for node in nodes]


@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
def test_path_lengths_equal_those_of_brute_force(rng, density):
    settings = AlignSettings()
    for _ in range(10):
        matrix = rng.uniform(0.2, 1.0, (14, 17)).astype(np.float32)
        matrix[rng.uniform(size=matrix.shape) > density] = 0.0

        value, _ = TemporalNetwork(settings)._solve(Nodes(matrix, settings))

        assert np.allclose(value, brute_force_longest_path(matrix, settings), atol=1e-4)
