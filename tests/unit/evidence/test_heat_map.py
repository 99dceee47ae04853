import tracemalloc

import numpy as np
import pytest

from tests.factories import SPACE, make_descriptors, make_match, make_timeline, plant_copy
from vcd.core import Descriptors, DescriptorSpace, Interval, Timeline
from vcd.evidence import heat_map


def _axes(count, dim=SPACE.dim):
    """Frames that are each like themselves only, for as many as there are dimensions."""
    return np.eye(dim, dtype=np.float32)[np.arange(count) % dim]


def _identity(video_id, count):
    return Descriptors.from_frames(video_id, make_timeline(count), _axes(count), SPACE)


def test_a_copy_is_a_line_from_the_earliest_frames_down():
    video = _identity("v", 10)
    match = make_match(query=(0.0, 5.0), ref=(0.0, 5.0))

    found = heat_map(video, video, match, query_view=0, ref_view=0, max_cells=96)

    assert np.array_equal(found.similarity_QR, 255 * np.eye(10, dtype=np.uint8))
    assert found.query == found.ref == Interval(0.0, 5.0)


def test_rows_are_query_time_and_columns_ref_time():
    query, ref = _identity("q", 4), _identity("r", 8)
    match = make_match(query=(0.0, 2.0), ref=(0.0, 4.0))

    found = heat_map(query, ref, match, query_view=0, ref_view=0, max_cells=96)

    assert found.similarity_QR.shape == (4, 8)
    assert found.similarity_QR[3].tolist() == [0, 0, 0, 255, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("stretch", "around"),
    [
        pytest.param((20.0, 60.0), Interval(10.0, 70.0), id="a quarter of its length"),
        pytest.param((40.0, 48.0), Interval(35.0, 53.0), id="five seconds at least"),
        pytest.param((2.0, 98.0), Interval(0.0, 100.0), id="not beyond the ends of the video"),
        pytest.param((40.2, 48.2), Interval(35.0, 53.5), id="whole frames"),
    ],
)
def test_the_surroundings_of_a_match_are_shown_too(stretch, around, rng):
    video = make_descriptors("v", 200, rng)

    found = heat_map(
        video,
        video,
        make_match(query=stretch, ref=(50.0, 51.0)),
        query_view=0,
        ref_view=0,
        max_cells=8,
    )

    assert found.query == around
    assert found.ref == Interval(45.0, 56.0)


def test_a_cell_is_the_largest_similarity_of_its_frames(rng):
    ref = make_descriptors("r", 30, rng)
    query = plant_copy(
        make_descriptors("q", 20, rng), ref, query_frames=(4, 12), ref_frames=(10, 18), rng=rng
    )
    match = make_match(query=(2.0, 6.0), ref=(5.0, 9.0))

    found = heat_map(query, ref, match, query_view=0, ref_view=0, max_cells=5)

    full = np.clip(query.features @ ref.features[:28].T, 0.0, 1.0)
    slow = np.zeros((5, 5))
    for row in range(5):
        for column in range(5):
            columns = [r for r in range(28) if int((r + 0.5) / 28 * 5) == column]
            slow[row, column] = full[row * 4 : row * 4 + 4][:, columns].max()
    assert (found.query, found.ref) == (Interval(0.0, 10.0), Interval(0.0, 14.0))
    assert np.abs(found.similarity_QR / 255 - slow).max() <= 0.5 / 255 + 1e-6


def test_what_was_not_examined_is_dark():
    timeline = Timeline(start_s=np.array([0.0, 0.5, 4.0, 4.5]), end_s=np.array([0.5, 1, 4.5, 5]))
    video = Descriptors.from_frames("v", timeline, _axes(1).repeat(4, axis=0), SPACE)
    match = make_match(query=(0.0, 5.0), ref=(0.0, 5.0))

    found = heat_map(video, video, match, query_view=0, ref_view=0, max_cells=96)

    shown = [True, True, *[False] * 6, True, True]
    assert np.array_equal(found.similarity_QR == 255, np.outer(shown, shown))


def test_the_views_that_matched_are_drawn():
    features = np.concatenate([_axes(3), -_axes(3)])[[0, 3, 1, 4, 2, 5]]
    video = Descriptors(
        video_id="v",
        timeline=make_timeline(3),
        features=features,
        frame=np.array([0, 0, 1, 1, 2, 2], dtype=np.int32),
        view=np.array([0, 1, 0, 1, 0, 1], dtype=np.int16),
        space=SPACE,
    )
    match = make_match(query=(0.0, 1.5), ref=(0.0, 1.5))

    same = heat_map(video, video, match, query_view=1, ref_view=1, max_cells=9)
    opposite = heat_map(video, video, match, query_view=1, ref_view=0, max_cells=9)

    assert np.array_equal(same.similarity_QR, 255 * np.eye(3, dtype=np.uint8))
    assert not opposite.similarity_QR.any()


def test_an_image_is_one_cell():
    image, video = _identity("image", 1), _identity("v", 4)
    match = make_match(query=(0.0, 0.5), ref=(0.0, 0.5))

    found = heat_map(image, video, match, query_view=0, ref_view=0, max_cells=96)

    assert found.similarity_QR.tolist() == [[255, 0, 0, 0]]


@pytest.mark.slow
def test_a_match_of_two_hours_is_drawn_in_bounded_memory(rng):
    space = DescriptorSpace(name="small", dim=4, fingerprint="f")
    video = make_descriptors("v", 14_400, rng, space=space)
    match = make_match(query=(0.0, 7200.0), ref=(0.0, 7200.0))
    tracemalloc.start()

    found = heat_map(video, video, match, query_view=0, ref_view=0, max_cells=8)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.similarity_QR.shape == (8, 8)
    assert peak < 40e6
