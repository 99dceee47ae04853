"""`vcd train` on drawn pictures: it learns, it previews, and it says what is wrong."""

import json
from dataclasses import replace
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

    from pipelines.train import read_settings
    from pipelines.train_measure import disc_measure
    from pipelines.train_start import first_network, load_photos

    settings = replace(read_settings(Path("configs/smoke.toml")), photos=str(photos))
    _, held_out = load_photos(settings)
    torch.manual_seed(settings.seed)
    network = first_network(settings).eval()
    measure = disc_measure(held_out, input_px=settings.input_px, tell=lambda line: None)
    return measure(network)["micro_ap"]


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
        assert sheet.format == "PNG"
        assert min(sheet.size) > 500


@pytest.mark.parametrize(
    ("recipe", "complaint"),
    [
        ("[training]\nspeed = 3\n", "unknown setting training.speed; [training] knows photos,"),
        ("[training.loss]\nheat = 3\n", "unknown setting training.loss.heat; [training.loss]"),
        ("[training]\nloss = 3\n", "training.loss: wanted a table of settings, got 3"),
        ("[other]\n", "not a training recipe: wanted [training], found other"),
        ("[training]\n[media]\n", "wanted [training], found training, media"),
        ("", "not a training recipe: wanted [training], found nothing"),
        ("not toml", "not a training recipe"),
        ("[training]\nsteps = 'many'\n", "[training]: steps: Input should be a valid integer"),
        ("[training.optimizer]\nname = 'adam'\n", "optimizer.name: Input should be 'adamw'"),
        ("[training]\nsteps = 0\n", "steps must be at least 1"),
        ("[training]\n", "names no folder of photographs"),
    ],
    ids=[
        "key",
        "key of a part",
        "part",
        "table",
        "two tables",
        "empty",
        "toml",
        "kind",
        "choice",
        "value",
        "photos",
    ],
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
    assert "2 to measure with, got 1 and 0" in capsys.readouterr().err


def test_a_recipe_must_be_given(capsys):
    assert main(["train"]) == 2
    assert "--config configs/smoke.toml" in capsys.readouterr().err
