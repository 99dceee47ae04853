"""Open weights: from a name in the settings to a network that runs and the space it makes.

             processor                               GPU
bundled      the shipped ONNX                        the shipped parameters, in torch
parameters   ONNX, exported once (export_cache.py)   torch
program      as parameters if they are a layout we   the same
             know and give the same, else as it is
.onnx        as it is                                as it is, on the processor

Parameters are .torchvision.pt, .classy.pt, .safetensors and checkpoints, programs TorchScript and
torch.export files. A trunk whose graph is frozen to one size is run in torch on a processor too.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from vcd.core import DescriptorSpace, SetupError
from vcd.descriptors.card import BundledCard, bundled_card
from vcd.descriptors.contents import ForeignProgram, read_contents, stated_preprocessing
from vcd.descriptors.export_cache import find_export, keep_export
from vcd.descriptors.label import Label
from vcd.descriptors.preprocess import PREPROCESSING_REVISION, Preprocessing
from vcd.descriptors.runtimes import OnnxNetwork, Runtime, TorchNetwork, has_gpu, usable_cores
from vcd.descriptors.settings import DescribeSettings, SpaceProfile
from vcd.descriptors.weights import BUNDLED_NAME, WeightsFile, locate_weights
from vcd.descriptors.weights_cache import WeightsCache

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LoadedWeights", "open_weights"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedWeights:
    """A network that runs, and what its descriptors may be compared with.

    Attributes:
        space: of its descriptors.
        profile: what a similarity means in that space.
        preprocessing: what a frame must go through first.
        runtime: runs it.
        uses_gpu: whether it runs on a GPU.
    """

    space: DescriptorSpace
    profile: SpaceProfile
    preprocessing: Preprocessing
    runtime: Runtime
    uses_gpu: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A runtime with the identity of its parameters.

    Attributes:
        name: of the space.
        runtime: runs the network.
        dim: length of a descriptor.
        digest: of the parameters; of the file where they cannot be known.
        quantization: of the parameters.
        label: what is known beside that.
    """

    name: str
    runtime: Runtime
    dim: int
    digest: str
    quantization: str
    label: Label | None


def open_weights(settings: DescribeSettings) -> LoadedWeights:
    """Load the weights that the settings name, once checked, on the device that they ask for.

    Raises:
        SetupError: no such weights, damaged ones, no such device, or nobody says how pictures
            are prepared for them.
    """
    device = _device(settings.device)
    if settings.weights == BUNDLED_NAME:
        card = bundled_card()
        opened = _open_bundled(card, device, _num_threads(settings))
        return _loaded(opened, settings.preprocessing or card.preprocessing, device)
    cache = WeightsCache(settings.cache_dir)
    weights = locate_weights(settings.weights, cache)
    opened = _open_file(weights, device, _num_threads(settings), cache)
    asked = settings.preprocessing or stated_preprocessing(weights, opened.label)
    return _loaded(opened, asked, device)


def _open_bundled(card: BundledCard, device: Literal["cpu", "cuda"], num_threads: int) -> _Opened:
    tensors_path = card.file("safetensors")
    runtime: Runtime
    if device == "cpu":
        runtime = OnnxNetwork(card.file("onnx"), num_threads=num_threads)
    else:
        runtime = TorchNetwork(_network_in(tensors_path), device=device)
    return _opened(runtime, card.label(*_digest_without_torch(tensors_path)))


def _opened(runtime: Runtime, label: Label) -> _Opened:
    """Put together what is of one network whose parameters are known."""
    return _Opened(
        name=label.name,
        runtime=runtime,
        dim=label.dim,
        digest=label.digest,
        quantization=label.quantization,
        label=label,
    )


def _open_file(
    weights: WeightsFile, device: Literal["cpu", "cuda"], num_threads: int, cache: WeightsCache
) -> _Opened:
    if weights.suffix == ".onnx":
        return _open_onnx(weights, num_threads, cache)
    if device == "cpu":
        found = find_export(weights, cache)
        if found is not None:
            path, label = found
            return _opened(OnnxNetwork(path, num_threads=num_threads), label)
    return _open_in_torch(weights, device, num_threads, cache)


def _open_onnx(weights: WeightsFile, num_threads: int, cache: WeightsCache) -> _Opened:
    """Open an ONNX file; what it says of its parameters is believed if somebody vouches for it."""
    network = OnnxNetwork(weights.path, num_threads=num_threads)
    label = Label.from_strings(weights.path, network.metadata)
    card = bundled_card()
    if label is None and weights.sha256 == card.sha256.get(f"{BUNDLED_NAME}.onnx"):
        label = card.label(*_digest_without_torch(card.file("safetensors")))
    if label is not None and label.dim != network.dim:
        raise SetupError(
            f"{weights.path}: it says that it gives {label.dim} dimensions and gives {network.dim}"
        )
    is_vouched = weights.sha256 in card.sha256.values() or cache.is_trusted(weights.sha256)
    if label is not None and is_vouched:
        return _opened(network, label)
    if label is not None:
        _log.warning(
            "%s says that it holds the parameters %s of %s; nobody vouches for that here, so its "
            "descriptors are compared with no others: if you trust where it came from, "
            "`vcd models trust %s`",
            weights.path,
            label.digest[:12],
            label.name,
            weights.path,
        )
    return _Opened(
        name=weights.name,
        runtime=network,
        dim=network.dim,
        digest=weights.sha256,
        quantization="none",
        label=label,
    )


def _open_in_torch(
    weights: WeightsFile, device: Literal["cpu", "cuda"], num_threads: int, cache: WeightsCache
) -> _Opened:
    import torch

    from vcd.descriptors.state_dicts import network_from
    from vcd.descriptors.trunks import TRUNKS

    torch.set_num_threads(num_threads)
    contents = read_contents(weights)
    if isinstance(contents, ForeignProgram):
        return _Opened(
            name=weights.name,
            runtime=TorchNetwork(contents.module, device=device, is_program=True),
            dim=contents.dim,
            digest=weights.sha256,
            quantization="none",
            label=contents.label,
        )
    label, network = contents.label, network_from(contents.parameters)
    if device == "cuda" or not TRUNKS[label.trunk].size_is_free:
        return _opened(TorchNetwork(network, device=device), label)
    _log.info("%s: exporting to ONNX, once", weights.path)
    path = keep_export(weights, label, network, cache)
    return _opened(OnnxNetwork(path, num_threads=num_threads), label)


def _loaded(opened: _Opened, preprocessing_name: str, device: str) -> LoadedWeights:
    preprocessing = Preprocessing.from_name(preprocessing_name)
    if isinstance(opened.runtime, OnnxNetwork):
        opened.runtime.check_takes(preprocessing)
    identity = {
        "weights": opened.digest,
        "preprocessing": preprocessing.name,
        "preprocessing_revision": PREPROCESSING_REVISION,
        "quantization": opened.quantization,
    }
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
    profile = None if opened.label is None else opened.label.profile
    return LoadedWeights(
        space=DescriptorSpace(name=opened.name, dim=opened.dim, fingerprint=fingerprint),
        profile=profile or SpaceProfile(),
        preprocessing=preprocessing,
        runtime=opened.runtime,
        uses_gpu=device == "cuda",
    )


def _device(asked: str) -> Literal["cpu", "cuda"]:
    if asked == "cpu":
        return "cpu"
    if has_gpu():
        return "cuda"
    if asked == "cuda":
        raise SetupError(
            "device cuda was asked for, and torch finds no CUDA device on this machine"
        )
    return "cpu"


def _num_threads(settings: DescribeSettings) -> int:
    return settings.num_threads or usable_cores()


def _digest_without_torch(path: Path) -> tuple[str, str]:
    """Digest shipped parameters as `parameters_from` would, with numpy alone."""
    from safetensors.numpy import load_file

    from vcd.descriptors.state_dicts import digest_arrays

    arrays: dict[str, NDArray[np.floating]] = {
        name: array for name, array in load_file(path).items() if array.dtype.kind == "f"
    }
    halves = any(array.dtype == np.float16 for array in arrays.values())
    return digest_arrays(arrays), "fp16" if halves else "none"


def _network_in(path: Path) -> "nn.Module":
    from vcd.descriptors.state_dicts import network_from, parameters_from, read_state_dict

    return network_from(parameters_from(path, read_state_dict(path)))
