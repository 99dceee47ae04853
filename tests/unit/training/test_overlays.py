import numpy as np
import pytest
from PIL import Image

from vcd.training import overlays
from vcd.training.fonts import load_faces, open_font
from vcd.training.overlays import draw_emoji, draw_text

GREY = 127


def grey(size=(90, 60)):
    return Image.new("RGB", size, (GREY, GREY, GREY))


def changed(picture, size=(90, 60)):
    """Say which pixels are no longer grey."""
    assert picture.size == size
    return (np.asarray(picture, int) != GREY).any(axis=2)


def extent(is_changed):
    """Height and width of the box around what is changed."""
    rows, columns = np.flatnonzero(is_changed.any(axis=1)), np.flatnonzero(is_changed.any(axis=0))
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


@pytest.mark.parametrize("draw", [draw_text, draw_emoji])
def test_an_overlay_is_a_function_of_its_generator_and_leaves_its_picture_alone(draw):
    picture = grey()

    first, again = (draw(picture, np.random.default_rng(4)) for _ in range(2))

    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert changed(first).any()
    assert not changed(picture).any()


@pytest.mark.parametrize("draw", [draw_text, draw_emoji])
def test_overlays_are_anywhere_in_the_picture(draw):
    seen = np.zeros((60, 90))
    for seed in range(150):
        seen += changed(draw(grey(), np.random.default_rng(seed)))

    quarters = seen.reshape(2, 30, 2, 45).sum(axis=(1, 3))

    assert quarters.min() > 0.4 * quarters.max()


def test_font_sizes_are_a_tenth_to_three_tenths_of_the_short_side(monkeypatch):
    heights = []

    def noted(file, height_px):
        heights.append(height_px)
        return open_font(file, height_px)

    monkeypatch.setattr(overlays, "open_font", noted)

    for seed in range(100):
        draw_text(grey((300, 200)), np.random.default_rng(seed))

    assert 20 <= min(heights) < 22
    assert 57 < max(heights) < 60
    assert np.mean(heights) == pytest.approx(39.5, abs=2.5)


def test_texts_are_of_any_length_that_fits():
    widths = [
        extent(changed(draw_text(grey(), np.random.default_rng(seed), opacities=(1.0, 1.0))))[1]
        for seed in range(60)
    ]

    assert min(widths) < 20
    assert 80 < max(widths) <= 90


def test_what_fits_is_found_as_by_trying_every_length():
    for seed in range(15):
        rng = np.random.default_rng(seed)
        face = load_faces()[seed % len(load_faces())]
        text = "".join(map(chr, rng.choice(face.codes, size=40)))
        font = open_font(face.file, 12)
        boxes = [font.getbbox(text[:length]) for length in range(41)]
        fits = [box[2] - box[0] <= 90 and box[3] - box[1] <= 60 for box in boxes]

        found = overlays._num_fitting(font, text, (90, 60))

        assert fits[found]
        assert found == 40 or not fits[found + 1]


def test_a_text_has_one_colour_and_its_opacity():
    solid = draw_text(grey(), np.random.default_rng(4), opacities=(1.0, 1.0))
    faint = draw_text(grey(), np.random.default_rng(4), opacities=(0.25, 0.25))

    full, quarter = (np.abs(np.asarray(text, int) - GREY).max() for text in (solid, faint))

    assert quarter == pytest.approx(full / 4, abs=1.5)


def test_opacities_are_a_tenth_to_one(monkeypatch):
    masks = []

    def noted(picture, ink, mask, place):
        masks.append(mask)
        return picture

    monkeypatch.setattr(overlays, "_laid_over", noted)

    for seed in range(80):
        draw_text(grey(), np.random.default_rng(seed))

    opacities = [mask.getextrema()[1] / 255 for mask in masks if mask.getextrema()[1]]
    assert 0.1 < np.quantile(opacities, 0.05) < 0.2
    assert 0.9 < max(opacities) <= 1.0


def test_emoji_are_a_tenth_to_half_of_the_largest_that_fits():
    sides = [
        max(extent(changed(draw_emoji(grey((240, 200)), np.random.default_rng(seed)), (240, 200))))
        for seed in range(60)
    ]

    assert min(sides) >= 0.1 * 200 - 3
    assert 80 < max(sides) <= 0.5 * 240
    assert 40 < np.mean(sides) < 75


def test_an_emoji_has_a_bright_inside_and_dark_lines():
    emoji = np.asarray(
        draw_emoji(grey(), np.random.default_rng(2), sizes=(0.9, 0.9), opacities=(1.0, 1.0)), int
    )

    levels = emoji[changed(Image.fromarray(emoji.astype(np.uint8)))]
    assert (levels.max(axis=1) > 240).mean() > 0.2
    assert (levels.max(axis=1) < 60).mean() > 0.05


@pytest.mark.parametrize("draw", [draw_text, draw_emoji])
@pytest.mark.parametrize("size", [(1, 1), (5000, 1), (1, 5000), (3, 3)])
def test_a_picture_too_small_for_it_is_left_as_it_is(draw, size):
    for seed in range(20):
        assert draw(grey(size), np.random.default_rng(seed)).size == size
