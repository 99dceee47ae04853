"""Export a network to ONNX once and keep it for every later start.

    cache/exports/<revision>-<SHA-256 of the weights file>/  network.onnx  record.json

The folder appears whole or not at all. What is in it was compared with torch when it was made
(`exports`); its own digest is checked each time it is used. A start that finds it never imports
torch.
"""

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from vcd.core import SetupError, VcdError
from vcd.descriptors.exports import write_export
from vcd.descriptors.label import Label
from vcd.descriptors.weights import WeightsFile
from vcd.descriptors.weights_cache import WeightsCache, digest_weights

if TYPE_CHECKING:
    from torch import nn

__all__ = ["find_export", "keep_export"]

_REVISION = 2
"""Raise it when the exporter changes: older exports are then made anew."""


def find_export(weights: WeightsFile, cache: WeightsCache) -> tuple[Path, Label] | None:
    """Look for the export of these weights; None when there is none or it is damaged."""
    folder = _folder(weights, cache)
    path = folder / "network.onnx"
    try:
        record = json.loads((folder / "record.json").read_text("utf-8"))
        label = Label.from_strings(folder, record["label"])
        if label is None or digest_weights(path) != record["onnx_sha256"]:
            return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, VcdError):
        return None
    return path, label


def keep_export(
    weights: WeightsFile, label: Label, network: "nn.Module", cache: WeightsCache
) -> Path:
    """Export a network, compare it with torch, and publish it in the cache.

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
            export = write_export(network, label, made / "network.onnx", to="onnx")
            record = {"label": label.as_strings(), "onnx_sha256": export.sha256}
            (made / "record.json").write_text(json.dumps(record, indent=2), "utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    except OSError as error:
        raise SetupError(f"{folder}: cannot keep the exported network: {error}") from error
    return folder / "network.onnx"


def _folder(weights: WeightsFile, cache: WeightsCache) -> Path:
    return cache.folder / "exports" / f"{_REVISION}-{weights.sha256}"
