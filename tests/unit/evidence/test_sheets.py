import hashlib

import numpy as np
import pytest
from PIL import Image

from vcd.core import SetupError
from vcd.evidence import picture_size, resized, write_sheet


def _flat(level, height=20, width=30):
    return np.full((height, width, 3), level, dtype=np.uint8)


def test_pictures_lie_side_by_side_row_by_row(tmp_path):
    levels = [0, 25, 50, 75, 100, 125, 150, 175, 200, 225]

    sheet = write_sheet(
        tmp_path / "s.jpg", [_flat(level) for level in levels], times_s=range(len(levels))
    )

    with Image.open(tmp_path / "s.jpg") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert (sheet.num_columns, sheet.width_px, sheet.height_px) == (8, 30, 20)
    assert pixels.shape == (40, 240, 3)
    shown = [int(pixels[20 * (i // 8) + 10, 30 * (i % 8) + 15, 0]) for i in range(len(levels))]
    assert shown == pytest.approx(levels, abs=2)
    assert sheet.times_s == tuple(map(float, range(10)))
    assert sheet.sha256 == hashlib.sha256((tmp_path / "s.jpg").read_bytes()).hexdigest()


def test_equal_pictures_are_equal_files_without_a_word_about_their_origin(tmp_path):
    for name in ("a.jpg", "b.jpg"):
        write_sheet(tmp_path / name, [_flat(90)], times_s=[0.0])

    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()
    with Image.open(tmp_path / "a.jpg") as picture:
        assert not picture.getexif()


@pytest.mark.parametrize(
    ("size", "small"),
    [
        pytest.param((1920, 1080), (320, 180), id="a film"),
        pytest.param((1080, 1920), (101, 180), id="a portrait"),
        pytest.param((100, 60), (100, 60), id="never enlarged"),
        pytest.param((8000, 100), (720, 9), id="a banner"),
        pytest.param((8192, 1), (720, 1), id="a line"),
        pytest.param((1, 8192), (1, 180), id="a line that stands"),
    ],
)
def test_a_small_picture_has_the_shape_of_the_large_one(size, small):
    assert picture_size(*size, max_height_px=180) == small


def test_a_picture_is_made_smaller_by_averages():
    checks = np.zeros((4, 4, 3), dtype=np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 200

    assert resized(checks, (2, 2)).tolist() == [[[100] * 3] * 2] * 2
    assert resized(checks, (4, 4)) is checks


@pytest.mark.parametrize(
    ("pictures", "times_s"),
    [([], []), ([_flat(1)], [0.0, 1.0]), ([_flat(1), _flat(1, width=9)], [0.0, 1.0])],
    ids=["none", "more times than pictures", "two sizes"],
)
def test_what_makes_no_sheet_is_a_mistake_of_the_caller(pictures, times_s, tmp_path):
    with pytest.raises(ValueError, match=r"s\.jpg"):
        write_sheet(tmp_path / "s.jpg", pictures, times_s=times_s)


def test_a_sheet_that_cannot_be_written_is_our_fault(tmp_path):
    with pytest.raises(SetupError, match=r"s\.jpg: cannot be written"):
        write_sheet(tmp_path / "nowhere" / "s.jpg", [_flat(1)], times_s=[0.0])
