"""A checkpoint is written whole or not at all, and read without running anything."""

import pickle
from dataclasses import replace

import pytest
import torch

from tests.fault.disk_steps import Countdown, before_each_step, run_out_of_space
from vcd.core.errors import SetupError
from vcd.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    recipe_text,
    refuse_other_recipe,
    save_checkpoint,
)
from vcd.training.settings import OptimizerSettings, TrainingSettings

SETTINGS = TrainingSettings(optimizer=OptimizerSettings(decay_steps=100, max_gradient_norm=9.0))


def checkpoint_at(step):
    return Checkpoint(
        step=step,
        settings=recipe_text(SETTINGS),
        network={"weight": torch.full((1000,), float(step))},
        average={"weight": torch.full((1000,), float(step))},
        optimizer={},
        bank=torch.zeros(0, 4),
        bank_photo=torch.zeros(0, 2, dtype=torch.int64),
        best_micro_ap=0.5,
        num_epochs_without_better=0,
        sums={"loss": 1.0},
        metrics={"micro_ap": 0.5},
    )


class Program:
    """What a hostile pickle does when it is read."""

    def __reduce__(self):
        return (pytest.fail, ("a checkpoint was run",))


def test_what_is_written_is_read_back(tmp_path):
    save_checkpoint(checkpoint_at(7), tmp_path / "last.pt")

    read = load_checkpoint(tmp_path / "last.pt")

    assert read["step"] == 7
    assert read["sums"] == {"loss": 1.0}
    assert torch.equal(read["network"]["weight"], torch.full((1000,), 7.0))
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_a_disk_that_is_full_at_any_step_leaves_the_last_good_checkpoint(tmp_path):
    file = tmp_path / "last.pt"
    save_checkpoint(checkpoint_at(1), file)
    said: list[str] = []
    while True:
        countdown = Countdown(len(said), run_out_of_space)
        try:
            with before_each_step(countdown):
                save_checkpoint(checkpoint_at(2), file)
        except SetupError as error:
            said.append(str(error))
        else:
            break
        assert load_checkpoint(file)["step"] in (1, 2)
        assert [each.name for each in tmp_path.iterdir()] == ["last.pt"]

    assert len(said) >= 4
    assert all("last.pt: the checkpoint cannot be written" in each for each in said)
    assert all("No space left" in each for each in said)
    assert load_checkpoint(file)["step"] == 2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no checkpoint to read"),
        (b"half a file", "no checkpoint to read"),
        (pickle.dumps(Program()), "no checkpoint to read"),
    ],
    ids=["empty", "damaged", "program"],
)
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content, complaint):
    (tmp_path / "last.pt").write_bytes(content)

    with pytest.raises(SetupError, match=rf"last\.pt: {complaint}"):
        load_checkpoint(tmp_path / "last.pt")


def test_a_program_inside_of_a_checkpoint_is_not_run(tmp_path):
    torch.save(checkpoint_at(1) | {"metrics": Program()}, tmp_path / "last.pt")

    with pytest.raises(SetupError, match=r"last\.pt: no checkpoint to read"):
        load_checkpoint(tmp_path / "last.pt")


def test_weights_alone_are_no_checkpoint(tmp_path):
    torch.save({"backbone.fc.weight": torch.zeros(2)}, tmp_path / "weights.pt")

    with pytest.raises(SetupError, match="wanted the checkpoint of a run"):
        load_checkpoint(tmp_path / "weights.pt")


@pytest.mark.parametrize(
    "changed",
    [{"photos": "x"}, {"start_from": "x"}, {"num_loaders": 9}, {"device": "cpu"}],
    ids=["photos", "start", "loaders", "device"],
)
def test_what_decides_no_weight_is_no_part_of_the_recipe(changed):
    assert recipe_text(replace(SETTINGS, **changed)) == recipe_text(SETTINGS)


def test_every_setting_that_differs_is_named(tmp_path):
    other = replace(SETTINGS, dim=64, optimizer=replace(SETTINGS.optimizer, momentum=0.5))

    with pytest.raises(SetupError, match=r"dim 256 instead of 64; optimizer .*'momentum': 0\.5"):
        refuse_other_recipe(checkpoint_at(1), other, tmp_path)


@pytest.mark.parametrize("steps", [4900, 9000])
def test_the_number_of_steps_may_change_before_the_rate_falls(tmp_path, steps):
    refuse_other_recipe(checkpoint_at(4800), replace(SETTINGS, steps=steps), tmp_path)


@pytest.mark.parametrize(("done", "steps"), [(4801, 4900), (4901, 9000)])
def test_the_number_of_steps_may_not_change_once_the_rate_falls(tmp_path, done, steps):
    with pytest.raises(SetupError, match=f"steps 5000 instead of {steps}"):
        refuse_other_recipe(checkpoint_at(done), replace(SETTINGS, steps=steps), tmp_path)
