import numpy as np
import pytest
from PIL import Image

from pipelines.train_preview import write_preview
from vcd.core.errors import SetupError
from vcd.training.settings import AugmentSettings, TrainingSettings


@pytest.fixture
def settings(tmp_path, rng):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        pixels = rng.integers(0, 256, size=(20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"photo{number}.png")
    return TrainingSettings(
        photos=str(folder),
        steps=10,
        sizes_px=(16,),
        size_steps=(0,),
        input_px=16,
        augment=AugmentSettings(recipe="strong_blur", mixup_probability=0.05),
    )


def test_the_sheet_is_one_picture(settings, tmp_path):
    path = write_preview(settings, tmp_path / "new" / "out")

    assert path == tmp_path / "new" / "out" / "preview.png"
    with Image.open(path) as sheet:
        assert sheet.width > 1000
        assert sheet.height > 1000


def test_the_same_recipe_gives_the_same_sheet(settings, tmp_path):
    first, again = (write_preview(settings, tmp_path / name).read_bytes() for name in "ab")

    assert first == again


def test_a_folder_that_cannot_be_written_is_named(settings, tmp_path):
    (tmp_path / "out").write_text("a file")

    with pytest.raises(SetupError, match=r"out: the contact sheet cannot be written"):
        write_preview(settings, tmp_path / "out")


def test_an_unreadable_photograph_does_not_stop_the_sheet(settings, tmp_path):
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"")

    assert write_preview(settings, tmp_path / "out").exists()
