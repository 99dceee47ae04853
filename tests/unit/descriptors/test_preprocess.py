import numpy as np
import pytest
from PIL import Image

from tests.unit.descriptors.conftest import pictures
from vcd.core import SetupError
from vcd.descriptors import Preprocessing
from vcd.descriptors.preprocess import standardize_pixels


@pytest.mark.parametrize(
    ("name", "size", "wanted"),
    [
        pytest.param("small_288", (720, 1280), (288, 512), id="wide"),
        pytest.param("small_288", (1280, 720), (512, 288), id="upright"),
        pytest.param("small_288", (100, 100), (288, 288), id="small ones grow"),
        pytest.param("small_288", (577, 1025), (288, 511), id="odd: rounded down, as published"),
        pytest.param("small_288", (8, 4000), (288, 2304), id="a thread: squashed to 1:8"),
        pytest.param("skew_320", (720, 1280), (320, 320), id="squashed"),
    ],
)
def test_size_after_preprocessing(name, size, wanted):
    assert Preprocessing.from_name(name).output_size_px(*size) == wanted


@pytest.mark.parametrize("name", ["small_288", "skew_160"])
def test_a_name_says_all_there_is(name):
    assert Preprocessing.from_name(name).name == name


@pytest.mark.parametrize("name", ["center_224", "small_", "skew_0", "small_99999", "small_288x"])
def test_an_unknown_preprocessing_is_refused(name):
    with pytest.raises(SetupError, match="small_N or skew_N"):
        Preprocessing.from_name(name)


def test_pixels_are_those_of_pillows_antialiased_bilinear_filter():
    (frame,) = pictures(1, seed=3, height_px=480, width_px=640)

    resized = Preprocessing.from_name("small_288").resize(frame)

    wanted = Image.fromarray(frame).resize((384, 288), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resized, np.asarray(wanted))


def test_pixels_are_standardized_with_the_statistics_of_imagenet():
    pixels_BHWC = np.array([[[[0, 128, 255]]]], dtype=np.uint8)

    standardized = standardize_pixels(pixels_BHWC)

    wanted = [(0 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(standardized[0, :, 0, 0], wanted, atol=1e-6)
    assert standardized.dtype == np.float32
    assert standardized.flags.c_contiguous
