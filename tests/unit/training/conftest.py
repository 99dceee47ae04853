"""Nine small photographs, as files and packed."""

import numpy as np
import pytest
from PIL import Image

from vcd.training.data import find_photos, pack_photos


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(9):
        pixels = rng.integers(0, 256, size=(40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"photo{number}.png")
    return tmp_path


@pytest.fixture
def photos(folder, tmp_path_factory):
    packed = tmp_path_factory.mktemp("cache") / "packed"
    return pack_photos(find_photos(folder), short_px=32, file=packed)
