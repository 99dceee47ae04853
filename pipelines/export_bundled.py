"""Turn a training checkpoint into the shipped weights: ``python -m pipelines.export_bundled FILE``.

Writes ``vcd_compact.safetensors`` (matrices and kernels in float16, vectors in float32),
``vcd_compact.onnx`` (the same numbers, cast to float32 inside the graph, batch of any size) and
``vcd_compact.json`` (what a reader must know to use them), after checking the two against each
other. Thresholds come from the held-out set of ``benchmarks/disc_like.py``.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcd.core.errors import SetupError

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, nn

__all__ = ["export_bundled", "halved", "main"]

NAME = "vcd_compact"
MAX_DIFFERENCE = 1e-4
"""Largest difference of a descriptor's entry between torch and ONNX Runtime that is accepted."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the export; 0 done, 1 failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="best.pt of a training run")
    parser.add_argument("--out", type=Path, default=Path("vcd/descriptors/bundled"))
    arguments = parser.parse_args(argv)
    try:
        difference = export_bundled(arguments.checkpoint, arguments.out)
    except SetupError as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    print(f"largest difference between torch and ONNX Runtime: {difference:.1e}", file=sys.stderr)
    return 0


def export_bundled(checkpoint_file: Path, out: Path) -> float:
    """Write the three files from the averaged weights of a checkpoint.

    Returns:
        The largest difference between the descriptors of torch and of ONNX Runtime.

    Raises:
        SetupError: the checkpoint cannot be read, or the two disagree.
    """
    from safetensors.torch import save_file

    from vcd.descriptors.sscd import build_network
    from vcd.training.loop import load_checkpoint

    checkpoint = load_checkpoint(checkpoint_file)
    settings = json.loads(checkpoint["settings"])
    weights = halved(checkpoint["average"])
    network = build_network(settings["trunk"], settings["dim"])
    network.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
    network.eval()
    out.mkdir(parents=True, exist_ok=True)
    tensors = out / f"{NAME}.safetensors"
    save_file(weights, tensors)
    tensors.chmod(0o644)
    graph = out / f"{NAME}.onnx"
    graph.write_bytes(_onnx_with_halves(network, settings["input_px"]).SerializeToString())
    difference = _difference(network, graph, settings["input_px"])
    if difference > MAX_DIFFERENCE:
        raise SetupError(f"{graph} differs from torch by {difference:.1e}")
    description = _described(settings, checkpoint["step"], checkpoint["metrics"])
    description["sha256"] = {file.name: _digest(file) for file in (tensors, graph)}
    (out / f"{NAME}.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    return difference


def halved(weights: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Round matrices and kernels to float16; vectors (variances above all) need float32's range.

    Counters of batches, which only training needs, are left out.
    """
    import torch

    return {
        name: (value.half() if value.ndim > 1 else value.clone()).contiguous(
            memory_format=torch.contiguous_format
        )
        for name, value in weights.items()
        if value.is_floating_point()
    }


def _onnx_with_halves(network: "nn.Module", input_px: int) -> "ModelProto":
    """Export the network and store every large float32 constant as float16 behind a Cast."""
    import onnx
    import torch
    from onnx import TensorProto, helper, numpy_helper

    program = torch.onnx.export(
        network,
        (torch.zeros(2, 3, input_px, input_px),),
        input_names=["pixels_BCHW"],
        output_names=["features_BD"],
        dynamic_shapes=({0: torch.export.Dim("B")},),
        opset_version=18,
        dynamo=True,
        optimize=False,
        verbose=False,
    )
    if program is None:
        raise SetupError("torch exported no ONNX program")
    model = program.model_proto
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
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(model)
    return model


def _difference(network: "nn.Module", graph: Path, input_px: int) -> float:
    """Compare torch and ONNX Runtime on batches of one and of five."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    worst = 0.0
    for size in (1, 5):
        pixels = rng.standard_normal((size, 3, input_px, input_px)).astype(np.float32)
        with torch.no_grad():
            eager = network(torch.from_numpy(pixels)).numpy()
        (served,) = session.run(None, {"pixels_BCHW": pixels})
        worst = max(worst, float(np.abs(np.asarray(served) - eager).max()))
    return worst


def _described(
    settings: dict[str, object], step: int, metrics: dict[str, float]
) -> dict[str, object]:
    return {
        "name": NAME,
        "trunk": settings["trunk"],
        "dim": settings["dim"],
        "preprocessing": f"skew_{settings['input_px']}",
        "resampling": "antialiased bilinear",
        "onnx_input": "pixels_BCHW",
        "onnx_output": "features_BD",
        "step": step,
        "held_out": {name: metrics[name] for name in _KEPT_METRICS},
        "threshold": round(metrics["threshold_at_p90"], 4),
        "training": settings,
    }


_KEPT_METRICS = ("micro_ap", "recall_at_p90", "threshold_at_p90", "accuracy_at_1", "pdq_micro_ap")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
