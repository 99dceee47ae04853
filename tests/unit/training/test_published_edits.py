from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from torchvision.transforms import functional

from vcd.training import published_edits
from vcd.training.published_edits import as_jpeg, jittered, random_crop, shifted_hue


def picture(seed=0, *, width=60, height=40):
    pixels = np.random.default_rng(seed).integers(0, 256, size=(height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def boxes(width, height, *, num=2000):
    rng = np.random.default_rng(0)
    areas = published_edits.CROP_AREAS
    drawn = [published_edits._random_box(width, height, areas, rng) for _ in range(num)]
    left, top, right, bottom = np.array(drawn).T
    return left, top, right, bottom


def test_crops_keep_eight_to_a_hundred_percent_of_the_area():
    left, top, right, bottom = boxes(1200, 900)
    shares = (right - left) * (bottom - top) / (1200 * 900)

    assert 0.079 < shares.min() < 0.1
    assert 0.95 < shares.max() <= 1.0
    assert 0.40 < shares.mean() < 0.47  # large boxes often do not fit and are drawn again


def test_crops_are_between_three_to_four_and_four_to_three():
    left, top, right, bottom = boxes(1200, 900)
    aspects = (right - left) / (bottom - top)

    assert aspects.min() == pytest.approx(3 / 4, abs=0.01)
    assert aspects.max() == pytest.approx(4 / 3, abs=0.01)
    assert np.log(aspects).mean() == pytest.approx(0.0, abs=0.05)


def test_crops_are_anywhere():
    left, top, right, bottom = boxes(1200, 900)

    assert left.min() == top.min() == 0
    assert (right.max(), bottom.max()) == (1200, 900)
    assert (left > 600).any()
    assert (top > 450).any()


@pytest.mark.parametrize(
    ("size", "box"),
    [((5000, 1), (2499, 0, 2500, 1)), ((1, 5000), (0, 2499, 1, 2500)), ((1, 1), (0, 0, 1, 1))],
)
def test_where_no_box_fits_the_middle_is_taken(size, box):
    found = {tuple(map(int, found)) for found in zip(*boxes(*size, num=20), strict=True)}

    assert {(right - left, bottom - top) for left, top, right, bottom in found} == {(1, 1)}
    assert box in found


def test_a_crop_is_cut_and_squashed_as_torchvision_does():
    rng = np.random.default_rng(3)
    left, top, right, bottom = published_edits._random_box(
        60, 40, published_edits.CROP_AREAS, np.random.default_rng(3)
    )

    cropped = random_crop(picture(), 24, rng)

    expected = functional.resized_crop(
        picture(), top, left, bottom - top, right - left, [24, 24], antialias=True
    )
    assert ImageChops.difference(cropped, expected).getbbox() is None


@pytest.mark.parametrize("turn", [-0.2, -0.013, 0.0, 0.1, 0.2])
def test_the_hue_is_shifted_as_torchvision_does(turn):
    expected = functional.adjust_hue(picture(), turn)

    assert (
        ImageChops.difference(shifted_hue(picture(), int(turn * 255)), expected).getbbox() is None
    )


def test_jitter_is_the_four_edits_of_torchvision_in_random_order():
    orders = set()
    for seed in range(60):
        rng, same = np.random.default_rng(seed), np.random.default_rng(seed)
        brightness, contrast, saturation = same.uniform(0.2, 1.8, size=3)
        turn = same.uniform(-0.2, 0.2)
        order = same.permutation(4).tolist()
        steps = [
            partial(functional.adjust_brightness, brightness_factor=brightness),
            partial(functional.adjust_contrast, contrast_factor=contrast),
            partial(functional.adjust_saturation, saturation_factor=saturation),
            partial(functional.adjust_hue, hue_factor=turn),
        ]
        expected = picture(seed)
        for step in order:
            expected = steps[step](expected)
        orders.add(tuple(order))

        difference = ImageChops.difference(jittered(picture(seed), rng), expected)

        assert difference.getbbox() is None
    assert len(orders) > 15


def test_worse_qualities_lose_more_and_nought_is_the_worst():
    smooth = picture(width=6, height=4).resize((64, 64), Image.Resampling.BICUBIC)

    losses = [
        np.abs(np.asarray(as_jpeg(smooth, quality), int) - np.asarray(smooth)).mean()
        for quality in (100, 50, 10, 1, 0)
    ]

    assert losses == sorted(losses)
    assert losses[3] == losses[4] > 3 * losses[0]


def test_the_random_numbers_of_torch_are_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()

    jittered(picture(), np.random.default_rng(0))

    assert torch.equal(torch.get_rng_state(), before)
