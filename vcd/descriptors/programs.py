"""Open a TorchScript or torch.export file whose digest is believed, as parameters where possible.

Only for files that `weights` has let through: opening one runs what is in it. TorchScript is a
program; torch.export.load unpickles parts of its archive without restriction, and says so itself.
"""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vcd.core import SetupError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vcd.descriptors.state_dicts import Parameters

__all__ = ["PROGRAM_SUFFIXES", "OpenedProgram", "load_program", "open_program"]

PROGRAM_SUFFIXES = (".torchscript.pt", ".pt2")
"""Files that run code when they are opened."""

_TOLERANCE = 1e-4
"""How far the program's unit descriptor may be from the rebuilt network's, a coordinate."""

_NAMED_BY_TORCH = "torch.export"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedProgram:
    """A network that was opened as a program.

    Attributes:
        module: as loaded.
        dim: length of its descriptors.
        parameters: the same network as parameters of ours, which an export can be made of; None
            when its names are of no known layout, or it computes something else with them.
    """

    module: "nn.Module"
    dim: int
    parameters: "Parameters | None"


def load_program(path: Path) -> "nn.Module":
    """Load the module in a TorchScript or torch.export file, in evaluation mode.

    Raises:
        SetupError: it cannot be loaded.
    """
    import torch

    load: Callable[[], nn.Module] = (
        (lambda: torch.export.load(path).module())
        if path.name.endswith(".pt2")
        else (lambda: _load_script(path))
    )
    logger = logging.getLogger(_NAMED_BY_TORCH)
    was_disabled, logger.disabled = logger.disabled, True  # it logs the error that it raises
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript is no longer developed is known
            return load()
    except Exception as error:  # what is in such a file may raise anything
        kind = "torch.export file" if path.name.endswith(".pt2") else "TorchScript"
        sentence = str(error).strip().partition("\n")[0] or type(error).__name__
        raise SetupError(f"{path}: torch cannot load this {kind}: {sentence}") from error
    finally:
        logger.disabled = was_disabled


def open_program(path: Path, *, size_px: int | None = None) -> OpenedProgram:
    """Load the module, and rebuild it as our network when that gives the same descriptors.

    Args:
        path: of the file.
        size_px: side of the pictures that it takes, where it may take no other.

    Raises:
        SetupError: the file cannot be loaded, or is not a network of pictures to vectors.
    """
    import torch

    module = load_program(path)
    height_px, width_px = (96, 128) if size_px is None else (size_px, size_px)
    generator = torch.Generator().manual_seed(0)
    pixels_BCHW = torch.randn(2, 3, height_px, width_px, generator=generator)
    wanted_BD = _described(path, module, pixels_BCHW)
    return OpenedProgram(
        module=module,
        dim=wanted_BD.shape[1],
        parameters=_rebuilt(path, module, pixels_BCHW, wanted_BD),
    )


def _load_script(path: Path) -> "nn.Module":
    import torch

    load: Callable[..., nn.Module] = torch.jit.load
    return load(str(path), map_location="cpu").eval()


def _described(path: Path, module: "nn.Module", pixels_BCHW: "Tensor") -> "Tensor":
    import torch

    wanted = f"{path}: wanted a network of (B, 3, H, W) pixels to (B, D) vectors"
    try:
        with torch.inference_mode():
            features_BD: Tensor = torch.nn.functional.normalize(module(pixels_BCHW).float(), dim=1)
    except Exception as error:  # as above
        sentence = str(error).strip() or type(error).__name__
        raise SetupError(f"{wanted}: {sentence.splitlines()[-1]}") from error
    if features_BD.ndim != 2 or len(features_BD) != len(pixels_BCHW):
        raise SetupError(f"{wanted}, got {tuple(features_BD.shape)} of {len(pixels_BCHW)}")
    return features_BD


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
