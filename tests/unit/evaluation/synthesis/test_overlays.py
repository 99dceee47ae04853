import numpy as np
import pytest

from vcd.evaluation.synthesis.edits import Edit
from vcd.evaluation.synthesis.overlays import OVERLAY_EDITS

GREY = np.full((90, 160, 3), 128, dtype=np.uint8)
WHITE = np.full((60, 60, 3), 255, dtype=np.uint8)


@pytest.mark.parametrize("name", OVERLAY_EDITS)
def test_an_overlay_does_the_same_to_every_frame_of_a_video(name):
    edit = Edit(name=name, seed=3)

    first, second = edit.apply(GREY, WHITE), edit.apply(GREY, WHITE)

    assert np.array_equal(first, second)
    assert not np.array_equal(first, GREY)


@pytest.mark.parametrize("name", OVERLAY_EDITS)
def test_a_single_pixel_survives_every_overlay(name):
    pixel = np.full((1, 1, 3), 90, dtype=np.uint8)

    assert Edit(name=name, seed=3).apply(pixel, pixel).size >= 3


@pytest.mark.parametrize("seed", range(5))
def test_a_sticker_leaves_most_of_the_picture_as_it_is(seed):
    covered = Edit(name="sticker", seed=seed).apply(GREY)

    changed = (covered != GREY).any(axis=2).mean()
    assert covered.shape == GREY.shape
    assert 0.003 < changed < 0.4


@pytest.mark.parametrize("seed", range(5))
def test_a_caption_adds_a_band_and_keeps_the_whole_picture(seed):
    captioned = Edit(name="caption", seed=seed).apply(GREY)

    band = captioned.shape[0] - 90
    assert 0.1 * 90 < band < 0.25 * 90
    assert np.array_equal(captioned[:90], GREY) or np.array_equal(captioned[band:], GREY)


@pytest.mark.parametrize(
    ("picture", "shape"),
    [
        pytest.param(GREY, (180, 160, 3), id="a wide one is stacked"),
        pytest.param(GREY.swapaxes(0, 1), (160, 180, 3), id="a high one is put beside"),
    ],
)
def test_a_stack_shows_two_pictures_of_one_size(picture, shape):
    stacked = Edit(name="stack", seed=1).apply(picture, WHITE)

    assert stacked.shape == shape
    assert (stacked == 255).mean() == (stacked == 128).mean() == 0.5


def test_either_of_the_two_may_come_first():
    firsts = {int(Edit(name="stack", seed=seed).apply(GREY, WHITE)[0, 0, 0]) for seed in range(8)}

    assert firsts == {128, 255}


def test_a_stack_needs_another_picture():
    edit = Edit(name="stack", seed=1)

    assert edit.needs_other
    with pytest.raises(ValueError, match="needs another picture"):
        edit.apply(GREY)
