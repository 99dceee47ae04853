import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.unit.descriptors.conftest import pictures
from vcd.descriptors import is_uninformative, l2_normalize

WIDTH_PX, HEIGHT_PX = 568, 320
SIZE = (WIDTH_PX, HEIGHT_PX)


def flat(level):
    return Image.new("RGB", SIZE, (level, level, level))


def grainy(level, deviation, seed=0):
    noise = np.random.default_rng(seed).normal(level, deviation, (HEIGHT_PX, WIDTH_PX, 3))
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


def compressed(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def drawn(background, draw):
    image = flat(background)
    draw(ImageDraw.Draw(image))
    return image


def bars(image, *, top=0, left=0):
    draw = ImageDraw.Draw(image)
    if top:
        draw.rectangle((0, 0, WIDTH_PX, top), fill=0)
        draw.rectangle((0, HEIGHT_PX - top, WIDTH_PX, HEIGHT_PX), fill=0)
    if left:
        draw.rectangle((0, 0, left, HEIGHT_PX), fill=0)
        draw.rectangle((WIDTH_PX - left, 0, WIDTH_PX, HEIGHT_PX), fill=0)
    return image


UNINFORMATIVE = {
    "black": flat(0),
    "white": flat(255),
    "one colour": Image.new("RGB", SIZE, (30, 60, 200)),
    "film grain on black": grainy(16, 10),
    "compressed grain": compressed(grainy(16, 6), 30),
    "strongly compressed black": compressed(grainy(2, 3), 10),
    "flat between black bars": bars(flat(200), top=40),
    "flat upright picture": bars(flat(200), left=200),
    "a station's logo on black": drawn(0, lambda d: d.rectangle((500, 20, 540, 35), fill="white")),
    "one thin line on white": drawn(255, lambda d: d.line((50, 50, 500, 250), fill="black")),
    "a circle drawn on white": drawn(255, lambda d: d.ellipse((200, 90, 360, 250), outline=0)),
    "one line of text on black": drawn(
        0, lambda d: d.text((130, 150), "Directed by someone", fill="white", font_size=16)
    ),
    "a title card": drawn(
        0, lambda d: d.text((110, 140), "A FILM BY NOBODY", fill="white", font_size=40)
    ),
    "a sky of hardly two shades": Image.fromarray(
        np.linspace(120, 135, HEIGHT_PX).astype(np.uint8).repeat(WIDTH_PX * 3).reshape(320, 568, 3)
    ),
}

INFORMATIVE = {
    "tiles": Image.fromarray(pictures(1, seed=1, height_px=320, width_px=568)[0]),
    "a disc on white": drawn(255, lambda d: d.ellipse((180, 60, 390, 270), fill=(200, 0, 0))),
    "text between bars": bars(
        drawn(200, lambda d: d.text((200, 150), "THE END", fill=0, font_size=32)), top=40
    ),
    "a night scene": Image.fromarray(
        (pictures(1, seed=2, height_px=320, width_px=568)[0] // 12).astype(np.uint8)
    ),
    "two halves": drawn(0, lambda d: d.rectangle((0, 0, WIDTH_PX, 160), fill=(0, 90, 200))),
    "equally bright halves": drawn(
        0,
        lambda d: (
            d.rectangle((0, 0, WIDTH_PX, 320), fill=(200, 0, 0)),
            d.rectangle((0, 0, 284, 320), fill=(0, 102, 0)),
        ),
    ),
    "a slope from black to white": Image.fromarray(
        np.linspace(0, 255, HEIGHT_PX).astype(np.uint8).repeat(WIDTH_PX * 3).reshape(320, 568, 3)
    ),
}


@pytest.mark.parametrize("side_px", [160, 288])
@pytest.mark.parametrize("name", UNINFORMATIVE)
def test_a_nearly_flat_frame_is_no_evidence(name, side_px):
    resized = UNINFORMATIVE[name].resize((side_px, side_px), Image.Resampling.BILINEAR)

    assert is_uninformative(np.asarray(resized))


@pytest.mark.parametrize("side_px", [160, 288])
@pytest.mark.parametrize("name", INFORMATIVE)
def test_a_frame_with_a_picture_in_it_is_evidence(name, side_px):
    resized = INFORMATIVE[name].resize((side_px, side_px), Image.Resampling.BILINEAR)

    assert not is_uninformative(np.asarray(resized))


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3)])
def test_the_rule_takes_frames_of_any_size(shape):
    assert is_uninformative(np.full(shape, 7, dtype=np.uint8))


def test_rows_become_unit_rows_and_zero_stays_zero():
    rows = np.array([[3.0, 4.0], [0.0, 0.0]], dtype=np.float32)

    unit = l2_normalize(rows)

    np.testing.assert_allclose(unit, [[0.6, 0.8], [0.0, 0.0]])
    assert unit.dtype == np.float32
