import logging
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vcd.core.errors import SetupError
from vcd.training.data import (
    batch_of_step,
    find_photos,
    is_held_out,
    load_batches,
    pack_photos,
    ramped,
    read_held_out,
    size_at,
    without_twins,
)
from vcd.training.settings import AugmentSettings, TrainingSettings

SETTINGS = TrainingSettings(
    steps=10, batch_photos=4, sizes_px=(16, 24), size_steps=(0, 5), num_loaders=0
)


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


def test_packed_photographs_are_shrunk_and_keep_their_shape(photos):
    assert len(photos) == 9
    assert {photos[number].shape for number in range(9)} == {(32, 48, 3)}
    assert photos.names[0] == "photo0.png"


def test_a_small_photograph_is_not_enlarged(folder, tmp_path):
    packed = pack_photos(find_photos(folder), short_px=500, file=tmp_path / "packed")

    assert packed[0].shape == (40, 60, 3)


def test_an_unreadable_photograph_is_named_and_left_out(folder, tmp_path, caplog):
    (folder / "broken.jpg").write_bytes(b"not a photograph")

    with caplog.at_level(logging.WARNING):
        packed = pack_photos(find_photos(folder), short_px=32, file=tmp_path / "packed")

    assert len(packed) == 9
    assert "broken.jpg" in caplog.text


def test_only_unreadable_photographs_are_a_set_up_error(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a photograph")

    with pytest.raises(SetupError, match="none of 1 photographs can be read"):
        pack_photos(find_photos(tmp_path), short_px=32, file=tmp_path / "packed")


@pytest.mark.parametrize("mode", ["CMYK", "L", "I;16", "RGBA", "P"])
def test_photographs_of_any_mode_become_rgb(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    Image.new(mode, (20, 10)).save(tmp_path / f"photo.{suffix}")

    packed = pack_photos(find_photos(tmp_path), short_px=32, file=tmp_path / "packed")

    assert packed[0].shape == (10, 20, 3)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(SetupError, match=f"no photograph in {tmp_path}"):
        find_photos(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(SetupError, match=r"no folder of photographs at .*gone"):
        find_photos(tmp_path / "gone")


def test_about_one_name_in_six_is_held_out_and_always_the_same():
    names = [f"photo{number}.jpg" for number in range(6000)]

    held_out = [name for name in names if is_held_out(name, every=6)]

    assert 850 < len(held_out) < 1150
    assert held_out == [name for name in names if is_held_out(name, every=6)]


def test_what_is_read_as_held_out_is_not_trained_on(folder):
    every = 2
    expected = [path for path in find_photos(folder) if is_held_out(path.name, every=every)]

    assert len(read_held_out(folder, every=every)) == len(expected)


def test_a_batch_is_a_function_of_its_step(photos):
    first, again = (batch_of_step(photos, SETTINGS, 7) for _ in range(2))

    assert np.array_equal(first.views_VHWC, again.views_VHWC)
    assert np.array_equal(first.photo_V, again.photo_V)


@pytest.mark.parametrize("num_loaders", [0, 2])
def test_loaders_change_nothing(photos, num_loaders):
    settings = replace(SETTINGS, num_loaders=num_loaders)

    loaded = list(load_batches(photos, settings, 6))

    assert [batch.step for batch in loaded] == [6, 7, 8, 9]
    for batch in loaded:
        direct = batch_of_step(photos, SETTINGS, batch.step)
        assert np.array_equal(batch.views_VHWC, direct.views_VHWC)


def test_hard_edits_replace_second_views_alone(photos):
    steady = AugmentSettings(start_strength=0.0, end_strength=0.0, ramp_steps=0)
    plain = batch_of_step(photos, replace(SETTINGS, augment=steady), 0)
    hard = batch_of_step(photos, replace(SETTINGS, augment=replace(steady, hard_share=1.0)), 0)

    is_changed = (plain.views_VHWC != hard.views_VHWC).any(axis=(1, 2, 3))

    assert not is_changed[:4].any()
    assert is_changed[4:].all()


def test_of_twins_only_the_first_is_kept(photos):
    angles = np.deg2rad(np.arange(9) * 40.0)
    angles[5] = angles[2] + 0.01
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    kept = without_twins(photos, features, similarity=0.95)

    assert kept.names == tuple(name for name in photos.names if name != "photo5.png")
    assert all(
        np.array_equal(kept[photo], photos[photo if photo < 5 else photo + 1]) for photo in range(8)
    )


def test_photographs_unlike_each_other_are_all_kept(photos):
    assert len(without_twins(photos, np.eye(9, dtype=np.float32), similarity=0.5)) == 9


def test_both_views_of_a_photograph_are_in_the_batch(photos):
    batch = batch_of_step(photos, SETTINGS, 0)

    assert len(batch.views_VHWC) == 8
    assert np.array_equal(batch.photo_V[:4], batch.photo_V[4:])


def test_every_photograph_is_seen_once_before_any_is_seen_twice(photos):
    seen = np.concatenate([batch_of_step(photos, SETTINGS, step).photo_V[:4] for step in range(9)])

    for start in range(0, 36, 9):
        assert sorted(seen[start : start + 9]) == list(range(9))


def test_a_batch_larger_than_the_photographs_takes_them_all(photos):
    batch = batch_of_step(photos, replace(SETTINGS, batch_photos=100), 0)

    assert sorted(batch.photo_V[:9]) == list(range(9))


def test_the_size_grows_stage_by_stage():
    assert [size_at(SETTINGS, step) for step in (0, 4, 5, 9)] == [16, 16, 24, 24]


def test_a_ramp_rises_and_stays():
    values = [ramped(1.0, 5.0, step=step, ramp_steps=20) for step in (0, 10, 20, 40)]

    assert values == [1.0, 3.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sizes_px": (16,)}, "1 sizes for 2 first steps"),
        ({"size_steps": (5, 0)}, "must rise from 0"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"batch_photos": 1}, "batch_photos must be at least 2"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(SETTINGS, **change)
