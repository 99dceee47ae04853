"""Write a network as ONNX, TorchScript or torch.export file, once it has proved equal to torch.

Each file is written beside its place, opened again as a reader would, compared with the network
on two batch sizes and two picture sizes, and only then renamed. It carries its `Label`.
"""

import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from vcd.core import SetupError
from vcd.descriptors.contents import read_network
from vcd.descriptors.label import LABEL_FILE, Label
from vcd.descriptors.postprocess import l2_normalize
from vcd.descriptors.preprocess import Preprocessing, standardize_pixels
from vcd.descriptors.runtimes import OnnxNetwork, Runtime, TorchNetwork
from vcd.descriptors.settings import DescribeSettings
from vcd.descriptors.state_dicts import network_from
from vcd.descriptors.weights_cache import WeightsCache, digest_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "EXPORT_FORMATS",
    "Export",
    "export_weights",
    "halved",
    "write_export",
    "write_safetensors",
]

_TOLERANCE = 1e-4
"""How far a coordinate of a unit descriptor may be from torch's."""

_CHECKED_BATCHES = (1, 3)
_CHECKED_SIZES_PX = ((96, 96), (64, 144))
"""Two of each, for a network that was frozen to one of them would pass on that one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file that was written.

    Attributes:
        path: where it is.
        sha256: of its bytes.
        label: what it says of itself.
        size_px: the one side of the square pictures that it takes; None for any size.
        worst_difference: the farthest that a coordinate was from torch's.
    """

    path: Path
    sha256: str
    label: Label
    size_px: int | None
    worst_difference: float


def export_weights(settings: DescribeSettings, path: Path | None, *, to: str) -> Export:
    """Export the weights that the settings name, and vouch for the file on this machine.

    Args:
        settings: which weights, and their preprocessing where the weights do not say.
        path: of the file; None for one in this folder that is named after the weights.
        to: one of `EXPORT_FORMATS`.

    Raises:
        SetupError: as of `write_export`, or the weights cannot be read.
    """
    known = read_network(settings)
    target = path or Path(f"{known.label.name}{_format(to).suffix}")
    export = write_export(network_from(known.parameters), known.label, target, to=to)
    WeightsCache(settings.cache_dir).vouch(export.path)
    return export


def write_export(
    network: "nn.Module", label: Label, path: Path, *, to: str, fixed_size: bool = False
) -> Export:
    """Write a network in one of `EXPORT_FORMATS`.

    Args:
        network: ``(B, 3, H, W)`` standardized float32 pixels to ``(B, D)`` unit rows.
        label: what is known of it; its trunk says whether one file can serve all sizes.
        path: of the file, in a folder that exists; its name ends as the format asks for.
        to: ``onnx``, ``torchscript`` or ``torch_export``.
        fixed_size: freeze the size that the preprocessing gives, where it need not be.

    Raises:
        SetupError: no such format, a name that says another one, a network that cannot be
            exported, a file that differs from torch, or no room for it; nothing is left behind.
    """
    written_as = _format(to)
    if not path.name.endswith(written_as.suffix):
        raise SetupError(f"{path}: an export to {to} has a name that ends in {written_as.suffix}")
    size_px = _frozen_size_px(label, to, fixed_size=fixed_size)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".vcd-") as folder:
            made = Path(folder) / f"made{written_as.suffix}"
            _written(written_as, network, label, made, size_px)
            worst = _worst_difference(network, written_as.open(made), size_px)
            if not worst <= _TOLERANCE:
                raise SetupError(
                    f"{path}: this {to} export differs from torch by {worst:.1e}, more than "
                    f"{_TOLERANCE:.0e}, and is not kept"
                )
            sha256 = digest_weights(made)
            made.replace(path)
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror or error}") from error
    return Export(path=path, sha256=sha256, label=label, size_px=size_px, worst_difference=worst)


def halved(weights: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Round matrices and kernels to float16; vectors (variances above all) need float32's range.

    Counters of batches, which only training needs, are left out.
    """
    return {
        name: (value.half() if value.ndim > 1 else value).clone().contiguous()
        for name, value in weights.items()
        if value.is_floating_point()
    }


def write_safetensors(tensors: "dict[str, Tensor]", label: Label, path: Path) -> None:
    """Write parameters as they are, with their label in the header."""
    from safetensors.torch import save_file

    save_file(tensors, path, metadata=label.as_strings())
    path.chmod(0o644)


def _format(to: str) -> "_Format":
    if to not in EXPORT_FORMATS:
        raise SetupError(f"no export to {to!r}; there are {', '.join(EXPORT_FORMATS)}")
    return EXPORT_FORMATS[to]


def _frozen_size_px(label: Label, to: str, *, fixed_size: bool) -> int | None:
    """Find the one side that the file takes; None where it takes any."""
    from vcd.descriptors.trunks import TRUNKS

    if not fixed_size and (TRUNKS[label.trunk].size_is_free or to == "torchscript"):
        return None
    preprocessing = Preprocessing.from_name(label.preprocessing or "")
    if preprocessing.keeps_aspect:
        raise SetupError(
            f"{label.name}: a {to} export of {label.trunk} takes pictures of one size only, and "
            f'{label.preprocessing} gives many: say preprocessing = "skew_N" in [describe], or '
            "export to torchscript"
        )
    return preprocessing.short_edge_px


def _written(
    written_as: "_Format", network: "nn.Module", label: Label, path: Path, size_px: int | None
) -> None:
    """Write the file; whatever the exporter raises is about this network."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporters' own deprecations are not the user's
            written_as.write(network.eval(), label, path, size_px)
    except OSError:
        raise
    except Exception as error:  # torch's exporters share no other root
        sentence = str(error).strip().partition("\n")[0] or type(error).__name__
        raise SetupError(f"{label.name}: {label.trunk} cannot be exported: {sentence}") from error


def _worst_difference(network: "nn.Module", exported: Runtime, size_px: int | None) -> float:
    import torch

    rng = np.random.default_rng(0)
    sizes = _CHECKED_SIZES_PX if size_px is None else ((size_px, size_px),)
    worst = []
    for num_frames, (height_px, width_px) in product(_CHECKED_BATCHES, sizes):
        shape = (num_frames, height_px, width_px, 3)
        pixels_BHWC = rng.integers(0, 256, shape, dtype=np.uint8)
        found_BD = exported.describe(pixels_BHWC)
        with torch.inference_mode():
            wanted_BD = network(torch.from_numpy(standardize_pixels(pixels_BHWC)))
        worst.append(np.abs(found_BD - l2_normalize(wanted_BD.float().numpy())).max())
    return float(np.max(worst))


def _write_onnx(network: "nn.Module", label: Label, path: Path, size_px: int | None) -> None:
    from vcd.descriptors.onnx_file import write_onnx

    halves = label.quantization == "fp16"
    write_onnx(network, path, size_px=size_px, halves=halves, metadata=label.as_strings())


def _write_script(network: "nn.Module", label: Label, path: Path, size_px: int | None) -> None:
    import torch

    del size_px  # a script takes any size
    script = torch.jit.script(network)
    torch.jit.save(script, str(path), _extra_files={LABEL_FILE: _label_text(label)})


def _write_program(network: "nn.Module", label: Label, path: Path, size_px: int | None) -> None:
    import torch

    free = torch.export.Dim.DYNAMIC
    height_px, width_px = (96, 128) if size_px is None else (size_px, size_px)
    sizes = {2: free, 3: free} if size_px is None else {}
    example_BCHW = torch.zeros(2, 3, height_px, width_px)
    program = torch.export.export(network, (example_BCHW,), dynamic_shapes=({0: free, **sizes},))
    torch.export.save(program, path, extra_files={LABEL_FILE: _label_text(label)})


def _label_text(label: Label) -> str:
    return json.dumps(label.as_strings(), sort_keys=True)


def _open_onnx(path: Path) -> Runtime:
    return OnnxNetwork(path, num_threads=1)


def _open_program(path: Path) -> Runtime:
    from vcd.descriptors.programs import load_program

    return TorchNetwork(load_program(path), device="cpu", is_program=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Format:
    """How one format is written and opened again."""

    suffix: str
    write: "Callable[[nn.Module, Label, Path, int | None], None]"
    open: Callable[[Path], Runtime]


EXPORT_FORMATS: Mapping[str, _Format] = MappingProxyType(
    {
        "onnx": _Format(suffix=".onnx", write=_write_onnx, open=_open_onnx),
        "torchscript": _Format(suffix=".torchscript.pt", write=_write_script, open=_open_program),
        "torch_export": _Format(suffix=".pt2", write=_write_program, open=_open_program),
    }
)
"""The formats by the name that ``--to`` takes."""
