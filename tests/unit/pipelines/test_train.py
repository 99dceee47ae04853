"""Recipes are what they say they are, and a run begins with the weights that it names."""

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch

from pipelines.train import read_settings
from pipelines.train_start import (
    choose_device,
    first_network,
    load_photos,
    without_near_duplicates,
)
from tests.house.house import ROOT
from vcd.core.errors import SetupError
from vcd.training.data import PackedPhotos, is_held_out
from vcd.training.settings import (
    AugmentSettings,
    LossSettings,
    OptimizerSettings,
    TrainingSettings,
)

NO_PHOTOS = PackedPhotos(
    names=(),
    levels=np.empty(0, dtype=np.uint8),
    first=np.zeros(1, dtype=np.int64),
    sizes=np.empty((0, 2), dtype=np.int64),
)

SMALL = TrainingSettings(trunk="resnet18_w32", dim=16, input_px=32)


def recipe(name):
    return read_settings(ROOT / f"configs/{name}.toml")


def published(edits, *, steps_per_epoch=244, mixup=0.0, trunk="resnet50", dim=512):
    steps = 100 * steps_per_epoch
    return TrainingSettings(
        trunk=trunk,
        dim=dim,
        steps=steps,
        steps_per_epoch=steps_per_epoch,
        batch_photos=4096,
        chunk_views=256,
        sizes_px=(224,),
        size_steps=(0,),
        input_px=288,
        store_px=288,
        holdout_every=1000,
        bf16=False,
        num_loaders=10,
        augment=AugmentSettings(recipe=edits, mixup_probability=mixup),
        loss=LossSettings(temperature=0.05, start_entropy=30.0, end_entropy=30.0, ramp_steps=0),
        optimizer=OptimizerSettings(
            name="lars",
            momentum=0.9,
            learning_rate=0.3 * 4096 / 256,
            weight_decay=1e-6,
            decays_all=True,
            warmup_steps=5 * steps_per_epoch,
            starts_at_zero=True,
            decay_steps=95 * steps_per_epoch,
            max_gradient_norm=inf,
            ema_decay=0.0,
        ),
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sscd_disc_blur", published("strong_blur")),
        ("sscd_disc_advanced", published("advanced")),
        ("sscd_disc_mixup", published("advanced", mixup=0.05)),
        (
            "sscd_disc_large",
            published("advanced", mixup=0.05, trunk="resnext101_32x4d", dim=1024),
        ),
        ("sscd_imagenet_blur", published("strong_blur", steps_per_epoch=312)),
        ("sscd_imagenet_advanced", published("advanced", steps_per_epoch=312)),
        ("sscd_imagenet_mixup", published("advanced", steps_per_epoch=312, mixup=0.05)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_published_recipe_has_the_published_numbers(name, expected):
    assert recipe(name) == expected


def test_fine_tuning_begins_with_the_official_weights_in_their_shape():
    settings = recipe("finetune_official")

    assert settings.start_from == "sscd_disc_mixup"
    assert (settings.trunk, settings.dim) == ("resnet50", 512)


def test_official_weights_that_are_not_here_are_named_with_the_way_to_get_them(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("VCD_CACHE", str(tmp_path))

    with pytest.raises(SetupError, match="fetch it with `vcd models pull sscd_disc_mixup`"):
        first_network(replace(SMALL, start_from="sscd_disc_mixup"))


@pytest.fixture(scope="module")
def other():
    """A network with other random weights than the next one built."""
    torch.manual_seed(7)
    return first_network(SMALL)


def saved(folder, kind, network):
    file, state = folder / f"start{kind}", network.state_dict()
    if kind == ".safetensors":
        from safetensors.torch import save_file

        save_file({name: value.contiguous() for name, value in state.items()}, file)
    elif kind == ".classy.pt":
        names = {name: name.replace("backbone.fc.", "embeddings.1.") for name in state}
        torch.save({names[name]: value for name, value in state.items()}, file)
    elif kind == ".pt":
        torch.save({"step": 1, "settings": "{}", "average": state}, file)
    else:
        torch.save(state, file)
    return file


@pytest.mark.parametrize(
    "kind", [".pt", ".torchvision.pt", ".classy.pt", ".safetensors", "-weights.pt"]
)
def test_a_run_starts_from_a_checkpoint_or_a_weights_file(tmp_path, other, kind):
    file = saved(tmp_path, kind, other)

    network = first_network(replace(SMALL, start_from=str(file)))

    given, taken = other.state_dict(), network.state_dict()
    assert all(torch.equal(taken[name], given[name]) for name in given)


def test_a_run_starts_from_the_bundled_weights():
    settings = replace(SMALL, dim=256, start_from="vcd_compact")

    state, again = (first_network(settings).state_dict() for _ in range(2))

    assert torch.equal(state["backbone.fc.weight"], again["backbone.fc.weight"])
    assert len(state["backbone.bn1.running_var"].unique()) > 1


@pytest.mark.parametrize(
    "changed", [{"trunk": "resnet18"}, {"trunk": "regnet_x_400mf"}, {"dim": 32}], ids=str
)
def test_weights_of_another_network_are_refused(tmp_path, other, changed):
    file = saved(tmp_path, ".pt", other)
    settings = replace(SMALL, start_from=str(file), **changed)
    wanted = f"{settings.trunk} with {settings.dim} dimensions"

    with pytest.raises(SetupError, match=rf"start\.pt: wanted weights of {wanted}, got other"):
        first_network(settings)


def test_weights_that_lack_something_are_refused(tmp_path):
    torch.save({"backbone.conv9.weight": torch.zeros(2)}, tmp_path / "start.pt")

    with pytest.raises(SetupError, match=r"without \['backbone.conv1.*with \['backbone.conv9"):
        first_network(replace(SMALL, start_from=str(tmp_path / "start.pt")))


def test_a_file_that_is_no_weights_file_is_named(tmp_path):
    (tmp_path / "start.pt").write_text("not weights")

    with pytest.raises(SetupError, match=r"start\.pt: not a file of named tensors"):
        first_network(replace(SMALL, start_from=str(tmp_path / "start.pt")))


def test_near_duplicates_cannot_be_seen_without_weights():
    with pytest.raises(SetupError, match="twin_similarity needs a network to see twins with"):
        without_near_duplicates(NO_PHOTOS, replace(SMALL, twin_similarity=0.6))


@pytest.mark.parametrize("asked", ["auto", "cpu"])
def test_without_a_gpu_a_run_is_on_the_processor(monkeypatch, asked):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert choose_device(replace(SMALL, device=asked)) == "cpu"


def test_a_gpu_that_is_not_there_is_asked_for_in_vain(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(SetupError, match="finds no CUDA device"):
        choose_device(replace(SMALL, device="cuda"))


def test_photographs_are_decoded_into_a_file_that_leaves_nothing_behind(
    tmp_path, monkeypatch, photo_folder
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    training, held_out = load_photos(replace(SMALL, photos=str(photo_folder), holdout_every=2))

    assert len(training) + len(held_out) == 8
    assert training[0].shape == (6, 8, 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("num_training", [0, 1])
def test_photographs_that_are_nearly_all_held_out_are_too_few(tmp_path, num_training):
    wanted = [True] * 3 + [False] * num_training
    write_photos(tmp_path, wanted)

    with pytest.raises(SetupError, match=f"to measure with, got {num_training} and 3$"):
        load_photos(replace(SMALL, photos=str(tmp_path), holdout_every=2))


def test_held_out_photographs_that_cannot_be_read_do_not_count(tmp_path):
    held_out = write_photos(tmp_path, [True, True, False, False])[0]
    held_out.write_bytes(b"no picture")

    with pytest.raises(SetupError, match=r"2 to measure with, got 2 and 1$"):
        load_photos(replace(SMALL, photos=str(tmp_path), holdout_every=2))


def write_photos(folder, are_held_out):
    """Write photographs whose names are held out or not, one in two, as asked."""
    from PIL import Image

    files, number = [], 0
    for is_wanted in are_held_out:
        while is_held_out(f"photo{number}.png", every=2) != is_wanted:
            number += 1
        files.append(folder / f"photo{number}.png")
        Image.new("RGB", (8, 6), (number, 0, 0)).save(files[-1])
        number += 1
    return files


@pytest.fixture
def photo_folder(tmp_path_factory):
    from PIL import Image

    folder: Path = tmp_path_factory.mktemp("photos")
    for number in range(8):
        Image.new("RGB", (8, 6), (number, 0, 0)).save(folder / f"picture{number}.png")
    return folder
