"""A killed run goes on as if nothing had happened, and a run that cannot go on says why."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from vcd.core.errors import InputError, SetupError
from vcd.training.checkpoint import load_checkpoint
from vcd.training.data import PackedPhotos
from vcd.training.loop import Watch, train
from vcd.training.run import begin_run
from vcd.training.settings import (
    AugmentSettings,
    LossSettings,
    OptimizerSettings,
    TrainingSettings,
)

SETTINGS = TrainingSettings(
    dim=4,
    steps=6,
    steps_per_epoch=2,
    batch_photos=4,
    sizes_px=(16, 20),
    size_steps=(0, 2),
    input_px=20,
    bf16=False,
    num_loaders=0,
    loss=LossSettings(bank_rows=12, bank_from_step=1),
    optimizer=OptimizerSettings(learning_rate=1e-2, warmup_steps=2, decay_steps=2),
)


class KillError(Exception):
    """Stands for a kill: nothing catches it."""


def tiny_network():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
        _UnitLength(),
    )


class _UnitLength(nn.Module):
    def forward(self, rows):
        return nn.functional.normalize(rows, dim=1)


class NotANumber(nn.Module):
    """A network that breaks down."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, pixels):
        return torch.full((len(pixels), 4), torch.nan) * self.weight


class OneWeight(nn.Module):
    """Descriptors that depend on their picture and on one weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, pixels):
        shown = pixels.mean(dim=(2, 3))
        rows = torch.cat([shown, self.weight.expand(len(pixels), 1)], dim=1)
        return nn.functional.normalize(rows, dim=1)


class NoPhotographs:
    names = ()

    def __len__(self):
        return 0


def photographs(count):
    rng = np.random.default_rng(0)
    return PackedPhotos(
        names=tuple(f"photo{number}.jpg" for number in range(count)),
        levels=rng.integers(0, 256, size=count * 24 * 24 * 3, dtype=np.uint8),
        first=np.arange(count + 1) * 24 * 24 * 3,
        sizes=np.full((count, 2), 24),
    )


def rising():
    """Every epoch is better than the one before."""
    scores = iter(range(1, 100))
    return lambda network: {"micro_ap": float(next(scores))}


def scored(*scores):
    """Measure what is given, epoch by epoch."""
    left = iter(scores)
    return lambda network: {"micro_ap": next(left)}


def die_in_epoch(killed):
    """Measure until the run is killed while it measures this epoch."""
    epochs = iter(range(1, 100))

    def measure(network):
        if next(epochs) == killed:
            raise KillError
        return {"micro_ap": 0.5}

    return measure


def stop_after(num_steps):
    """Wish to stop once so many steps have been taken."""
    steps = iter(range(1, 1000))
    return lambda: next(steps) >= num_steps


def trained(folder, *, settings=SETTINGS, resume=False, photos=None, build=None, **watch):
    given = {"measure": rising(), "advance": lambda note: None, "wants_stop": lambda: False}
    return train(
        build or tiny_network,
        photographs(9) if photos is None else photos,
        settings,
        folder=folder,
        watch=Watch(**(given | watch)),
        resume=resume,
    )


def last_of(folder):
    return load_checkpoint(folder / "last.pt")


def lines_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same_tensors(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def assert_same_run(one, other):
    assert one["step"] == other["step"] == SETTINGS.steps
    assert same_tensors(one["network"], other["network"])
    assert same_tensors(one["average"], other["average"])
    assert torch.equal(one["bank"], other["bank"])
    assert torch.equal(one["bank_photo"], other["bank_photo"])
    assert one["best_micro_ap"] == other["best_micro_ap"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run without an interruption."""
    folder = tmp_path_factory.mktemp("whole")
    trained(folder)
    return folder


@pytest.mark.parametrize("killed_in_epoch", [1, 2, 3])
def test_a_killed_run_resumes_to_the_same_weights_bit_for_bit(tmp_path, killed_in_epoch):
    trained(tmp_path / "whole", measure=die_in_epoch(None))
    with pytest.raises(KillError):
        trained(tmp_path / "cut", measure=die_in_epoch(killed_in_epoch))
    trained(tmp_path / "cut", resume=True, measure=die_in_epoch(None))

    assert_same_run(last_of(tmp_path / "whole"), last_of(tmp_path / "cut"))


@pytest.mark.parametrize("num_steps", range(1, 6))
def test_a_run_that_is_asked_to_stop_goes_on_from_that_very_step(whole, tmp_path, num_steps):
    measure = rising()
    ending = trained(tmp_path, wants_stop=stop_after(num_steps), measure=measure)
    stopped = last_of(tmp_path)
    trained(tmp_path, resume=True, measure=measure)

    assert (ending.cause, ending.step, stopped["step"]) == ("asked", num_steps, num_steps)
    assert_same_run(last_of(whole), last_of(tmp_path))


def test_the_metrics_of_a_run_that_stopped_are_those_of_one_that_did_not(whole, tmp_path):
    measure = rising()
    trained(tmp_path, wants_stop=stop_after(3), measure=measure)
    trained(tmp_path, resume=True, measure=measure)

    timed = {"time_s", "images_per_s", "waiting_share"}
    stopped, other = (
        [{name: line[name] for name in line.keys() - timed} for line in lines_of(folder)]
        for folder in (tmp_path, whole)
    )
    assert stopped == other


def test_a_wish_to_stop_at_the_last_step_comes_too_late(tmp_path):
    assert trained(tmp_path, wants_stop=stop_after(SETTINGS.steps)).cause == "complete"


@pytest.mark.parametrize(
    "changed",
    [
        {"accumulate_batches": 2},
        {"chunk_views": 3},
        {"num_loaders": 2},
        {"optimizer": replace(SETTINGS.optimizer, name="lars", decays_all=True)},
        {"optimizer": replace(SETTINGS.optimizer, name="sgd", ema_decay=0.0)},
        {"bf16": True},
    ],
    ids=["accumulated", "chunks", "loaders", "lars", "sgd", "bf16"],
)
def test_resuming_is_exact_for_every_kind_of_run(tmp_path, changed):
    settings = replace(SETTINGS, **changed)
    trained(tmp_path / "whole", settings=settings)
    trained(tmp_path / "cut", settings=settings, wants_stop=stop_after(3))
    trained(tmp_path / "cut", settings=settings, resume=True)

    whole, cut = last_of(tmp_path / "whole"), last_of(tmp_path / "cut")
    assert same_tensors(whole["network"], cut["network"])
    assert same_tensors(whole["average"], cut["average"])


def test_dropout_too_is_a_function_of_the_step(tmp_path):
    def build():
        return nn.Sequential(nn.Dropout(0.5), *tiny_network())

    trained(tmp_path / "whole", build=build)
    trained(tmp_path / "cut", build=build, wants_stop=stop_after(3))
    torch.manual_seed(99)
    trained(tmp_path / "cut", build=build, resume=True)

    whole, cut = last_of(tmp_path / "whole"), last_of(tmp_path / "cut")
    assert same_tensors(whole["network"], cut["network"])


def test_gradients_of_accumulated_batches_are_averaged(tmp_path):
    """Two batches of all photographs, unedited, are as one."""
    sgd = OptimizerSettings(name="sgd", learning_rate=1.0, warmup_steps=0, decay_steps=0)
    unedited = AugmentSettings(start_strength=0.0, end_strength=0.0)
    plain = replace(SETTINGS, steps=1, optimizer=sgd, augment=unedited, loss=LossSettings())
    moved = []
    for settings in (plain, replace(plain, accumulate_batches=2)):
        folder = tmp_path / str(settings.accumulate_batches)
        trained(folder, settings=settings, build=OneWeight, photos=photographs(4))
        moved.append(last_of(folder)["network"]["weight"].item() - 1.0)

    assert moved[0] != 0.0
    assert moved[1] == pytest.approx(moved[0], rel=1e-4)


def test_another_seed_gives_other_weights(whole, tmp_path):
    trained(tmp_path, settings=replace(SETTINGS, seed=2))

    assert not same_tensors(last_of(whole)["network"], last_of(tmp_path)["network"])


def test_the_recipe_decides_the_number_of_threads_and_leaves_none_behind(tmp_path):
    before, during = torch.get_num_threads(), []
    torch.set_num_threads(2)  # never more than the smallest machine has cores: spinning stalls

    def count(network):
        during.append(torch.get_num_threads())
        return {"micro_ap": 0.0}

    try:
        trained(tmp_path, settings=replace(SETTINGS, num_threads=1), measure=count)
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)

    assert (set(during), after) == ({1}, 2)


def test_the_best_epoch_is_kept_and_every_epoch_is_logged(tmp_path):
    ending = trained(tmp_path, measure=scored(0.2, 0.6, 0.4))

    lines = lines_of(tmp_path)
    assert ending.best == tmp_path / "best.pt"
    assert load_checkpoint(ending.best)["step"] == 4
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert [line["micro_ap"] for line in lines] == [0.2, 0.6, 0.4]
    assert [line["size_px"] for line in lines] == [16, 20, 20]
    assert [line["learning_rate"] for line in lines] == pytest.approx([0.01, 0.01, 0.005])
    assert lines[0]["gradient_length"] > 0.0
    assert lines[0]["images_per_s"] > 0.0
    assert 0.0 < lines[0]["waiting_share"] < 1.0
    assert {"loss", "info_nce", "entropy", "positive_similarity"} <= lines[0].keys()


def test_an_epoch_is_logged_with_the_mean_over_its_steps(tmp_path):
    notes: list[str] = []

    trained(tmp_path, advance=notes.append)

    losses = [float(note.removeprefix("loss ")) for note in notes]
    means = [(losses[step] + losses[step + 1]) / 2 for step in (0, 2, 4)]
    assert [line["loss"] for line in lines_of(tmp_path)] == pytest.approx(means, abs=1e-3)


def test_the_averaged_network_is_what_is_measured(tmp_path):
    measured = []

    def keep(network):
        measured.append({name: value.clone() for name, value in network.state_dict().items()})
        assert not network.training
        return {"micro_ap": 0.0}

    trained(tmp_path, measure=keep)

    assert same_tensors(measured[-1], last_of(tmp_path)["average"])


def test_a_run_ends_after_as_many_epochs_without_a_better_one_as_the_recipe_says(tmp_path):
    patient = replace(SETTINGS, steps=20, patience_epochs=2)

    ending = trained(tmp_path, settings=patient, measure=scored(0.5, 0.4, 0.6, 0.6, 0.5, 0.9))
    again = trained(tmp_path, settings=patient, measure=scored(), resume=True)

    assert (ending.cause, ending.step) == ("no_better", 10)
    assert (again.cause, again.step) == ("no_better", 10)
    assert load_checkpoint(ending.best)["step"] == 6


def test_a_loss_that_is_no_number_stops_the_run_and_names_step_and_files(tmp_path):
    with pytest.raises(InputError, match=r"loss of step 0 is no number.*photo\d.jpg"):
        trained(tmp_path, build=NotANumber, photos=photographs(4))


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_photographs_are_refused(tmp_path, count):
    with pytest.raises(SetupError, match=f"at least 2, got {count}"):
        trained(tmp_path, photos=photographs(count) if count else NoPhotographs())


def test_a_batch_that_the_processes_cannot_share_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("vcd.training.loop.num_processes", lambda: 3)

    with pytest.raises(SetupError, match="batch of 4 photographs does not divide by 3 processes"):
        trained(tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_run_is_not_overwritten(whole):
    with pytest.raises(SetupError, match="there is a run in"):
        trained(whole)


def test_the_best_weights_of_a_run_are_kept_though_its_last_checkpoint_is_gone(tmp_path):
    trained(tmp_path)
    (tmp_path / "last.pt").unlink()

    with pytest.raises(SetupError, match="there is a run in"):
        trained(tmp_path)

    assert (tmp_path / "best.pt").exists()


def test_a_run_that_has_done_no_step_may_be_begun_again(tmp_path):
    with pytest.raises(InputError):
        trained(tmp_path, build=NotANumber, photos=photographs(4))

    assert trained(tmp_path).cause == "complete"


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"seed": 5}, "seed 1 instead of 5"), ({"trunk": "resnet50"}, "instead of resnet50")],
    ids=["seed", "trunk"],
)
def test_a_run_of_other_settings_is_not_resumed(whole, changed, named):
    with pytest.raises(SetupError, match=f"made with other settings: .*{named}"):
        trained(whole, settings=replace(SETTINGS, **changed), resume=True)


def test_a_run_of_another_network_is_not_resumed(whole):
    with pytest.raises(SetupError, match="made by another network"):
        trained(whole, build=OneWeight, resume=True)


def test_where_photographs_lie_and_who_loads_them_may_change(whole):
    moved = replace(SETTINGS, photos="elsewhere", num_loaders=1, patience_epochs=9, start_from="x")

    assert trained(whole, settings=moved, resume=True).cause == "complete"


def test_a_run_goes_on_with_its_own_photographs_only(whole):
    one_more, renamed = photographs(10), replace(photographs(9), names=tuple("abcdefghi"))

    for photos in (one_more, renamed):
        with pytest.raises(SetupError, match=r"last\.pt was made with 9 photographs .*, got "):
            trained(whole, photos=photos, resume=True)


def test_a_run_made_longer_before_its_rate_falls_is_the_longer_run(whole, tmp_path):
    with pytest.raises(KillError):
        trained(tmp_path, settings=replace(SETTINGS, steps=4), measure=die_in_epoch(2))
    trained(tmp_path, resume=True)

    assert same_tensors(last_of(whole)["average"], last_of(tmp_path)["average"])


def test_an_epoch_that_was_cut_short_counts_its_own_steps_when_the_run_is_made_longer(tmp_path):
    flat = replace(SETTINGS, optimizer=replace(SETTINGS.optimizer, decay_steps=0))
    notes: list[str] = []
    trained(tmp_path, settings=replace(flat, steps=3))

    trained(tmp_path, settings=flat, resume=True, advance=notes.append)

    of_fourth_step = float(notes[0].removeprefix("loss "))
    line = next(line for line in lines_of(tmp_path) if line["step"] == 4)
    assert line["loss"] == pytest.approx(of_fourth_step, abs=1e-3)


def test_a_run_whose_rate_has_fallen_is_not_made_longer(tmp_path):
    trained(tmp_path, settings=replace(SETTINGS, steps=4))

    with pytest.raises(SetupError, match=r"made with other settings: .*steps 4 instead of 6"):
        trained(tmp_path, resume=True)


def test_resuming_where_nothing_is_says_so(tmp_path):
    with pytest.raises(SetupError, match=r"last\.pt: no checkpoint to read"):
        trained(tmp_path, resume=True)


def test_a_folder_that_cannot_be_made_is_named_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SetupError, match="no folder can be made there"):
        trained(tmp_path / "file" / "run", advance=lambda note: pytest.fail("a step was taken"))


def test_a_compiled_network_keeps_its_names():
    network = begin_run(tiny_network, replace(SETTINGS, compile_network=True)).network

    assert network._compiled_call_impl is not None
    assert network.state_dict().keys() == tiny_network().state_dict().keys()
