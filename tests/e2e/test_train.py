"""`vcd train` on drawn pictures: it learns, it previews, and it says what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipelines.cli import main

NUM_PICTURES = 400


def draw_picture(seed):
    """Draw a few soft shapes on a coloured ground: no two pictures alike, all of one kind."""
    rng = np.random.default_rng(seed)
    ground = Image.fromarray(rng.integers(90, 166, size=(3, 4, 3), dtype=np.uint8))
    picture = ground.resize((128, 96), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(7):
        left, top, wide, high = (int(value) for value in rng.integers(0, 90, size=4))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        level = tuple(int(value) for value in rng.integers(60, 196, size=3))
        shape((left, top, left + 8 + wide // 2, top + 8 + high // 2), fill=level)
    return picture


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(NUM_PICTURES):
        draw_picture(number).save(folder / f"picture{number:03d}.png")
    return folder


def measured_untrained(photos):
    import torch

    from pipelines import train
    from vcd.descriptors.sscd import build_network
    from vcd.training.data import PackedPhotos, read_held_out

    settings = train.read_settings(Path("configs/smoke.toml"))
    held_out = read_held_out(photos, every=settings.holdout_every, short_px=settings.store_px)
    packed = PackedPhotos(
        names=tuple(str(number) for number in range(len(held_out))),
        levels=np.concatenate([each.ravel() for each in held_out]),
        first=np.cumsum([0, *(each.size for each in held_out)]),
        sizes=np.array([each.shape[:2] for each in held_out]),
    )
    torch.manual_seed(settings.seed)
    network = build_network(settings.trunk, settings.dim).eval()
    return train._measure(packed, settings)(network)["micro_ap"]


@pytest.mark.slow
def test_the_smoke_recipe_learns_well_beyond_the_untrained_network(photos, tmp_path):
    code = main(
        ["train", "--config", "configs/smoke.toml", "--photos", str(photos), "--out", str(tmp_path)]
    )

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert code == 0
    assert [line["step"] for line in lines] == [40, 80, 120]
    assert max(line["micro_ap"] for line in lines) > measured_untrained(photos) + 0.1


def test_the_preview_is_one_picture(photos, tmp_path, capsys):
    given = ["--config", "configs/smoke.toml", "--photos", str(photos), "--out", str(tmp_path)]

    code = main(["train", *given, "--preview"])

    assert code == 0
    with Image.open(capsys.readouterr().out.strip()) as sheet:
        assert sheet.size == (10 * 64, 12 * 64)


@pytest.mark.parametrize(
    ("recipe", "complaint"),
    [
        ("[training]\nspeed = 3\n", "unexpected keyword argument 'speed'"),
        ("[training.loss]\nheat = 3\n", "unexpected keyword argument 'heat'"),
        ("[other]\n", "has no table 'training'"),
        ("not toml", "not a training recipe"),
        ("[training]\nsteps = 0\n", "steps must be at least 1"),
        ("[training]\n", "names no folder of photographs"),
    ],
    ids=["key", "key of a part", "table", "toml", "value", "photos"],
)
def test_a_recipe_that_cannot_work_is_named_with_its_fault(tmp_path, capsys, recipe, complaint):
    file = tmp_path / "mine.toml"
    file.write_text(recipe)

    code = main(["train", "--config", str(file)])

    assert code == 1
    assert complaint in capsys.readouterr().err


def test_a_folder_without_photographs_is_named(tmp_path, capsys):
    code = main(["train", "--config", "configs/smoke.toml", "--photos", str(tmp_path)])

    assert code == 1
    assert f"no photograph in {tmp_path}" in capsys.readouterr().err


def test_one_photograph_is_too_few(tmp_path, capsys):
    draw_picture(0).save(tmp_path / "only.png")

    code = main(["train", "--config", "configs/smoke.toml", "--photos", str(tmp_path)])

    assert code == 1
    assert "1 photographs are too few" in capsys.readouterr().err


def test_a_checkpoint_of_another_trunk_is_refused(photos, tmp_path, capsys):
    import torch

    other = tmp_path / "other.pt"
    torch.save({"average": {"backbone.conv1.weight": torch.zeros(3)}}, other)
    recipe = ["--config", "configs/smoke.toml", "--photos", str(photos), "--out", str(tmp_path)]

    code = main(["train", *recipe, "--start-from", str(other)])

    assert code == 1
    assert "not a checkpoint of resnet18_w32 with 64 dimensions" in capsys.readouterr().err


def test_a_recipe_must_be_given(capsys):
    assert main(["train"]) == 2
    assert "--config configs/smoke.toml" in capsys.readouterr().err
