"""Turn a training checkpoint into the shipped weights: ``python -m pipelines.export_bundled FILE``.

Writes ``vcd_compact.safetensors`` (matrices and kernels in float16, vectors in float32),
``vcd_compact.onnx`` (the same numbers, cast to float32 inside the graph, batch of any size) and
``vcd_compact.json`` (what a reader must know to use them). What similarities mean is measured on
held-out photographs.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipelines.train_measure import squashed
from vcd.core.errors import VcdError
from vcd.descriptors import SpaceProfile
from vcd.descriptors.exports import halved, write_export, write_safetensors
from vcd.descriptors.label import Label
from vcd.descriptors.onnx_file import INPUT_NAME, OUTPUT_NAME
from vcd.descriptors.runtimes import OnnxNetwork, usable_cores
from vcd.descriptors.weights_cache import digest_weights
from vcd.evaluation.synthesis.disc_like import (
    DiscLikeSet,
    make_disc_like,
    score_disc_like,
    stranger_quantiles,
)
from vcd.training.data import read_held_out

if TYPE_CHECKING:
    from vcd.training.checkpoint import Checkpoint

__all__ = [
    "MEASURED_SEED",
    "export_bundled",
    "held_out_set",
    "main",
    "onnx_features",
    "onnx_similarity",
]

NAME = "vcd_compact"

MEASURED_SEED = 2
MEASURED_REFS = 1000
MEASURED_QUERIES = 2040
"""Size of the set that the model card quotes: 40 copies for each of the 17 edits."""


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
        SetupError: the checkpoint cannot be read or fits no trunk, or torch and ONNX Runtime
            disagree.
    """
    from vcd.descriptors.state_dicts import network_from, parameters_from
    from vcd.training.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(checkpoint_file)
    settings = json.loads(checkpoint["settings"])
    side_px = input_px or settings["input_px"]
    weights = halved(checkpoint["average"])
    parameters = parameters_from(checkpoint_file, weights)
    network = network_from(parameters)
    label = Label(
        name=NAME,
        trunk=parameters.trunk,
        dim=parameters.dim,
        digest=parameters.digest,
        quantization=parameters.quantization,
        preprocessing=f"skew_{side_px}",
        commit=checkpoint.get("commit"),
    )
    out.mkdir(parents=True, exist_ok=True)
    tensors, graph = out / f"{NAME}.safetensors", out / f"{NAME}.onnx"
    write_export(network, label, graph, to="onnx", fixed_size=True)
    disc = held_out_set(photos, every=settings["holdout_every"])
    card = _card(checkpoint, label, disc, onnx_similarity(graph, disc, side_px), min_score)
    label = replace(label, profile=SpaceProfile(**card["thresholds"]))
    write_export(network, label, graph, to="onnx", fixed_size=True)
    write_safetensors(weights, label, tensors)
    card["digests"] = {file.name: digest_weights(file) for file in (tensors, graph)}
    (out / f"{NAME}.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def held_out_set(photos: Path, *, every: int) -> DiscLikeSet:
    """Make the DISC-like set of the photographs that training has not seen."""
    held_out = read_held_out(photos, every=every)
    num_refs = min(MEASURED_REFS, 2 * len(held_out) // 3)
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
    network = OnnxNetwork(graph, num_threads=usable_cores())
    parts = [
        network.describe(squashed(pictures[first : first + 32], input_px))
        for first in range(0, len(pictures), 32)
    ]
    return np.concatenate(parts)


def _card(
    checkpoint: "Checkpoint",
    label: Label,
    disc: DiscLikeSet,
    similarity: NDArray[np.float32],
    min_score: float,
) -> dict[str, Any]:
    """Write down what the weights are, how they are used and what their similarities mean.

    A cell of an alignment counts from where one pair of strangers in two hundred lies, a hit from
    where one in two thousand does, two images are near-duplicates from where one in a hundred
    thousand does (docs/design/dedup.md). From which score a match is reported is not measured here
    but on slide shows of held-out photographs (docs/design/thresholds.md).
    """
    settings = json.loads(checkpoint["settings"])
    measured = score_disc_like(disc, similarity)
    evidence, hit, near = stranger_quantiles(disc, similarity, (0.995, 0.9995, 0.99999))
    return {
        "name": label.name,
        "trunk": label.trunk,
        "dim": label.dim,
        "preprocessing": label.preprocessing,
        "resampling": "antialiased bilinear",
        "onnx_input": INPUT_NAME,
        "onnx_output": OUTPUT_NAME,
        "thresholds": {
            "min_similarity": round(evidence, 3),
            "hit_floor": round(hit, 3),
            "near_duplicate": round(near, 3),
            "min_score": min_score,
        },
        "measured": {name: round(value, 4) for name, value in measured.items()},
        "training": settings | {"trained_steps": checkpoint["step"]},
        "commit": label.commit,
    }


if __name__ == "__main__":
    sys.exit(main())
