"""Export a network to ONNX once, check it against torch, and keep it for every later start.

    cache/exports/<revision>-<SHA-256 of the weights file>/  network.onnx  record.json

The folder appears whole or not at all. What is in it was compared with torch when it was made;
its own digest is checked each time it is used. A start that finds it never imports torch.
"""

import json
import shutil
import tempfile
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcd.core import SetupError
from vcd.descriptors.postprocess import l2_normalize
from vcd.descriptors.runtimes import OnnxNetwork, usable_cores
from vcd.descriptors.weights import WeightsFile
from vcd.descriptors.weights_cache import WeightsCache, digest_weights

if TYPE_CHECKING:
    from torch import nn

    from vcd.descriptors.state_dicts import Parameters

__all__ = ["ExportRecord", "export_network", "find_export"]

_REVISION = 1
"""Raise it when the exporter changes: older exports are then made anew."""

_TOLERANCE = 1e-4
"""How far a coordinate of a unit descriptor may be from torch's."""

_CHECKED_SIZES_PX = ((96, 96), (96, 160))
"""Two shapes, for a network that was frozen to one of them would pass on that one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecord:
    """What is known of an export without loading the weights it was made of.

    Attributes:
        trunk: name in `TRUNKS`.
        dim: length of a descriptor.
        quantization: of the weights' storage, ``none`` or ``fp16``.
        digest: of the parameters' values.
        onnx_sha256: of the exported file.
    """

    trunk: str
    dim: int
    quantization: str
    digest: str
    onnx_sha256: str


def find_export(weights: WeightsFile, cache: WeightsCache) -> tuple[Path, ExportRecord] | None:
    """Look for the export of these weights; None when there is none or it is damaged."""
    folder = _folder(weights, cache)
    path = folder / "network.onnx"
    try:
        record = ExportRecord(**json.loads((folder / "record.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    if not path.is_file() or digest_weights(path) != record.onnx_sha256:
        return None
    return path, record


def export_network(
    weights: WeightsFile,
    parameters: "Parameters",
    network: "nn.Module",
    cache: WeightsCache,
) -> tuple[Path, ExportRecord]:
    """Export a network, compare it with torch on random pictures, and publish it in the cache.

    Raises:
        SetupError: the export differs from torch, or the cache cannot be written.
    """
    folder = _folder(weights, cache)
    try:
        cache.make_folder()
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            made = Path(temporary) / "made"
            made.mkdir()
            write_onnx(network, made / "network.onnx")
            _check_against_torch(made / "network.onnx", network, weights)
            record = ExportRecord(
                trunk=parameters.trunk,
                dim=parameters.dim,
                quantization=parameters.quantization,
                digest=parameters.digest,
                onnx_sha256=digest_weights(made / "network.onnx"),
            )
            (made / "record.json").write_text(json.dumps(asdict(record), indent=2), "utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    except OSError as error:
        raise SetupError(f"{folder}: cannot keep the exported network: {error}") from error
    return folder / "network.onnx", record


def write_onnx(network: "nn.Module", path: Path) -> None:
    """Write the network as one ONNX file whose batch, height and width are free."""
    import torch

    example_BCHW = torch.zeros(2, 3, 96, 128)
    free = torch.export.Dim.DYNAMIC
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's
        torch.onnx.export(
            network.eval(),
            (example_BCHW,),
            str(path),
            dynamo=True,
            dynamic_shapes=({0: free, 2: free, 3: free},),
            input_names=["pixels_BCHW"],
            output_names=["features_BD"],
            external_data=False,
            verbose=False,
        )


def _check_against_torch(path: Path, network: "nn.Module", weights: WeightsFile) -> None:
    import torch

    exported = OnnxNetwork(path, num_threads=usable_cores())
    rng = np.random.default_rng(0)
    for num_frames, (height_px, width_px) in enumerate(_CHECKED_SIZES_PX, start=1):
        shape = (num_frames, height_px, width_px, 3)
        pixels_BHWC = rng.integers(0, 256, shape, dtype=np.uint8)
        found_BD = exported.describe(pixels_BHWC)
        from vcd.descriptors.preprocess import standardize_pixels

        with torch.inference_mode():
            wanted = network(torch.from_numpy(standardize_pixels(pixels_BHWC))).float().numpy()
        worst = float(np.abs(found_BD - l2_normalize(wanted)).max())
        if not worst <= _TOLERANCE:
            raise SetupError(
                f"{weights.path}: the ONNX export differs from torch by {worst:.1e}, "
                f"more than {_TOLERANCE:.0e}"
            )


def _folder(weights: WeightsFile, cache: WeightsCache) -> Path:
    return cache.folder / "exports" / f"{_REVISION}-{weights.sha256}"
