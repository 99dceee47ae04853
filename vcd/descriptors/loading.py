"""Open weights: from a name in the settings to a network that runs and the space it makes.

          processor                          GPU
bundled   the shipped ONNX                   the shipped parameters, in torch
state     ONNX, exported once (exports.py)   torch
script    as a state dict if its keys are    TorchScript
          a layout we know, else TorchScript
.onnx     as it is                           as it is, on the processor
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
from vcd.descriptors.card import bundled_card
from vcd.descriptors.preprocess import PREPROCESSING_REVISION, Preprocessing
from vcd.descriptors.runtimes import OnnxNetwork, Runtime, TorchNetwork, has_gpu, usable_cores
from vcd.descriptors.settings import DescribeSettings, SpaceProfile
from vcd.descriptors.weights import (
    BUNDLED_NAME,
    PUBLISHED_PREPROCESSING,
    WeightsFile,
    locate_weights,
)
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
class _Network:
    """A runtime with the identity of its parameters."""

    runtime: Runtime
    dim: int
    digest: str
    quantization: str


def open_weights(settings: DescribeSettings) -> LoadedWeights:
    """Load the weights that the settings name, once checked, on the device that they ask for.

    Raises:
        SetupError: no such weights, damaged ones, or no such device.
    """
    device = _device(settings.device)
    if settings.weights == BUNDLED_NAME:
        return _open_bundled(settings, device)
    cache = WeightsCache(settings.cache_dir)
    weights = locate_weights(settings.weights, cache)
    network = _open_file(weights, settings, device, cache)
    asked = settings.preprocessing or _stated_preprocessing(weights) or PUBLISHED_PREPROCESSING
    preprocessing = Preprocessing.from_name(asked)
    return _loaded(weights.name, network, preprocessing, SpaceProfile(), device)


def _open_bundled(settings: DescribeSettings, device: Literal["cpu", "cuda"]) -> LoadedWeights:
    card = bundled_card()
    tensors_path = card.file("safetensors")
    digest, quantization = _digest_without_torch(tensors_path)
    runtime: Runtime
    if device == "cpu":
        runtime = OnnxNetwork(card.file("onnx"), num_threads=_num_threads(settings))
    else:
        runtime = TorchNetwork(_network_in(tensors_path), device=device)
    network = _Network(runtime=runtime, dim=card.dim, digest=digest, quantization=quantization)
    preprocessing = Preprocessing.from_name(settings.preprocessing or card.preprocessing)
    return _loaded(BUNDLED_NAME, network, preprocessing, card.profile, device)


def _open_file(
    weights: WeightsFile,
    settings: DescribeSettings,
    device: Literal["cpu", "cuda"],
    cache: WeightsCache,
) -> _Network:
    num_threads = _num_threads(settings)
    if weights.suffix == ".onnx":
        onnx = OnnxNetwork(weights.path, num_threads=num_threads)
        return _Network(runtime=onnx, dim=onnx.dim, digest=weights.sha256, quantization="none")
    if device == "cpu":
        from vcd.descriptors.exports import find_export

        found = find_export(weights, cache)
        if found is not None:
            path, record = found
            onnx = OnnxNetwork(path, num_threads=num_threads)
            return _Network(
                runtime=onnx,
                dim=record.dim,
                digest=record.digest,
                quantization=record.quantization,
            )
    return _open_in_torch(weights, device, num_threads, cache)


def _open_in_torch(
    weights: WeightsFile,
    device: Literal["cpu", "cuda"],
    num_threads: int,
    cache: WeightsCache,
) -> _Network:
    import torch

    from vcd.descriptors.exports import export_network
    from vcd.descriptors.scripts import open_script
    from vcd.descriptors.state_dicts import network_from, parameters_from, read_state_dict

    torch.set_num_threads(num_threads)
    if weights.suffix == ".torchscript.pt":
        script = open_script(weights.path)
        if script.parameters is None:
            return _Network(
                runtime=TorchNetwork(script.module, device=device, is_script=True),
                dim=script.dim,
                digest=weights.sha256,
                quantization="none",
            )
        parameters = script.parameters
    else:
        parameters = parameters_from(weights.path, read_state_dict(weights.path))
    network = network_from(parameters)
    runtime: Runtime
    if device == "cuda":
        runtime = TorchNetwork(network, device=device)
    else:
        _log.info("%s: exporting to ONNX, once", weights.path)
        path, _ = export_network(weights, parameters, network, cache)
        runtime = OnnxNetwork(path, num_threads=num_threads)
    return _Network(
        runtime=runtime,
        dim=parameters.dim,
        digest=parameters.digest,
        quantization=parameters.quantization,
    )


def _loaded(
    name: str,
    network: _Network,
    preprocessing: Preprocessing,
    profile: SpaceProfile,
    device: str,
) -> LoadedWeights:
    if isinstance(network.runtime, OnnxNetwork):
        network.runtime.check_takes(preprocessing)
    identity = {
        "weights": network.digest,
        "preprocessing": preprocessing.name,
        "preprocessing_revision": PREPROCESSING_REVISION,
        "quantization": network.quantization,
    }
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    fingerprint = hashlib.sha256(canonical.encode()).hexdigest()
    return LoadedWeights(
        space=DescriptorSpace(name=name, dim=network.dim, fingerprint=fingerprint),
        profile=profile,
        preprocessing=preprocessing,
        runtime=network.runtime,
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


def _stated_preprocessing(weights: WeightsFile) -> str | None:
    """Read what a safetensors file says of its preprocessing in its header."""
    if weights.suffix != ".safetensors":
        return None
    from safetensors import safe_open

    with safe_open(weights.path, framework="numpy") as file:
        metadata: dict[str, str] = file.metadata() or {}
    return metadata.get("preprocessing")
