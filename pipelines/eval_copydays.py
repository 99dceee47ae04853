"""`vcd eval copydays`: strong mean AP and micro-AP of image descriptors, as for Copydays."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.results import (
    Interval95,
    intervals_of,
    provenance,
    results_document,
    results_table,
)
from pipelines.track_files import of_form, searching
from vcd.config import load_settings
from vcd.descriptors import DescriptorRows, read_descriptor_rows
from vcd.evaluation.bootstrap import ratio_of
from vcd.evaluation.copydays import COPYDAYS_BUDGET, joined, true_originals
from vcd.evaluation.disc2021 import FLAT, Codec, Training, ranked_pairs, searched_rows
from vcd.evaluation.micro_ap import ScoredPairs
from vcd.evaluation.tables import Candidates
from vcd.evaluation.trapezoid_ap import (
    query_trapezoid_aps,
    resampled_trapezoid_micro_ap,
    trapezoid_mean_ap,
    trapezoid_micro_ap,
)

__all__ = ["main"]

_ABOUT = """\
Rank images by their descriptors, as the evaluation of SSCD does on Copydays.

  strong_mean_ap   of each strong query's own ranking
  micro_ap         of all queries in one ranking; both by the trapezoid rule

A query is an edit of the reference whose file name begins with the same four characters. The 100
nearest references of each query are ranked by minus their squared L2 distance. As published:

  --queries strong.npz --more-queries crops_and_jpeg.npz --refs original.npz
  --distractors yfcc_10k.npz --background yfcc_20k.npz --codec PCAW512,L2norm,Flat"""


def main(argv: Sequence[str]) -> int:
    """Run the action; see ``vcd eval copydays --help``."""
    arguments = _parse(argv)
    load_settings(arguments.config, {})
    files = {role: read_descriptor_rows(path) for role, path in _inputs(arguments).items()}
    query = joined(files["queries"], files.get("more_queries"))
    ref = joined(files["references"], files.get("distractors"))
    truth = true_originals(query, files["references"])
    found = _ranked(query, ref, files.get("background"), arguments.codec)
    metrics, intervals = _measured(found, truth, np.unique(files["queries"].video_ids))
    counts = {
        "queries": len(query.runs),
        "strong_queries": len(files["queries"].runs),
        "references": len(files["references"].runs),
        "distractors": len(ref.runs) - len(files["references"].runs),
        "ranked_pairs": len(found),
    }
    if arguments.json:
        origin = provenance(
            inputs=_inputs(arguments),
            settings={"whitening_dim": arguments.codec.whitening_dim},
            spaces={role: rows.space for role, rows in files.items()},
        )
        console.print_json(results_document(metrics, intervals, origin, counts=counts))
    else:
        print(results_table(metrics, intervals, counts))
    return 0


def _ranked(
    query: DescriptorRows, ref: DescriptorRows, background: DescriptorRows | None, codec: Codec
) -> Candidates:
    training = None if background is None else Training(rows=background, score_norm=None)
    with tempfile.TemporaryDirectory(prefix="vcd-eval-") as folder:
        rows = searched_rows(query, ref, training, codec, Path(folder))
        with searching("search") as tell:
            return ranked_pairs(rows, COPYDAYS_BUDGET, tell)


def _measured(
    found: Candidates, truth: Candidates, strong_ids: NDArray[np.str_]
) -> tuple[dict[str, float], dict[str, Interval95]]:
    pairs = ScoredPairs.from_candidates(found, truth)
    strong = ScoredPairs.from_candidates(_of(found, strong_ids), _of(truth, strong_ids))
    mean_ap = ratio_of(query_trapezoid_aps(strong), np.minimum(strong.num_true, 1))
    metrics = {
        "strong_mean_ap": trapezoid_mean_ap(strong),
        "micro_ap": trapezoid_micro_ap(pairs),
    }
    intervals = {
        **intervals_of({"strong_mean_ap": mean_ap}, strong.num_queries),
        **intervals_of({"micro_ap": resampled_trapezoid_micro_ap(pairs)}, pairs.num_queries),
    }
    return metrics, intervals


def _of(pairs: Candidates, query_ids: NDArray[np.str_]) -> Candidates:
    chosen = np.isin(pairs.query_ids, query_ids)
    return Candidates(
        query_ids=pairs.query_ids[chosen],
        ref_ids=pairs.ref_ids[chosen],
        score=pairs.score[chosen],
    )


def _inputs(arguments: argparse.Namespace) -> dict[str, Path]:
    inputs = {
        "queries": arguments.queries,
        "more_queries": arguments.more_queries,
        "references": arguments.refs,
        "distractors": arguments.distractors,
        "background": arguments.background,
    }
    return {role: path for role, path in inputs.items() if path is not None}


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("eval copydays", _ABOUT)
    parser.add_argument(
        "--queries", required=True, type=Path, metavar="Q.npz", help="the strong edits"
    )
    parser.add_argument(
        "--more-queries", type=Path, metavar="M.npz", help="other edits, for micro_ap only"
    )
    parser.add_argument("--refs", required=True, type=Path, metavar="R.npz", help="the originals")
    parser.add_argument(
        "--distractors", type=Path, metavar="D.npz", help="references that are never right"
    )
    parser.add_argument("--background", type=Path, metavar="B.npz", help="to learn whitening of")
    parser.add_argument(
        "--codec",
        type=of_form(Codec.from_text),
        default=FLAT,
        metavar="C",
        help="Flat (default), or PCAW<D>,L2norm,Flat: whitened to D dimensions",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    arguments = parser.parse_args(argv)
    if arguments.codec.whitening_dim is not None and arguments.background is None:
        parser.error(f"--codec PCAW{arguments.codec.whitening_dim},... needs --background")
    return arguments
