"""`vcd train` that is stopped, killed, short of room, or several processes at once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipelines.cli import main
from tests.e2e import small_training
from tests.house.house import ROOT
from vcd.descriptors import sscd
from vcd.training import loop
from vcd.training.checkpoint import load_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_training.draw_photos(tmp_path_factory.mktemp("world") / "photos")


@pytest.fixture(autouse=True)
def _small_trunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sscd, "TRUNKS", small_training.TRUNKS)
    monkeypatch.setattr(loop, "average_into", vars(loop)["average_into"])


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(small_training.RECIPE)
    return file


@pytest.fixture
def disk(mount_disk: Callable[[str], Path]) -> Path:
    return mount_disk("1m")


def train(recipe: Path, photos: Path, out: Path, *more: str) -> int:
    given = ["--config", str(recipe), "--photos", str(photos), "--out", str(out)]
    return main(["train", *given, *more])


def train_in_two(recipe: Path, photos: Path, out: Path, *, stop: str) -> str:
    """Train with torchrun; its exit code is its own, so what it says is returned."""
    given = ["--config", str(recipe), "--photos", str(photos), "--out", str(out)]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *torchrun, "-m", "tests.e2e.small_training", "train", *given],
        cwd=ROOT,
        env={**os.environ, "SMALL_STOP": stop, "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    return done.stdout + done.stderr


def weights_in(out: Path) -> dict[str, torch.Tensor]:
    checkpoint = load_checkpoint(out / "last.pt")
    assert checkpoint["step"] == 8
    averaged = {f"average of {name}": value for name, value in checkpoint["average"].items()}
    return checkpoint["network"] | averaged


def steps_in(out: Path) -> list[int]:
    text = (out / "metrics.jsonl").read_text()
    return [json.loads(line)["step"] for line in text.splitlines()]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)) == 4096:
                pass
        except OSError:
            return ballast
    return ballast


def test_sigterm_saves_says_how_to_go_on_and_the_run_does(recipe, photos, tmp_path, capsys):
    small_training.terminate_in_step(4)
    code = train(recipe, photos, tmp_path / "cut")
    said = capsys.readouterr()
    whole = train(recipe, photos, tmp_path / "whole")
    resumed = train(recipe, photos, tmp_path / "cut", "--resume")

    assert (code, whole, resumed) == (130, 0, 0)
    assert "saved and stopped at step 5 of 8; the same command with --resume goes on" in said.err
    assert said.out == ""
    assert same(weights_in(tmp_path / "cut"), weights_in(tmp_path / "whole"))


def test_a_run_says_first_what_it_is_going_to_do(recipe, photos, tmp_path, capsys):
    small_training.terminate_in_step(0)

    train(recipe, photos, tmp_path / "out")

    said = capsys.readouterr().err
    assert "small, 8 dimensions, from random weights, in float32; cpu, 1 at once" in said
    assert "photographs to train on, " in said
    assert "8 steps of 16 photographs, so that each is seen" in said
    assert "measured every 4 steps at 32 px" in said
    assert "edits copies, inputs of 24 then 32 px, sgd at 0.02, entropy 0.1" in said


def test_a_full_disk_leaves_the_last_good_checkpoint_to_go_on_from(
    recipe, photos, tmp_path, disk, capsys
):
    small_training.terminate_in_step(2)
    train(recipe, photos, disk / "run")
    good = (disk / "run" / "last.pt").read_bytes()
    ballast = fill(disk)
    full = train(recipe, photos, disk / "run", "--resume")
    said, kept = capsys.readouterr().err, (disk / "run" / "last.pt").read_bytes()
    ballast.unlink()
    resumed = train(recipe, photos, disk / "run", "--resume")
    whole = train(recipe, photos, tmp_path / "whole")

    assert (full, resumed, whole) == (1, 0, 0)
    assert "cannot be written (" in said.splitlines()[-1]
    assert "No space left on device" in said.splitlines()[-1]
    assert kept == good
    assert same(weights_in(disk / "run"), weights_in(tmp_path / "whole"))
    assert steps_in(disk / "run") == [4, 8]


def test_two_processes_stop_together_and_one_goes_on_to_the_weights_of_one_alone(
    recipe, photos, tmp_path
):
    said = train_in_two(recipe, photos, tmp_path / "two", stop="1:5")
    stopped = load_checkpoint(tmp_path / "two" / "last.pt")["step"]
    train(recipe, photos, tmp_path / "two", "--resume")
    train(recipe, photos, tmp_path / "one")

    one, two = weights_in(tmp_path / "one"), weights_in(tmp_path / "two")
    assert stopped == 6, said
    assert said.count("cpu, 2 at once") == 1
    assert said.count("saved and stopped at step 6 of 8") == 1
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], rtol=0.0, atol=1e-5) for name in one)
    assert steps_in(tmp_path / "two") == [4, 8]
