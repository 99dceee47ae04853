"""Read a weights file of any format but ONNX: its parameters, and what is known of them.

What a file says of its own parameters is checked against them; what it does not say stays open.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vcd.core import SetupError
from vcd.descriptors.card import bundled_card
from vcd.descriptors.label import Label, label_in_archive, label_in_safetensors
from vcd.descriptors.preprocess import Preprocessing
from vcd.descriptors.programs import PROGRAM_SUFFIXES, open_program
from vcd.descriptors.settings import DescribeSettings
from vcd.descriptors.weights import (
    BUNDLED_NAME,
    PUBLISHED_PREPROCESSING,
    WeightsFile,
    locate_weights,
)
from vcd.descriptors.weights_cache import WeightsCache, digest_weights

if TYPE_CHECKING:
    from torch import nn

    from vcd.descriptors.state_dicts import Parameters

__all__ = [
    "ForeignProgram",
    "KnownNetwork",
    "read_contents",
    "read_network",
    "stated_preprocessing",
]

_OFFICIAL_SUFFIXES = (".torchvision.pt", ".classy.pt", ".torchscript.pt")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownNetwork:
    """Parameters of a network of ours, and what is known of them."""

    parameters: "Parameters"
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ForeignProgram:
    """A program that is no network of ours: it can be run and nothing else.

    Attributes:
        module: pixels to vectors.
        dim: length of a vector.
        label: what the file says of itself, unchecked; None where it says nothing.
    """

    module: "nn.Module"
    dim: int
    label: Label | None


def read_contents(weights: WeightsFile) -> KnownNetwork | ForeignProgram:
    """Read the file; one that is a program is opened, and so run.

    Raises:
        SetupError: it is damaged, holds something else, or contradicts what it says of itself.
    """
    from vcd.descriptors.state_dicts import parameters_from, read_checkpoint, read_state_dict

    path = weights.path
    if weights.suffix in PROGRAM_SUFFIXES:
        return _read_program(weights)
    if weights.suffix == ".pt":
        stored = read_checkpoint(path)
        network = _known(weights, parameters_from(path, stored.tensors), None)
        return replace(
            network,
            label=replace(network.label, preprocessing=stored.preprocessing, commit=stored.commit),
        )
    label = label_in_safetensors(path) if weights.suffix == ".safetensors" else None
    return _known(weights, parameters_from(path, read_state_dict(path)), label)


def _read_program(weights: WeightsFile) -> KnownNetwork | ForeignProgram:
    label = label_in_archive(weights.path)
    program = open_program(weights.path, size_px=_square_px(label))
    if program.parameters is None:
        return ForeignProgram(module=program.module, dim=program.dim, label=label)
    return _known(weights, program.parameters, label)


def read_network(settings: DescribeSettings) -> KnownNetwork:
    """Read the parameters of the weights that the settings name, to export them.

    Returns:
        The parameters; the label has the preprocessing that the settings ask for, if they do.

    Raises:
        SetupError: no such weights, damaged ones, or none of ours: an ONNX file, a program.
    """
    weights = _bundled() if settings.weights == BUNDLED_NAME else _located(settings)
    if weights.suffix == ".onnx":
        raise SetupError(
            f"{weights.path}: an ONNX file is not exported again: export what it was made of"
        )
    contents = read_contents(weights)
    if isinstance(contents, ForeignProgram):
        raise SetupError(
            f"{weights.path}: it cannot be exported, for it holds the parameters of no known trunk"
        )
    asked = settings.preprocessing or stated_preprocessing(weights, contents.label)
    preprocessing = Preprocessing.from_name(asked).name
    return replace(contents, label=replace(contents.label, preprocessing=preprocessing))


def _bundled() -> WeightsFile:
    path = bundled_card().file("safetensors")
    return WeightsFile(
        name=BUNDLED_NAME, path=path, suffix=".safetensors", sha256=digest_weights(path)
    )


def _located(settings: DescribeSettings) -> WeightsFile:
    return locate_weights(settings.weights, WeightsCache(settings.cache_dir))


def stated_preprocessing(weights: WeightsFile, label: Label | None) -> str:
    """Say what a frame must go through; official layouts that do not say get the published rule.

    Raises:
        SetupError: the file does not say.
    """
    if label is not None and label.preprocessing is not None:
        return label.preprocessing
    if weights.suffix in _OFFICIAL_SUFFIXES:
        return PUBLISHED_PREPROCESSING
    raise SetupError(
        f"{weights.path}: it does not say how pictures are prepared for it; say so in a file for "
        '--config: [describe] preprocessing = "skew_160" (squashed to 160 x 160) or "small_288" '
        "(short edge 288)"
    )


def _known(weights: WeightsFile, parameters: "Parameters", stated: Label | None) -> KnownNetwork:
    """Complete what the file says by what its parameters show, or refuse what they contradict."""
    card = bundled_card()
    found = Label(
        name=weights.name,
        trunk=parameters.trunk,
        dim=parameters.dim,
        digest=parameters.digest,
        quantization=parameters.quantization,
    )
    if stated is None:
        is_bundled = weights.sha256 in card.sha256.values()
        label = card.label(found.digest, found.quantization) if is_bundled else found
        return KnownNetwork(parameters=parameters, label=label)
    if (stated.trunk, stated.dim, stated.digest) != (found.trunk, found.dim, found.digest):
        raise SetupError(
            f"{weights.path}: it says that it holds {_described(stated)} and holds "
            f"{_described(found)}: damaged, or changed by somebody"
        )
    return KnownNetwork(parameters=parameters, label=stated)


def _described(label: Label) -> str:
    return f"{label.trunk} of {label.dim} dimensions ({label.digest[:12]})"


def _square_px(label: Label | None) -> int | None:
    if label is None or label.preprocessing is None:
        return None
    preprocessing = Preprocessing.from_name(label.preprocessing)
    return None if preprocessing.keeps_aspect else preprocessing.short_edge_px
