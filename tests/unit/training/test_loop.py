"""A killed run goes on as if nothing had happened, and a run that cannot go on says why."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from vcd.core.errors import InputError, SetupError
from vcd.training.data import PackedPhotos
from vcd.training.loop import load_checkpoint, standardize_pixels, train
from vcd.training.settings import LossSettings, OptimizerSettings, TrainingSettings

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


def die_in_epoch(killed):
    """Measure until the run is killed while it measures this epoch."""
    epochs = iter(range(1, 100))

    def measure(network):
        if next(epochs) == killed:
            raise KillError
        return {"micro_ap": 0.5}

    return measure


def trained(folder, *, settings=SETTINGS, measure=None, resume=False):
    return train(
        tiny_network,
        photographs(9),
        settings,
        folder=folder,
        measure=measure or rising(),
        resume=resume,
    )


def same_tensors(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("killed_in_epoch", [1, 2, 3])
def test_a_killed_run_resumes_to_the_same_weights_bit_for_bit(tmp_path, killed_in_epoch):
    trained(tmp_path / "whole")
    with pytest.raises(KillError):
        trained(tmp_path / "cut", measure=die_in_epoch(killed_in_epoch))
    trained(tmp_path / "cut", resume=(tmp_path / "cut" / "last.pt").exists())

    whole, cut = (load_checkpoint(tmp_path / run / "last.pt") for run in ("whole", "cut"))
    assert whole["step"] == cut["step"] == SETTINGS.steps
    assert same_tensors(whole["network"], cut["network"])
    assert same_tensors(whole["average"], cut["average"])
    assert torch.equal(whole["bank"], cut["bank"])


def test_another_seed_gives_other_weights(tmp_path):
    trained(tmp_path / "one")
    trained(tmp_path / "other", settings=replace(SETTINGS, seed=2))

    one, other = (load_checkpoint(tmp_path / run / "last.pt") for run in ("one", "other"))
    assert not same_tensors(one["network"], other["network"])


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
    scores = iter([0.2, 0.6, 0.4])

    best = trained(tmp_path, measure=lambda network: {"micro_ap": next(scores)})

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert load_checkpoint(best)["step"] == 4
    assert [line["micro_ap"] for line in lines] == [0.2, 0.6, 0.4]
    assert [line["size_px"] for line in lines] == [16, 20, 20]
    assert {"info_nce", "entropy", "pairs_per_s", "waiting_share"} <= lines[0].keys()


def test_the_averaged_network_is_what_is_measured(tmp_path):
    measured = []

    def keep(network):
        measured.append({name: value.clone() for name, value in network.state_dict().items()})
        assert not network.training
        return {"micro_ap": 0.0}

    trained(tmp_path, measure=keep)

    assert same_tensors(measured[-1], load_checkpoint(tmp_path / "last.pt")["average"])


def test_a_loss_that_is_no_number_stops_the_run_and_names_step_and_files(tmp_path):
    with pytest.raises(InputError, match=r"loss of step 0 is no number.*photo\d.jpg"):
        train(NotANumber, photographs(4), SETTINGS, folder=tmp_path, measure=rising(), resume=False)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_photographs_are_refused(tmp_path, count):
    with pytest.raises(SetupError, match=f"at least 2, got {count}"):
        train(tiny_network, photographs(count), SETTINGS, folder=tmp_path, measure=rising())


def test_a_run_is_not_overwritten(tmp_path):
    trained(tmp_path)

    with pytest.raises(SetupError, match="there is a run in"):
        trained(tmp_path)


def test_a_run_of_other_settings_is_not_resumed(tmp_path):
    trained(tmp_path)

    with pytest.raises(SetupError, match="made with other settings"):
        trained(tmp_path, settings=replace(SETTINGS, seed=5), resume=True)


def test_a_run_made_longer_before_its_rate_falls_is_the_longer_run(tmp_path):
    trained(tmp_path / "whole")
    with pytest.raises(KillError):
        trained(tmp_path / "extended", settings=replace(SETTINGS, steps=4), measure=die_in_epoch(2))
    trained(tmp_path / "extended", resume=True)

    whole, extended = (load_checkpoint(tmp_path / run / "last.pt") for run in ("whole", "extended"))
    assert same_tensors(whole["average"], extended["average"])


def test_a_run_whose_rate_has_fallen_is_not_made_longer(tmp_path):
    trained(tmp_path, settings=replace(SETTINGS, steps=4))

    with pytest.raises(SetupError, match="made with other settings"):
        trained(tmp_path, resume=True)


def test_resuming_where_nothing_is_says_so(tmp_path):
    with pytest.raises(SetupError, match=r"last\.pt: no checkpoint to read"):
        trained(tmp_path, resume=True)


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path, monkeypatch):
    trained(tmp_path, settings=replace(SETTINGS, steps=2))
    good = (tmp_path / "last.pt").read_bytes()

    def full(checkpoint, stream):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(SetupError, match=r"cannot be written.*No space left"):
        _save_again(tmp_path)

    assert (tmp_path / "last.pt").read_bytes() == good
    assert not list(tmp_path.glob("*.part"))


def _save_again(folder):
    from vcd.training import loop

    loop._save(load_checkpoint(folder / "last.pt"), folder / "last.pt")


def test_pixels_are_standardized_with_the_mean_of_imagenet():
    white = torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)

    standardized = standardize_pixels(white)

    assert standardized.shape == (1, 3, 2, 2)
    assert standardized[0, :, 0, 0].tolist() == pytest.approx([2.2489, 2.4286, 2.6400], abs=1e-4)
