import numpy as np
import pytest

from vcd.evaluation import IMAGE_EDITS, Edit, plan_edit


def picture(seed, *, height=80, width=120):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, size=(height // 10, width // 10, 3), dtype=np.uint8)
    return coarse.repeat(10, axis=0).repeat(10, axis=1)


def planned(name, seed=0):
    return plan_edit(name, np.random.default_rng(seed))


@pytest.mark.parametrize("name", IMAGE_EDITS)
def test_a_planned_edit_does_the_same_each_time(name):
    edit = planned(name)

    assert np.array_equal(edit.apply(picture(0), picture(1)), edit.apply(picture(0), picture(1)))


@pytest.mark.parametrize("name", IMAGE_EDITS)
def test_all_frames_of_a_video_keep_one_size(name):
    edit = planned(name)

    shapes = {edit.apply(picture(seed), picture(9)).shape for seed in range(3)}

    assert len(shapes) == 1


@pytest.mark.parametrize("name", [name for name in IMAGE_EDITS if name != "none"])
def test_every_edit_changes_the_picture_and_not_its_input(name):
    original = picture(0)
    before = original.copy()

    edited = planned(name).apply(original, picture(1))

    assert not np.array_equal(edited, original)
    assert np.array_equal(original, before)
    assert edited.dtype == np.uint8


def test_no_edit_is_no_change():
    assert np.array_equal(planned("none").apply(picture(0)), picture(0))


@pytest.mark.parametrize(("name", "area"), [("crop70", 0.7), ("crop45", 0.45)])
def test_a_crop_keeps_its_share_of_the_area(name, area):
    for seed in range(10):
        edited = planned(name, seed).apply(picture(0, height=300, width=400))

        kept = edited.shape[0] * edited.shape[1] / (300 * 400)
        assert kept == pytest.approx(area, abs=0.02)


def test_a_flip_mirrors_left_and_right():
    assert np.array_equal(planned("flip").apply(picture(0)), picture(0)[:, ::-1])


def test_a_quarter_turn_swaps_height_and_width():
    assert planned("rotate90").apply(picture(0)).shape == (120, 80, 3)


def test_shrinking_gives_an_eighth_of_each_side():
    assert planned("shrink8").apply(picture(0)).shape == (10, 15, 3)


def test_an_inset_lies_in_the_other_picture():
    white = np.full((100, 200, 3), 255, dtype=np.uint8)
    black = np.zeros((50, 50, 3), dtype=np.uint8)

    edited = planned("inset").apply(black, white)

    assert edited.shape == white.shape
    assert 0.16 * 0.9 < (edited == 0).mean() < 0.49 * 1.1


def test_an_inset_needs_another_picture():
    edit = planned("inset")

    assert edit.needs_other
    with pytest.raises(ValueError, match="needs another picture"):
        edit.apply(picture(0))


@pytest.mark.parametrize("name", IMAGE_EDITS)
def test_a_single_pixel_survives_every_edit(name):
    pixel = np.full((1, 1, 3), 90, dtype=np.uint8)

    assert planned(name).apply(pixel, pixel).size >= 3


def test_an_unknown_edit_names_the_known_ones():
    with pytest.raises(ValueError, match="no edit 'melt'; there are none, jpeg8"):
        Edit(name="melt", seed=0)
