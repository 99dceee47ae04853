"""Turn a training checkpoint into the shipped weights: ``python -m pipelines.export_bundled FILE``.

Writes ``vcd_compact.safetensors`` (matrices and kernels in float16, vectors in float32),
``vcd_compact.onnx`` (the same numbers, cast to float32 inside the graph, batch of any size) and
``vcd_compact.json`` (what a reader must know to use them), after checking the two against each
other. What similarities mean is measured on held-out photographs.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines.train import squashed
from vcd.core.errors import SetupError, VcdError
from vcd.descriptors import SpaceProfile
from vcd.descriptors.preprocess import standardize_pixels
from vcd.evaluation.synthesis.disc_like import (
    DiscLikeSet,
    make_disc_like,
    score_disc_like,
    stranger_quantiles,
)
from vcd.training.data import read_held_out

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, nn

    from vcd.training.loop import Checkpoint

__all__ = [
    "MEASURED_SEED",
    "export_bundled",
    "halved",
    "held_out_set",
    "main",
    "onnx_features",
    "onnx_similarity",
]

NAME = "vcd_compact"

MAX_DIFFERENCE = 1e-4
"""Largest difference of a descriptor's entry between torch and ONNX Runtime that is accepted."""

MEASURED_SEED = 2
MEASURED_REFS = 750
MEASURED_QUERIES = 2295
"""Size of the set that the model card quotes: 45 copies for each of the 17 edits."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the export; 0 done, 1 failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="best.pt of a training run")
    parser.add_argument("--photos", type=Path, required=True, help="what the run was trained on")
    parser.add_argument("--out", type=Path, default=Path("vcd/descriptors/bundled"))
    parser.add_argument("--min-score", type=float, default=SpaceProfile().min_score)
    parser.add_argument("--input-px", type=int, help="instead of what the recipe was measured at")
    arguments = parser.parse_args(argv)
    try:
        card = export_bundled(
            arguments.checkpoint,
            arguments.photos,
            arguments.out,
            min_score=arguments.min_score,
            input_px=arguments.input_px,
        )
    except VcdError as error:
        print(f"export: {error}", file=sys.stderr)
        return 1
    print(json.dumps({name: card[name] for name in ("measured", "thresholds")}, indent=2))
    return 0


def export_bundled(
    checkpoint_file: Path,
    photos: Path,
    out: Path,
    *,
    min_score: float,
    input_px: int | None = None,
) -> dict[str, Any]:
    """Write the three files from the averaged weights of a checkpoint.

    Returns:
        The content of the JSON file.

    Raises:
        SetupError: the checkpoint cannot be read, or torch and ONNX Runtime disagree.
    """
    from safetensors.torch import save_file

    from vcd.descriptors.sscd import build_network
    from vcd.training.loop import load_checkpoint

    checkpoint = load_checkpoint(checkpoint_file)
    settings = json.loads(checkpoint["settings"])
    side_px = input_px or settings["input_px"]
    weights = halved(checkpoint["average"])
    network = build_network(settings["trunk"], settings["dim"])
    network.load_state_dict({name: value.float() for name, value in weights.items()}, strict=False)
    network.eval()
    out.mkdir(parents=True, exist_ok=True)
    tensors, graph = out / f"{NAME}.safetensors", out / f"{NAME}.onnx"
    save_file(weights, tensors)
    tensors.chmod(0o644)
    graph.write_bytes(_onnx_with_halves(network, side_px).SerializeToString())
    _refuse_difference(network, graph, side_px)
    disc = held_out_set(photos, every=settings["holdout_every"])
    similarity = onnx_similarity(graph, disc, side_px)
    card = _card(checkpoint, disc, similarity, min_score)
    card["preprocessing"] = f"skew_{side_px}"
    card["digests"] = {file.name: _digest(file) for file in (tensors, graph)}
    (out / f"{NAME}.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def held_out_set(photos: Path, *, every: int) -> DiscLikeSet:
    """Make the DISC-like set of the photographs that training has not seen."""
    held_out = read_held_out(photos, every=every)
    num_refs = min(MEASURED_REFS, len(held_out) // 2)
    return make_disc_like(
        held_out, num_refs=num_refs, num_queries=MEASURED_QUERIES, seed=MEASURED_SEED
    )


def onnx_similarity(graph: Path, disc: DiscLikeSet, input_px: int) -> NDArray[np.float32]:
    """Describe the set with an ONNX file and compare all queries with all references."""
    queries, refs = (onnx_features(graph, each, input_px) for each in (disc.queries, disc.refs))
    similarity: NDArray[np.float32] = queries @ refs.T
    return similarity


def onnx_features(
    graph: Path, pictures: Sequence[NDArray[np.uint8]], input_px: int
) -> NDArray[np.float32]:
    """Describe pictures with an ONNX file: ``(B, D)`` of length 1."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    parts = [
        session.run(None, {"pixels_BCHW": standardize_pixels(squashed(part, input_px))})[0]
        for part in (pictures[first : first + 32] for first in range(0, len(pictures), 32))
    ]
    return np.concatenate(parts)


def halved(weights: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Round matrices and kernels to float16; vectors (variances above all) need float32's range.

    Counters of batches, which only training needs, are left out.
    """
    return {
        name: (value.half() if value.ndim > 1 else value).clone().contiguous()
        for name, value in weights.items()
        if value.is_floating_point()
    }


def _onnx_with_halves(network: "nn.Module", input_px: int) -> "ModelProto":
    """Export the network and store every large float32 constant as float16 behind a Cast.

    The exporter must not fold the normalizations into the kernels: folded kernels would round
    otherwise than those of the safetensors file. ONNX Runtime folds when it loads.
    """
    import onnx
    import torch
    from onnx import TensorProto, helper, numpy_helper
    from onnxscript import optimizer

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
    # Or ONNX Runtime cannot fold the casts: 1.7 times slower (docs/design/descriptors.md).
    optimizer.fold_constants(model, onnx_shape_inference=True)
    optimizer.remove_unused_nodes(model)
    casts = []
    for constant in model.graph.initializer:
        if constant.data_type != TensorProto.FLOAT or len(constant.dims) < 2:
            continue
        halves = numpy_helper.to_array(constant).astype(np.float16)
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(halves, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(casts + nodes)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(model)
    return model


def _refuse_difference(network: "nn.Module", graph: Path, input_px: int) -> None:
    """Compare torch and ONNX Runtime on batches of one and of five."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for size in (1, 5):
        pixels = rng.standard_normal((size, 3, input_px, input_px)).astype(np.float32)
        with torch.no_grad():
            eager = network(torch.from_numpy(pixels)).numpy()
        (served,) = session.run(None, {"pixels_BCHW": pixels})
        difference = float(np.abs(np.asarray(served) - eager).max())
        if difference > MAX_DIFFERENCE:
            raise SetupError(f"{graph} differs from torch by {difference:.1e}")


def _card(
    checkpoint: "Checkpoint",
    disc: DiscLikeSet,
    similarity: NDArray[np.float32],
    min_score: float,
) -> dict[str, Any]:
    """Write down what the weights are, how they are used and what their similarities mean.

    A cell of an alignment counts from where one pair of strangers in a hundred lies, a hit from
    where one in two thousand does. From which score a match is reported is not measured here but
    on slide shows of held-out photographs (docs/design/thresholds.md).
    """
    settings = json.loads(checkpoint["settings"])
    measured = score_disc_like(disc, similarity)
    evidence, hit = stranger_quantiles(disc, similarity, (0.99, 0.9995))
    return {
        "name": NAME,
        "trunk": settings["trunk"],
        "dim": settings["dim"],
        "preprocessing": f"skew_{settings['input_px']}",
        "resampling": "antialiased bilinear",
        "onnx_input": "pixels_BCHW",
        "onnx_output": "features_BD",
        "thresholds": {
            "min_similarity": round(evidence, 3),
            "hit_floor": round(hit, 3),
            "min_score": min_score,
        },
        "measured": {name: round(value, 4) for name, value in measured.items()},
        "training": settings | {"trained_steps": checkpoint["step"]},
    }


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
