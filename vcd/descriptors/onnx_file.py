"""Write a network as one ONNX file.

The parameters stay under their own names and with their own values: nothing is folded into the
kernels here, ONNX Runtime folds when it loads. So parameters that are halves can be stored as
halves, and the file has half the size without a bit lost.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcd.core import SetupError

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

__all__ = ["INPUT_NAME", "OUTPUT_NAME", "write_onnx"]

INPUT_NAME = "pixels_BCHW"
OUTPUT_NAME = "features_BD"

_OPSET = 18


def write_onnx(
    network: "nn.Module",
    path: Path,
    *,
    size_px: int | None = None,
    halves: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the network as one ONNX file whose batch is free.

    Args:
        network: ``(B, 3, H, W)`` standardized float32 pixels to ``(B, D)``.
        path: of the file.
        size_px: the one side of the square pictures that it takes; None for any size.
        halves: store matrices and kernels as float16, cast to float32 inside the graph. Loses
            nothing where they were rounded to halves before.
        metadata: what other programs read beside the graph.

    Raises:
        SetupError: torch cannot export the network.
    """
    import onnx

    model = _exported(network, size_px)
    if halves:
        _halve_constants(model)
    for node in model.graph.node:
        del node.metadata_props[:]  # where in the source it came from: half the size of the file
        node.doc_string = ""
    onnx.helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _exported(network: "nn.Module", size_px: int | None) -> "ModelProto":
    import torch
    from onnxscript import optimizer

    free = torch.export.Dim.DYNAMIC
    height_px, width_px = (96, 128) if size_px is None else (size_px, size_px)
    sizes = {2: free, 3: free} if size_px is None else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations are not the user's
        program = torch.onnx.export(
            network.eval(),
            (torch.zeros(2, 3, height_px, width_px),),
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_shapes=({0: free, **sizes},),
            opset_version=_OPSET,
            dynamo=True,
            optimize=False,
            verbose=False,
        )
    if program is None:
        raise SetupError("torch exported no ONNX program")
    model = program.model_proto
    # Or ONNX Runtime cannot fold the casts: 1.7 times slower (docs/design/descriptors.md).
    optimizer.fold_constants(model, onnx_shape_inference=True)
    optimizer.remove_unused_nodes(model)
    del model.graph.value_info[:]
    return model


def _halve_constants(model: "ModelProto") -> None:
    """Store every float32 matrix and kernel as float16 behind a Cast."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for constant in model.graph.initializer:
        if constant.data_type != TensorProto.FLOAT or len(constant.dims) < 2:
            continue
        halves = numpy_helper.to_array(constant).astype(np.float16)
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(halves, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
