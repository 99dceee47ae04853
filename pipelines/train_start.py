"""What a training run begins with: its network, and its photographs, decoded once a machine."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.train_measure import described, squashed
from vcd.core.errors import SetupError
from vcd.descriptors import BUNDLED_NAME, WeightsCache, bundled_card
from vcd.training.data import PackedPhotos, find_photos, is_held_out, pack_photos, without_twins
from vcd.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["choose_device", "first_network", "load_photos", "without_near_duplicates"]


def choose_device(settings: TrainingSettings) -> Literal["cpu", "cuda"]:
    """Say where the network runs.

    Raises:
        SetupError: a GPU is asked for, and there is none.
    """
    import torch

    if settings.device == "cpu" or (settings.device == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise SetupError("training.device is cuda, and torch finds no CUDA device on this machine")
    return "cuda"


def first_network(settings: TrainingSettings) -> "nn.Module":
    """Build the network with random weights or with those that the recipe starts from.

    Raises:
        SetupError: they cannot be read, or are those of another trunk or dimension.
    """
    from vcd.descriptors.sscd import build_network

    network = build_network(settings.trunk, settings.dim)
    if not settings.start_from:
        return network
    wanted = f"{settings.trunk} with {settings.dim} dimensions"
    refusal = f"{settings.start_from}: wanted weights of {wanted}"
    try:
        missing, unknown = network.load_state_dict(_weights(settings.start_from), strict=False)
    except RuntimeError as error:
        raise SetupError(f"{refusal}, got other shapes") from error
    lacking = [name for name in missing if not name.endswith(".num_batches_tracked")]
    if lacking or unknown:
        raise SetupError(f"{refusal}, got weights without {lacking[:2]} and with {unknown[:2]}")
    return network


def _weights(start: str) -> "dict[str, Tensor]":
    """Read the averaged weights of a run, shipped ones, or those of a weights file."""
    from vcd.descriptors.programs import PROGRAM_SUFFIXES, open_program
    from vcd.descriptors.weights import locate_weights

    if start == BUNDLED_NAME:
        return _named_tensors(bundled_card().file("safetensors"))
    located = locate_weights(start, WeightsCache())
    if located.suffix == ".pt":
        return _averaged(located.path) or _named_tensors(located.path)
    if located.suffix not in PROGRAM_SUFFIXES:
        return _named_tensors(located.path)
    parameters = open_program(located.path).parameters
    if parameters is None:
        raise SetupError(f"{start}: a program of unknown layout cannot be trained")
    return dict(parameters.tensors)


def _averaged(path: Path) -> "dict[str, Tensor]":
    """Read the averaged weights of a checkpoint of ours; none where it is something else."""
    from vcd.training.checkpoint import load_checkpoint

    try:
        return load_checkpoint(path)["average"]
    except SetupError:
        return {}


def _named_tensors(path: Path) -> "dict[str, Tensor]":
    from vcd.descriptors.state_dicts import read_state_dict, rename_keys

    state = read_state_dict(path)
    names = rename_keys(state)
    return {names[name]: tensor for name, tensor in state.items()}


def load_photos(settings: TrainingSettings) -> tuple[PackedPhotos, PackedPhotos]:
    """Decode the photographs to train on and those held out, once for all processes of a machine.

    They lie in a file that has no name any more, so that even a killed run leaves nothing behind.

    Raises:
        SetupError: no such folder, or too few photographs in it.
    """
    from vcd.training.processes import any_process, first_here_does

    with tempfile.TemporaryDirectory(prefix="vcd-train-") as cache:
        plans = first_here_does(lambda: _pack(settings, Path(cache)))
        photos = [
            replace(plan, levels=np.memmap(file, dtype=np.uint8, mode="r")) for plan, file in plans
        ]
        any_process(claim=False)  # all have opened it: the name may go
    return photos[0], photos[1]


def _pack(settings: TrainingSettings, cache: Path) -> list[tuple[PackedPhotos, Path]]:
    """Pack both sets; without their pixels, which are in the files."""
    found = find_photos(Path(settings.photos))
    every = settings.holdout_every
    held_out = [path for path in found if is_held_out(path.name, every=every)]
    training = [path for path in found if not is_held_out(path.name, every=every)]
    _refuse_too_few(settings.photos, len(training), len(held_out))
    packed = []
    for paths, file in ((training, cache / "training"), (held_out, cache / "held_out")):
        photos = pack_photos(paths, short_px=settings.store_px, file=file)
        packed.append((replace(photos, levels=np.empty(0, dtype=np.uint8)), file))
    _refuse_too_few(settings.photos, *(len(plan) for plan, _ in packed))
    return packed


def _refuse_too_few(folder: str, num_training: int, num_held_out: int) -> None:
    if min(num_training, num_held_out) < 2:
        raise SetupError(
            f"{folder}: wanted at least 2 readable photographs to train on and 2 to measure with, "
            f"got {num_training} and {num_held_out}"
        )


def without_near_duplicates(photos: PackedPhotos, settings: TrainingSettings) -> PackedPhotos:
    """Leave out near duplicates, where the recipe asks for it.

    Raises:
        SetupError: the recipe names no weights to see them with.
    """
    from vcd.training.processes import first_does

    if settings.twin_similarity is None:
        return photos
    if not settings.start_from:
        raise SetupError("twin_similarity needs a network to see twins with; give --start-from")
    features = first_does(lambda: _features(photos, settings))
    return without_twins(photos, features, similarity=settings.twin_similarity)


def _features(photos: PackedPhotos, settings: TrainingSettings) -> NDArray[np.float32]:
    network = first_network(settings).eval()
    side = settings.input_px
    return np.concatenate(
        [described(network, squashed([photos[photo]], side)) for photo in range(len(photos))]
    )
