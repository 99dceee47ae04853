"""Open a TorchScript file whose digest is believed, as parameters where that is possible.

Only for files that `weights` has let through: opening one runs the program in it.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vcd.core import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from vcd.descriptors.state_dicts import Parameters

__all__ = ["OpenedScript", "open_script"]

_TOLERANCE = 1e-4
"""How far the script's unit descriptor may be from the rebuilt network's, a coordinate."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedScript:
    """A TorchScript network.

    Attributes:
        module: as loaded.
        dim: length of its descriptors.
        parameters: the same network as parameters of ours, which an export can be made of; None
            when its names are of no known layout, or it computes something else with them.
    """

    module: "nn.Module"
    dim: int
    parameters: "Parameters | None"


def open_script(path: Path) -> OpenedScript:
    """Load the module, and rebuild it as our network when that gives the same descriptors.

    Raises:
        SetupError: the file cannot be loaded, or is not a network of pictures to vectors.
    """
    import torch

    load: Callable[..., nn.Module] = torch.jit.load
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is no longer developed is known
        try:
            module = load(str(path), map_location="cpu").eval()
        except (RuntimeError, ValueError, OSError) as error:
            raise SetupError(f"{path}: torch cannot load this TorchScript: {error}") from error
    pixels_BCHW = torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    wanted_BD = _described(path, module, pixels_BCHW)
    return OpenedScript(
        module=module,
        dim=wanted_BD.shape[1],
        parameters=_rebuilt(path, module, pixels_BCHW, wanted_BD),
    )


def _described(path: Path, module: "nn.Module", pixels_BCHW: "Tensor") -> "Tensor":
    import torch

    try:
        with torch.inference_mode():
            features_BD: Tensor = module(pixels_BCHW)
            return torch.nn.functional.normalize(features_BD.float(), dim=1)
    except (RuntimeError, AttributeError, IndexError) as error:
        raise SetupError(
            f"{path}: wanted a network of (B, 3, H, W) pixels to (B, D) vectors: "
            f"{str(error).strip().splitlines()[-1]}"
        ) from error


def _rebuilt(
    path: Path, module: "nn.Module", pixels_BCHW: "Tensor", wanted_BD: "Tensor"
) -> "Parameters | None":
    from vcd.descriptors.state_dicts import network_from, parameters_from

    try:
        parameters = parameters_from(path, module.state_dict())
    except SetupError:
        return None
    found_BD = _described(path, network_from(parameters), pixels_BCHW)
    is_same = bool((found_BD - wanted_BD).abs().max() <= _TOLERANCE)
    return parameters if is_same else None
