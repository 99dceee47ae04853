from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vcd.training.batches import make_batch
from vcd.training.contact_sheet import edit_rows, mixed_rows, view_rows
from vcd.training.data import find_photos, pack_photos
from vcd.training.settings import AugmentSettings, TrainingSettings

RECIPES = ["copies", "strong_blur", "advanced", "advanced_video"]


def settings(recipe, *, mixup=0.0):
    return TrainingSettings(
        steps=10,
        sizes_px=(48,),
        size_steps=(0,),
        input_px=96,
        augment=AugmentSettings(recipe=recipe, mixup_probability=mixup),
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(5):
        coarse = Image.fromarray(rng.integers(0, 256, size=(9, 12, 3), dtype=np.uint8))
        coarse.resize((120, 90), Image.Resampling.BICUBIC).save(folder / f"photo{number}.png")
    return pack_photos(find_photos(folder), short_px=96, file=folder / "packed")


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_edit_can_be_seen(photos, recipe):
    for row in edit_rows(photos, settings(recipe)):
        plain, *edited = [cell.pixels.astype(float) for cell in row.cells]

        for pixels in edited:
            assert pixels.shape == plain.shape == (96, 96, 3)
            assert np.abs(pixels - plain).mean() > 0.1, row.name


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_last_of_what_grows_changes_more_than_the_first(photos, recipe):
    growing = {"colours", "padding", "blur", "JPEG", "shrinking", "noise", "partly hidden", "crop"}
    shown = 0
    for row in edit_rows(photos, settings(recipe)):
        plain, weak, _, strong = [cell.pixels.astype(float) for cell in row.cells + row.cells[:2]][
            :4
        ]
        if row.name in growing:
            shown += 1
            assert np.abs(strong - plain).mean() > np.abs(weak - plain).mean(), row.name
    assert shown >= 2


@pytest.mark.parametrize(
    ("recipe", "names"),
    [
        ("copies", {"crop", "mirror", "text and shapes", "padding", "JPEG", "shrinking", "noise"}),
        ("strong_blur", {"crop", "mirror", "brightness", "contrast", "saturation", "hue", "blur"}),
        ("advanced", {"quarter turn", "any turn", "text", "emoji", "crop", "grey", "JPEG"}),
        ("advanced_video", {"emoji", "stacked frame", "picture in picture"}),
    ],
)
def test_every_edit_of_the_recipe_has_a_row(photos, recipe, names):
    assert names <= {row.name for row in edit_rows(photos, settings(recipe))}


def test_an_edit_that_the_recipe_does_not_have_has_no_row(photos):
    names = {row.name for row in edit_rows(photos, settings("strong_blur"))}

    assert not names & {"text", "emoji", "JPEG", "stacked frame"}


def test_whole_views_are_those_of_batches_of_four_steps(photos):
    rows = view_rows(photos, settings("copies", mixup=1.0))

    assert [row.name for row in rows] == list(photos.names)
    captions = [cell.caption for cell in rows[0].cells]
    assert captions[::2] == ["photograph", "second", "second", "second", "second"]
    assert captions[1::2] == [f"step {step}, first" for step in (0, 3, 6, 9)]


def test_mixed_views_say_how_much_is_whose(photos):
    (row,) = mixed_rows(photos, settings("copies", mixup=0.05))

    assert len(row.cells) == 8
    for cell in row.cells:
        own, other = (int(share.rstrip("%")) for share in cell.caption.split(" and "))
        assert own + other in {99, 100, 101}


def test_a_recipe_that_mixes_nothing_shows_no_mixed_views(photos):
    assert mixed_rows(photos, settings("copies")) == []


def test_a_single_photograph_has_a_sheet_too(photos):
    alone = replace(photos, names=photos.names[:1], sizes=photos.sizes[:1])

    assert len(view_rows(alone, settings("advanced"))) == 1
    assert len(edit_rows(alone, settings("advanced_video"))) > 10


def test_whole_views_are_shown_unmixed(photos):
    recipe = settings("copies", mixup=1.0)
    unmixed = replace(settings("copies"), batch_photos=len(photos))
    batch = make_batch(photos, unmixed, 0)

    rows = view_rows(photos, recipe)

    for photo, row in enumerate(rows):
        first = int(np.flatnonzero(batch.photo_V == photo)[0])
        assert np.array_equal(row.cells[1].pixels, batch.views_VHWC[first])
