"""The published aligner: the boxes that a graph library finds, quirks included."""

import numpy as np
import pytest

from tests.plain_network import plain_published_boxes
from tests.unit.align.conftest import background, plant, plant_smooth
from vcd.align import AlignSettings, PublishedNetwork, PublishedNetworkSettings, make_aligner

VCSL = PublishedNetworkSettings()
VSC2022 = PublishedNetworkSettings(max_step=5, min_length=4)
CHOICES = [
    pytest.param(VCSL, id="vcsl"),
    pytest.param(VSC2022, id="vsc2022"),
    pytest.param(
        PublishedNetworkSettings(max_step=5, min_length=3, top_k=2, max_path=200, min_sim=0.1),
        id="third place",
    ),
]


def _boxes(matrix, settings):
    """Inclusive corners ``(q_min, r_min, q_max, r_max)``."""
    return [
        (box.q_first, box.r_first, box.q_stop - 1, box.r_stop - 1)
        for box in (scored.box for scored in PublishedNetwork(settings).align(matrix))
    ]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(VCSL, [(11, 21, 29, 39)], id="vcsl"),
        pytest.param(VSC2022, [(16, 27, 29, 39)], id="vsc2022"),
    ],
)
def test_a_planted_copy_is_found_too_early_as_published(settings, expected):
    matrix = background(45, 60)
    plant(matrix, 20, 30, 10)

    assert _boxes(matrix, settings) == expected


@pytest.mark.parametrize("settings", CHOICES)
@pytest.mark.parametrize("seed", range(12))
def test_random_matrices_give_the_boxes_of_the_graph_library(settings, seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40, 2))
    matrix = rng.normal(0.1, 0.2, shape).astype(np.float32)

    assert _boxes(matrix, settings) == plain_published_boxes(matrix, settings)


@pytest.mark.parametrize("settings", CHOICES)
@pytest.mark.parametrize("seed", range(6))
def test_planted_copies_give_the_boxes_of_the_graph_library(settings, seed):
    rng = np.random.default_rng(100 + seed)
    matrix = rng.normal(0, 0.1, (50, 60)).astype(np.float32)
    plant_smooth(matrix, 3, 5, 12, 1.2, rng)
    plant_smooth(matrix, 25, 20, 18, 0.8, rng)

    found = _boxes(matrix, settings)

    assert len(found) >= 1
    assert found == plain_published_boxes(matrix, settings)


@pytest.mark.parametrize("levels", [2, 3], ids=["black and white", "three levels"])
@pytest.mark.parametrize("seed", range(8))
def test_ties_are_broken_as_the_graph_library_breaks_them(levels, seed):
    rng = np.random.default_rng(seed)
    matrix = (rng.integers(0, levels, (20, 24)) / levels).astype(np.float32)
    if seed == 0:
        matrix[:] = 0.5

    assert _boxes(matrix, VSC2022) == plain_published_boxes(matrix, VSC2022)


def test_nothing_similar_gives_nothing():
    assert _boxes(background(30, 40), VCSL) == []


def test_the_very_last_node_belongs_to_no_path():
    matrix = np.zeros((10, 10), dtype=np.float32)
    np.fill_diagonal(matrix, 0.5)
    only_the_best = PublishedNetworkSettings(max_step=5, min_length=4, top_k=1)

    assert _boxes(matrix, only_the_best) == [(0, 0, 8, 8)]


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 1), (1, 9), (9, 1)])
def test_a_matrix_without_room_for_a_path_gives_nothing(shape):
    assert _boxes(np.full(shape, 0.9, dtype=np.float32), VSC2022) == []


def test_the_settings_choose_the_published_network_by_name():
    matrix = background(45, 60)
    plant(matrix, 20, 30, 10)
    settings = AlignSettings(aligner="vcsl_temporal_network", published_network=VSC2022)

    (found,) = make_aligner(settings).align(matrix)

    assert (found.box.q_first, found.box.r_first) == (16, 27)


def test_the_score_is_what_the_path_is_accepted_by():
    matrix = np.zeros((10, 10), dtype=np.float32)
    np.fill_diagonal(matrix, 0.5)

    (found,) = PublishedNetwork(VSC2022).align(matrix)

    # The last cell ends paths and belongs to none: nine cells of 0.5 over eight steps.
    # Ten cells; lengths are last index less first.
    assert found.score == pytest.approx(10 * 0.5 / 9)
    assert found.path.tolist() == [[i, i] for i in range(10)]


@pytest.mark.parametrize("changes", [{"min_sim": -0.1}, {"min_sim": 1.0}, {"max_iou": 0.0}])
def test_limits_that_no_similarity_can_meet_are_refused(changes):
    with pytest.raises(ValueError, match="wanted min_sim"):
        PublishedNetworkSettings(**changes)


@pytest.mark.parametrize("changes", [{"max_step": 1}, {"top_k": 0}, {"min_length": -1}])
def test_counts_that_make_no_path_are_refused(changes):
    with pytest.raises(ValueError, match="max_step must be 2 or more"):
        PublishedNetworkSettings(**changes)
