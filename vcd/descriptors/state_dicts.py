"""Read the parameters of a network from a file, whatever its layout, and name what is wrong.

    .torchvision.pt   backbone.conv1.weight ... backbone.fc.bias           our own names
    .classy.pt        backbone.initial_block._module.0.weight ...          renamed one to one
    .safetensors      our own names, any precision
    .pt               a checkpoint of a training run: our own names, the averaged weights

The trunk is not asked for but found: the one whose parameters have these names and shapes.
Nothing in such a file is executed (``weights_only=True``).
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vcd.core import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from vcd.descriptors.sscd import Sscd

__all__ = [
    "Parameters",
    "StoredRun",
    "digest_arrays",
    "network_from",
    "parameters_from",
    "read_checkpoint",
    "read_state_dict",
    "rename_keys",
]

_MAX_NAMED = 3
"""How many wrong names an error lists: the first few show the pattern."""

_CLASSY_RULES = (
    (r"backbone\.initial_block\._module\.0\.", "backbone.conv1."),
    (r"backbone\.initial_block\._module\.1\.", "backbone.bn1."),
    (r"embeddings\.1\.", "backbone.fc."),
)

_CLASSY_BLOCK = re.compile(r"backbone\.blocks\.(\d)\.block\1-(\d+)\.(.+)")

_CLASSY_BLOCK_PARTS = {
    "convolutional_block.0": "conv1",
    "convolutional_block.1": "bn1",
    "convolutional_block.3": "conv2",
    "convolutional_block.4": "bn2",
    "convolutional_block.6": "conv3",
    "bn": "bn3",
    "downsample.0": "downsample.0",
    "downsample.1": "downsample.1",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameters:
    """The parameters of a network of ours, complete and of the right shapes.

    Attributes:
        trunk: name in `TRUNKS`.
        dim: length of a descriptor.
        tensors: by our names.
        quantization: ``fp16`` when any of them was stored in half precision, else ``none``.
        digest: of their values under our names, the same in whichever layout they came.
    """

    trunk: str
    dim: int
    tensors: "Mapping[str, Tensor]"
    quantization: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredRun:
    """What a checkpoint of a training run holds for those who only use its weights.

    Attributes:
        tensors: the averaged weights, by our names.
        preprocessing: at which the run was measured.
        commit: of the code that made it; None where it was not noted.
    """

    tensors: "Mapping[str, Tensor]"
    preprocessing: str
    commit: str | None


def read_state_dict(path: Path) -> "dict[str, Tensor]":
    """Load named tensors from ``.safetensors`` or from a pickled state dict, executing nothing.

    Raises:
        SetupError: the file holds anything else.
    """
    import torch

    loaded = _load_safetensors(path) if path.suffix == ".safetensors" else _load_pickled(path)
    tensors: dict[str, Tensor] = {}
    for name, value in loaded.items() if isinstance(loaded, dict) else [(None, loaded)]:
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise SetupError(f"{path}: wanted a dictionary of named tensors, got {type(loaded)}")
        tensors[name] = value
    return tensors


def read_checkpoint(path: Path) -> StoredRun:
    """Load the averaged weights of a training run, and what it says of how they are used.

    Raises:
        SetupError: the file holds anything else.
    """
    loaded = _load_pickled(path)
    held: dict[str, Any] = loaded if isinstance(loaded, dict) else {}
    try:
        tensors, recipe = dict(held["average"]), json.loads(held["settings"])
        preprocessing = f"skew_{int(recipe['input_px'])}"
    except (KeyError, TypeError, ValueError) as error:
        raise SetupError(
            f"{path}: wanted best.pt or last.pt of `vcd train`, which this is not ({error!r}); a "
            "file of parameters alone is called .torchvision.pt, .classy.pt or .safetensors"
        ) from error
    commit = str(held["commit"]) if held.get("commit") else None
    return StoredRun(tensors=tensors, preprocessing=preprocessing, commit=commit)


def rename_keys(names: "Iterable[str]") -> dict[str, str]:
    """Map each name of any known layout to ours; names of no layout stay as they are."""
    return {name: _our_name(name) for name in names}


def parameters_from(path: Path, state: "Mapping[str, Tensor]") -> Parameters:
    """Find the trunk that these tensors belong to.

    Args:
        path: where they came from, for the error.
        state: tensors in any known layout.

    Raises:
        SetupError: they are not exactly those of any trunk; names the nearest and the first
            few names that are wrong.
    """
    import torch

    tensors = {_our_name(name): tensor for name, tensor in state.items()}
    if "backbone.fc.weight" not in tensors:
        raise SetupError(
            f"{path}: wanted the parameters of an SSCD network, found no projection "
            f"(backbone.fc.weight or embeddings.1.weight) among {len(state)} names"
        )
    dim = len(tensors["backbone.fc.weight"])
    trunk = _matching_trunk(path, tensors, dim)
    floating = {name: value for name, value in tensors.items() if value.is_floating_point()}
    halves = any(value.dtype == torch.float16 for value in floating.values())
    arrays = {name: value.float().numpy() for name, value in floating.items()}
    return Parameters(
        trunk=trunk,
        dim=dim,
        tensors=tensors,
        quantization="fp16" if halves else "none",
        digest=digest_arrays(arrays),
    )


def network_from(parameters: Parameters) -> "Sscd":
    """Build the network and give it its parameters, all of them and no other."""
    import torch

    network = _blank_network(parameters.trunk, parameters.dim)
    state = {name: torch.tensor(0) for name in network.state_dict() if _is_counter(name)}
    if any(map(_is_derived, network.state_dict())):
        drawn = _drawn_network(parameters.trunk, parameters.dim).state_dict()
        state |= {name: drawn[name] for name in drawn if _is_derived(name)}
    for name, tensor in parameters.tensors.items():
        state[name] = tensor.float() if tensor.is_floating_point() else tensor
    network.load_state_dict(state, assign=True)
    return network.eval()


def digest_arrays(arrays: "Mapping[str, NDArray[np.floating]]") -> str:
    """Digest parameters by their names and float32 values, 64 hexadecimal digits.

    Equal for the same values in half or in single precision, in every layout, on every machine.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name], dtype="<f4")
        digest.update(f"{name} {list(values.shape)}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _load_safetensors(path: Path) -> "dict[str, Tensor]":
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # safetensors and torch share no other root
        raise SetupError(f"{path}: not a file of named tensors: {_first_line(error)}") from error


def _load_pickled(path: Path) -> object:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle share no other root
        raise SetupError(f"{path}: not a file of named tensors: {_first_line(error)}") from error


def _our_name(name: str) -> str:
    block = _CLASSY_BLOCK.fullmatch(name)
    if block is not None:
        part, _, parameter = block[3].rpartition(".")
        if part in _CLASSY_BLOCK_PARTS:
            stage = int(block[1]) + 1
            return f"backbone.layer{stage}.{block[2]}.{_CLASSY_BLOCK_PARTS[part]}.{parameter}"
    for pattern, replacement in _CLASSY_RULES:
        name = re.sub("^" + pattern, replacement, name)
    return name


def _matching_trunk(path: Path, tensors: "Mapping[str, Tensor]", dim: int) -> str:
    from vcd.descriptors.trunks import TRUNKS

    found = _shapes(tensors)
    num_channels = tensors["backbone.fc.weight"].shape[-1]
    differences: dict[str, tuple[list[str], list[str]]] = {}
    for trunk in sorted(TRUNKS, key=lambda trunk: TRUNKS[trunk].num_channels != num_channels):
        wanted = _shapes(_blank_network(trunk, dim).state_dict())
        if wanted == found:
            return trunk
        differences[trunk] = (sorted(wanted - found), sorted(found - wanted))
    nearest = min(differences, key=lambda trunk: sum(map(len, differences[trunk])))
    missing, unexpected = differences[nearest]
    raise SetupError(
        f"{path}: the parameters fit no known trunk; nearest is {nearest}, which also wants "
        f"{_first_few(missing)} and has no {_first_few(unexpected)}"
    )


def _shapes(state: "Mapping[str, Tensor]") -> set[str]:
    return {
        f"{name} {list(tensor.shape)}"
        for name, tensor in state.items()
        if not (_is_counter(name) or _is_derived(name))
    }


def _is_counter(name: str) -> bool:
    """Tell whether it counts training steps, which some files leave out and no result needs."""
    return name.endswith(".num_batches_tracked")


def _is_derived(name: str) -> bool:
    """Tell whether it follows from the architecture alone, so that some files leave it out."""
    return name.endswith(".relative_position_index")


def _blank_network(trunk: str, dim: int) -> "Sscd":
    """Build a network without drawing its parameters, which takes seconds, where that works."""
    import torch

    from vcd.descriptors.sscd import build_network

    try:
        with torch.device("meta"):
            return build_network(trunk, dim)
    except NotImplementedError:  # torchvision's RegNet computes its widths with tensors
        return _drawn_network(trunk, dim)


def _drawn_network(trunk: str, dim: int) -> "Sscd":
    """Build a network and leave torch's random numbers as they were."""
    import torch

    from vcd.descriptors.sscd import build_network

    with torch.random.fork_rng(devices=[]):
        return build_network(trunk, dim)


def _first_few(names: list[str]) -> str:
    if not names:
        return "nothing"
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
