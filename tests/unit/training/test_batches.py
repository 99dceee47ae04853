from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from vcd.core.errors import SetupError
from vcd.training.batches import load_batches, make_batch, ramped, size_at
from vcd.training.data import find_photos, pack_photos
from vcd.training.fonts import load_faces
from vcd.training.settings import AugmentSettings, TrainingSettings

SETTINGS = TrainingSettings(
    steps=10, batch_photos=4, sizes_px=(16, 24), size_steps=(0, 5), num_loaders=0
)
RECIPES = ["copies", "strong_blur", "advanced", "advanced_video"]


def with_recipe(recipe, *, mixup=0.0, **changes):
    augment = AugmentSettings(recipe=recipe, mixup_probability=mixup)
    return replace(SETTINGS, augment=augment, **changes)


def test_a_batch_is_a_function_of_its_step(photos):
    first, again = (make_batch(photos, SETTINGS, 7) for _ in range(2))

    assert np.array_equal(first.views_VHWC, again.views_VHWC)
    assert np.array_equal(first.photo_V, again.photo_V)


@pytest.mark.parametrize("num_loaders", [0, 2])
def test_loaders_change_nothing(photos, num_loaders):
    settings = replace(SETTINGS, num_loaders=num_loaders)

    loaded = list(load_batches(photos, settings, 6))

    assert [batch.step for batch in loaded] == [6, 7, 8, 9]
    for batch in loaded:
        direct = make_batch(photos, SETTINGS, batch.step)
        assert np.array_equal(batch.views_VHWC, direct.views_VHWC)


def test_hard_edits_replace_second_views_alone(photos):
    steady = AugmentSettings(start_strength=0.0, end_strength=0.0, ramp_steps=0)
    plain = make_batch(photos, replace(SETTINGS, augment=steady), 0)
    hard = make_batch(photos, replace(SETTINGS, augment=replace(steady, hard_share=1.0)), 0)

    is_changed = (plain.views_VHWC != hard.views_VHWC).any(axis=(1, 2, 3))

    assert not is_changed[:4].any()
    assert is_changed[4:].all()


def test_both_views_of_a_photograph_are_in_the_batch(photos):
    batch = make_batch(photos, SETTINGS, 0)

    assert len(batch.views_VHWC) == 8
    assert np.array_equal(batch.photo_V[:4], batch.photo_V[4:])


def test_every_photograph_is_seen_once_before_any_is_seen_twice(photos):
    seen = np.concatenate([make_batch(photos, SETTINGS, step).photo_V[:4] for step in range(9)])

    for start in range(0, 36, 9):
        assert sorted(seen[start : start + 9]) == list(range(9))


def test_a_batch_larger_than_the_photographs_takes_them_all(photos):
    batch = make_batch(photos, replace(SETTINGS, batch_photos=100), 0)

    assert sorted(batch.photo_V[:9]) == list(range(9))


def test_the_size_grows_stage_by_stage():
    assert [size_at(SETTINGS, step) for step in (0, 4, 5, 9)] == [16, 16, 24, 24]


def test_a_ramp_rises_and_stays():
    values = [ramped(1.0, 5.0, step=step, ramp_steps=20) for step in (0, 10, 20, 40)]

    assert values == [1.0, 3.0, 5.0, 5.0]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_gives_two_different_views_and_always_the_same(photos, recipe):
    first, again = (make_batch(photos, with_recipe(recipe), 9) for _ in range(2))

    assert first.views_VHWC.shape == (8, 24, 24, 3)
    assert np.array_equal(first.views_VHWC, again.views_VHWC)
    assert (first.views_VHWC[:4] != first.views_VHWC[4:]).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("num_processes", [2, 3, 4])
def test_the_parts_of_all_processes_are_the_batch_of_one(photos, recipe, num_processes):
    settings = with_recipe(recipe, mixup=0.5, batch_photos=7)
    whole = make_batch(photos, settings, 3)

    parts = [
        make_batch(photos, settings, 3, process=process, num_processes=num_processes)
        for process in range(num_processes)
    ]

    for field in ("views_VHWC", "photo_V", "mixed_photo_V", "share_V"):
        halves = [np.split(getattr(part, field), 2) for part in parts]
        joined = np.concatenate([half[side] for side in (0, 1) for half in halves])
        assert np.array_equal(joined, getattr(whole, field)), field


def test_without_mixing_every_view_is_all_its_own(photos):
    batch = make_batch(photos, SETTINGS, 0)

    assert np.array_equal(batch.mixed_photo_V, batch.photo_V)
    assert (batch.share_V == 1.0).all()
    assert batch.mixed_photo_V.dtype == np.int64
    assert batch.share_V.dtype == np.float32


@pytest.mark.parametrize("recipe", RECIPES)
def test_mixing_changes_mixed_views_alone(photos, recipe):
    plain = make_batch(photos, with_recipe(recipe, batch_photos=9), 1)
    mixed = make_batch(photos, with_recipe(recipe, mixup=0.5, batch_photos=9), 1)

    is_mixed = mixed.share_V < 1.0

    assert 3 < is_mixed.sum() < 15
    assert np.array_equal(plain.views_VHWC[~is_mixed], mixed.views_VHWC[~is_mixed])
    assert (plain.views_VHWC != mixed.views_VHWC).any(axis=(1, 2, 3))[is_mixed].all()


def test_a_view_is_mixed_with_the_one_as_far_from_the_other_end(photos):
    batch = make_batch(photos, with_recipe("copies", mixup=1.0), 0)

    assert np.array_equal(batch.mixed_photo_V, batch.photo_V[::-1])
    assert ((batch.share_V > 0.0) & (batch.share_V < 1.0)).all()


def test_a_step_that_accumulates_has_several_batches_of_its_own_size(photos):
    settings = replace(SETTINGS, accumulate_batches=2)

    loaded = list(load_batches(photos, settings, 4))

    assert [batch.step for batch in loaded] == [4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9]
    assert [batch.views_VHWC.shape[1] for batch in loaded[:4]] == [16, 16, 24, 24]
    assert not np.array_equal(loaded[0].photo_V, loaded[1].photo_V)


def test_loaders_make_the_part_of_their_process(photos):
    loaded = next(load_batches(photos, SETTINGS, 2, process=1, num_processes=2))

    direct = make_batch(photos, SETTINGS, 2, process=1, num_processes=2)
    assert np.array_equal(loaded.views_VHWC, direct.views_VHWC)


def test_a_recipe_with_text_does_not_start_without_its_fonts(photos, monkeypatch):
    def refuse(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(resources, "files", refuse)
    load_faces.cache_clear()

    with pytest.raises(SetupError, match="pip install manimgx-fonts"):
        load_batches(photos, with_recipe("advanced"), 0)
    assert next(load_batches(photos, with_recipe("strong_blur"), 0)).step == 0


def test_one_photograph_makes_a_batch_of_two_views(folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("cache") / "packed"
    photos = pack_photos(find_photos(folder)[:1], short_px=32, file=file)

    assert len(make_batch(photos, with_recipe("advanced_video", mixup=1.0), 0).photo_V) == 2
