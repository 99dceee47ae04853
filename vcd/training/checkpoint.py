"""What a run goes on from, written so that a kill or a full disk leaves the last good one.

A file is written beside the old one, brought to the disk and then renamed over it. Nothing in a
checkpoint is a program: plain tensors, numbers and text, read with ``weights_only=True``.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import torch
from torch import Tensor

from vcd.core.errors import SetupError
from vcd.training.settings import TrainingSettings

__all__ = [
    "Checkpoint",
    "load_checkpoint",
    "photos_text",
    "recipe_text",
    "refuse_other_recipe",
    "save_checkpoint",
]


class Checkpoint(TypedDict):
    """All that decides the next steps and is not a function of their number.

    Attributes:
        step: how many steps are done.
        settings: the recipe, as `recipe_text`.
        photos: what is trained on, as `photos_text`; not there in files of before.
        network: the weights.
        average: their running average, which is what is measured and shipped.
        optimizer: its state.
        bank: earlier descriptors, ``(K, D)``.
        bank_photo: what each of them shows.
        best_micro_ap: of the best epoch so far.
        num_epochs_without_better: since the best one.
        sums: metrics summed over the steps of the epoch that is not over yet, and ``num_steps``.
        metrics: of the last epoch; empty before the first.
        commit: of the code that wrote it; not there where nobody knows.
    """

    step: int
    settings: str
    photos: NotRequired[str]
    network: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, object]
    bank: Tensor
    bank_photo: Tensor
    best_micro_ap: float
    num_epochs_without_better: int
    sums: dict[str, float]
    metrics: dict[str, float]
    commit: NotRequired[str]


def save_checkpoint(checkpoint: Checkpoint, file: Path) -> None:
    """Write a checkpoint whole or not at all.

    Raises:
        SetupError: it cannot be written; the file that was there before is untouched.
    """
    beside = file.with_suffix(".part")
    try:
        with beside.open("wb") as stream:
            torch.save(checkpoint, stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
        _sync_folder(file.parent)
    except (OSError, RuntimeError) as error:  # torch wraps what the stream raises
        beside.unlink(missing_ok=True)
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        raise SetupError(f"{file}: the checkpoint cannot be written ({cause})") from error


def _sync_folder(folder: Path) -> None:
    """Bring the renaming itself to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load_checkpoint(file: Path) -> Checkpoint:
    """Read a checkpoint to the processor's memory.

    Raises:
        SetupError: there is none, it cannot be read, or it holds anything else.
    """
    try:
        loaded: object = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise SetupError(f"{file}: no checkpoint to read ({reason})") from error
    if not isinstance(loaded, dict) or not {"step", "settings", "average"} <= loaded.keys():
        raise SetupError(f"{file}: wanted the checkpoint of a run, got something else")
    return cast("Checkpoint", loaded)


def recipe_text(settings: TrainingSettings) -> str:
    """Write down all settings that decide the weights; where things lie and run do not."""
    plain = replace(
        settings, photos="", start_from="", num_loaders=0, device="auto", patience_epochs=None
    )
    return json.dumps(asdict(plain), sort_keys=True)


def photos_text(names: Sequence[str]) -> str:
    """Say how many photographs there are, and which, by their file names in order.

    The numbers of photographs decide batches and bank, so a run needs the same ones to go on.
    """
    digest = hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()
    return f"{len(names)} photographs (names {digest[:12]})"


def refuse_other_recipe(checkpoint: Checkpoint, settings: TrainingSettings, file: Path) -> None:
    """Let a run be resumed with the same recipe, or with more or fewer steps all at full rate.

    Raises:
        SetupError: any other setting differs; names it.
    """
    before, now = json.loads(checkpoint["settings"]), json.loads(recipe_text(settings))
    untouched = min(before["steps"], settings.steps) - settings.optimizer.decay_steps
    if checkpoint["step"] <= untouched:
        before["steps"] = settings.steps
    differing = [
        f"{name} {before.get(name)} instead of {now.get(name)}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if differing:
        raise SetupError(f"{file} was made with other settings: {'; '.join(differing)}")
