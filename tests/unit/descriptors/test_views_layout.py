import numpy as np
import pytest
from PIL import Image

from tests.unit.descriptors.moving_pictures import HEIGHT_PX, WIDTH_PX, footage, with_inset
from vcd.descriptors.views_edges import GRID_CELLS, grey_grid
from vcd.descriptors.views_layout import Layout, find_layout


def layout_of(frames_THWC):
    return find_layout(np.stack([grey_grid(frame) for frame in frames_THWC]))


def in_pixels(cells, *, height_px=HEIGHT_PX, width_px=WIDTH_PX):
    across, down = width_px / GRID_CELLS, height_px / GRID_CELLS
    return np.array(
        [cells.left * across, cells.top * down, cells.right * across, cells.bottom * down]
    )


@pytest.mark.parametrize("seed", range(4))
def test_moving_footage_is_not_taken_apart(seed):
    assert layout_of(footage(4, seed)) == Layout()


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((60, 50, 200, 150), id="in the middle"),
        pytest.param((180, 120, 320, 240), id="in a corner, so that two sides do not show"),
        pytest.param((33, 0, 171, 101), id="at the upper border"),
        pytest.param((201, 97, 281, 157), id="a quarter of each side"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_an_inset_is_found_within_a_cell_and_a_half(box, seed):
    found = layout_of(with_inset(4, box, seed=seed)).inset

    assert found is not None
    np.testing.assert_allclose(in_pixels(found), box, atol=1.5 * WIDTH_PX / GRID_CELLS)


def test_one_frame_has_an_inset_too():
    box = (60, 50, 200, 150)

    found = layout_of(with_inset(1, box)).inset

    assert found is not None
    np.testing.assert_allclose(in_pixels(found), box, atol=4)


def test_a_rectangle_that_wanders_is_no_inset():
    frames = [
        with_inset(4, (20 + 30 * n, 30 + 20 * n, 140 + 30 * n, 120 + 20 * n))[n] for n in range(4)
    ]

    assert layout_of(np.stack(frames)).inset is None


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        pytest.param((30, 210), (0, 320), (0, 30, 320, 210), id="letterbox"),
        pytest.param((0, 240), (80, 240), (80, 0, 240, 240), id="pillarbox"),
        pytest.param((60, 180), (64, 256), (64, 60, 256, 180), id="all around"),
        pytest.param((0, 240), (40, 320), (40, 0, 320, 240), id="one side"),
    ],
)
@pytest.mark.parametrize("level", [0, 130])
def test_borders_of_one_colour_are_cut_off(rows, columns, expected, level):
    frames = footage(4, 5)
    kept = frames[:, rows[0] : rows[1], columns[0] : columns[1]].copy()
    frames[:] = level
    frames[:, rows[0] : rows[1], columns[0] : columns[1]] = kept

    found = layout_of(frames)

    assert found.has_borders
    np.testing.assert_allclose(in_pixels(found.inner), expected, atol=WIDTH_PX / GRID_CELLS + 0.5)


def test_borders_within_borders_of_another_colour_are_cut_off():
    frames = footage(4, 5)
    frames[:, :40] = frames[:, 200:] = 0
    frames[:, :, :50] = frames[:, :, 270:] = 200

    found = layout_of(frames).inner

    np.testing.assert_allclose(in_pixels(found), (50, 40, 270, 200), atol=3)


@pytest.mark.parametrize("is_upright", [False, True])
def test_a_blurred_frame_is_cut_off(is_upright):
    sharp = footage(4, 6)
    blurred = np.stack(
        [
            np.asarray(
                Image.fromarray(frame).resize((5, 4), Image.Resampling.BOX).resize((320, 240))
            )
            for frame in footage(4, 7)
        ]
    )
    box = (90, 0, 230, 240) if is_upright else (0, 60, 320, 180)
    left, top, right, bottom = box
    blurred[:, top:bottom, left:right] = sharp[:, top:bottom, left:right]

    found = layout_of(blurred)

    assert found.has_borders
    np.testing.assert_allclose(in_pixels(found.inner), box, atol=4)


def test_borders_that_are_there_for_one_frame_alone_are_none():
    frames = footage(4, 5)
    frames[2, :40] = 0

    assert not layout_of(frames).has_borders


@pytest.mark.parametrize("level", [0, 200])
def test_a_flat_picture_has_no_borders(level):
    assert layout_of(np.full((4, 240, 320, 3), level, dtype=np.uint8)) == Layout()


@pytest.mark.parametrize(
    ("seam_px", "is_upright"), [(160, True), (120, False), (90, True), (70, False)]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_stack_is_taken_apart_at_its_seam(seam_px, is_upright, seed):
    frames, other = footage(4, seed), footage(4, seed + 20)
    if is_upright:
        frames[:, :, seam_px:] = other[:, :, seam_px:]
    else:
        frames[:, seam_px:] = other[:, seam_px:]

    seam = layout_of(frames).seam

    assert seam is not None
    first, second = (in_pixels(cells) for cells in seam)
    end = 2 if is_upright else 3
    np.testing.assert_allclose([first[end], second[end - 2]], seam_px, atol=4)
    assert first[0] == first[1] == 0
    assert (second[2], second[3]) == (WIDTH_PX, HEIGHT_PX)


def test_the_seam_of_a_stack_between_borders_is_found():
    frames, other = footage(4, 1), footage(4, 21)
    frames[:, :, 160:] = other[:, :, 160:]
    frames[:, :30] = frames[:, 210:] = 0

    seam = layout_of(frames).seam

    assert seam is not None
    np.testing.assert_allclose(in_pixels(seam[0]), (0, 30, 160, 210), atol=4)


@pytest.mark.parametrize(("height_px", "width_px"), [(1, 1), (2, 300), (300, 2), (16, 16)])
def test_tiny_frames_are_looked_at_without_trouble(height_px, width_px):
    found = layout_of(np.zeros((1, height_px, width_px, 3), dtype=np.uint8))

    assert found == Layout()


def test_frames_are_unchanged():
    grey = np.stack([grey_grid(frame) for frame in with_inset(4, (60, 50, 200, 150))])
    before = grey.copy()

    find_layout(grey)

    np.testing.assert_array_equal(grey, before)
