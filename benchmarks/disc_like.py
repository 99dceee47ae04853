"""Measure descriptors on a DISC-like set of held-out photographs, beside PDQ and no training.

    python -m benchmarks.disc_like PHOTOS [--weights FILE.onnx ...] [--json]

1,000 references and 2,040 queries, two thirds of which match nothing, each of 17 edits equally
often. The photographs are those whose names training holds out (one in six, by hash), the edits
those of `vcd.evaluation.synthesis.edits`, which share no code with the edits of training. All
pairs of all queries compete. By edit: share of the copies above the one threshold that gives 90 %
precision over the whole set, and share of the copies that rank first.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.export_bundled import held_out_set, onnx_similarity
from pipelines.train_measure import described, pdq_similarity, squashed
from vcd.evaluation import DiscLikeSet, score_by_edit, score_disc_like

BUNDLED = Path("vcd/descriptors/bundled/vcd_compact.onnx")


def main(argv: Sequence[str] | None = None) -> int:
    raw = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", type=Path, nargs="+", default=[BUNDLED])
    parser.add_argument("--input-px", type=int, help="default: what the card beside the file says")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    disc = held_out_set(arguments.photos, every=6)
    similarities = {}
    for file in arguments.weights:
        began_s = time.perf_counter()
        input_px = arguments.input_px or stated_input_px(file)
        similarities[f"{file.with_suffix('')} at {input_px} px"] = onnx_similarity(
            file, disc, input_px
        )
        took_ms = 1e3 * (time.perf_counter() - began_s) / (len(disc.queries) + len(disc.refs))
        print(f"{file.stem}: {took_ms:.1f} ms an image, resize included", file=sys.stderr)
    similarities["untrained"] = untrained_similarity(disc)
    pdq = pdq_similarity(disc)
    if pdq is not None:
        similarities["PDQ"] = pdq
    report: dict[str, dict[str, Any]] = {
        name: {"all": score_disc_like(disc, each), "by_edit": score_by_edit(disc, each)}
        for name, each in similarities.items()
    }
    print(json.dumps(report, indent=2) if arguments.json else as_table(report))
    return 0


def stated_input_px(file: Path) -> int:
    card = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    return int(card["preprocessing"].removeprefix("skew_"))


def untrained_similarity(disc: DiscLikeSet) -> NDArray[np.float32]:
    import torch

    from vcd.descriptors.sscd import build_network

    torch.manual_seed(1)
    network = build_network("resnet18_w32", 256).eval()
    queries, refs = (described(network, squashed(each, 128)) for each in (disc.queries, disc.refs))
    similarity: NDArray[np.float32] = queries @ refs.T
    return similarity


def as_table(report: dict[str, dict[str, Any]]) -> str:
    names = list(report)
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for metric in ("micro_ap", "recall_at_p90", "accuracy_at_1"):
        cells = [f"{report[name]['all'][metric]:.3f}" for name in names]
        lines.append(f"| {metric} | " + " | ".join(cells) + " |")
    lines += ["", "Recall at 90 % precision / accuracy at 1, by edit:", "", *lines[:2]]
    for edit in next(iter(report.values()))["by_edit"]:
        rows = [report[name]["by_edit"][edit] for name in names]
        cells = [f"{row['recall_at_p90']:.2f} / {row['accuracy_at_1']:.2f}" for row in rows]
        lines.append(f"| {edit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
