"""`vcd eval disc`: micro-AP, recall and accuracy of image descriptors, as for DISC2021."""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.results import (
    Interval95,
    intervals_of,
    provenance,
    results_document,
    results_table,
)
from pipelines.track_files import of_form, ranked_counts, say_how_ids_fit, searching, track_inputs
from vcd.config import load_settings
from vcd.descriptors import DescriptorRows, read_descriptor_rows
from vcd.evaluation.bootstrap import ratio_of
from vcd.evaluation.derived_rows import ScoreNormRule
from vcd.evaluation.disc2021 import (
    FLAT,
    SSCD_SCORE_NORM,
    Budget,
    Codec,
    Training,
    ranked_pairs,
    searched_rows,
)
from vcd.evaluation.files.truth_files import read_pairs
from vcd.evaluation.micro_ap import (
    ScoredPairs,
    accuracy_at_1,
    found_within_rank,
    isc_micro_ap,
    recall_at_precision,
)
from vcd.evaluation.resampled_pairs import resampled_isc_micro_ap, resampled_recall_at_precision
from vcd.evaluation.tables import Candidates

__all__ = ["main"]

_ABOUT = """\
Rank pairs of images by their descriptors, as the evaluation of SSCD does on DISC2021.

  micro_ap        of equal scores, wrong pairs count first
  recall_at_p90   highest recall at a precision of 90 %; none where it is never reached
  accuracy_at_1   share of the true pairs that score above all other pairs of their query

Rows are ranked by minus their squared L2 distance; with --background (the training split), by
inner product with score normalization 1.0[0,2]. The ground truth is a CSV of pairs,
query_id,reference_id, with or without a header."""

_PRECISION = 0.9


def main(argv: Sequence[str]) -> int:
    """Run the action; see ``vcd eval disc --help``."""
    arguments = _parse(argv)
    load_settings(arguments.config, {})
    files = {
        role: read_descriptor_rows(path)
        for role, path in track_inputs(arguments).items()
        if role != "ground_truth"
    }
    truth = read_pairs(arguments.ground_truth)
    say_how_ids_fit(files["queries"], files["references"], truth, str(arguments.ground_truth))
    found = _ranked(files, arguments)
    pairs = ScoredPairs.from_candidates(found, truth)
    metrics, intervals = _measured(pairs)
    counts = ranked_counts(files["queries"], files["references"], pairs)
    if arguments.json:
        spaces = {role: rows.space for role, rows in files.items()}
        origin = provenance(
            inputs=track_inputs(arguments), settings=_settings(arguments), spaces=spaces
        )
        console.print_json(results_document(metrics, intervals, origin, counts=counts))
    else:
        print(results_table(metrics, intervals, counts))
    return 0


def _ranked(files: dict[str, DescriptorRows], arguments: argparse.Namespace) -> Candidates:
    training = None
    if "background" in files:
        training = Training(rows=files["background"], score_norm=arguments.score_norm)
    with tempfile.TemporaryDirectory(prefix="vcd-eval-") as folder:
        rows = searched_rows(
            files["queries"], files["references"], training, arguments.codec, Path(folder)
        )
        with searching("search") as tell:
            return ranked_pairs(rows, arguments.candidates, tell)


def _measured(pairs: ScoredPairs) -> tuple[dict[str, float | None], dict[str, Interval95]]:
    recall, threshold = recall_at_precision(pairs, _PRECISION)
    metrics = {
        "micro_ap": isc_micro_ap(pairs),
        "recall_at_p90": recall if threshold is not None else None,
        "accuracy_at_1": accuracy_at_1(pairs),
        "threshold_at_p90": threshold,
    }
    resampled = {
        "micro_ap": resampled_isc_micro_ap(pairs),
        "recall_at_p90": resampled_recall_at_precision(pairs, _PRECISION),
        "accuracy_at_1": ratio_of(found_within_rank(pairs, 1), pairs.num_true),
    }
    return metrics, intervals_of(resampled, pairs.num_queries)


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    norm: ScoreNormRule | None = arguments.score_norm
    return {
        "whitening_dim": arguments.codec.whitening_dim,
        "score_norm": None if norm is None else str(norm),
        "candidates_per_query": arguments.candidates.num_refs,
        "is_global": arguments.candidates.is_global,
    }


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("eval disc", _ABOUT)
    parser.add_argument("--queries", required=True, type=Path, metavar="Q.npz")
    parser.add_argument("--refs", required=True, type=Path, metavar="R.npz")
    parser.add_argument("--ground-truth", required=True, type=Path, metavar="GT.csv")
    parser.add_argument(
        "--background",
        type=Path,
        metavar="B.npz",
        help="training split: for score normalization and whitening",
    )
    parser.add_argument(
        "--codec",
        type=of_form(Codec.from_text),
        default=FLAT,
        metavar="C",
        help="Flat (default), or PCAW<D>,L2norm,Flat: whitened to D dimensions",
    )
    parser.add_argument(
        "--score-norm",
        type=of_form(_score_norm),
        default=SSCD_SCORE_NORM,
        metavar="W[F,L]",
        help="weight and first and last background neighbour, or none (default 1.0[0,2])",
    )
    parser.add_argument(
        "--candidates",
        type=of_form(Budget.from_text),
        default=Budget(),
        metavar="N",
        help="references a query (default 10); N,global: N times the queries, the best of all",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    arguments = parser.parse_args(argv)
    _complete(arguments, parser)
    return arguments


def _complete(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse what is asked for and needs a background, when there is none."""
    if arguments.background is not None:
        return
    if arguments.codec.whitening_dim is not None:
        parser.error(f"--codec PCAW{arguments.codec.whitening_dim},... needs --background")
    if arguments.score_norm is not None and arguments.score_norm is not SSCD_SCORE_NORM:
        parser.error("--score-norm needs --background")
    arguments.score_norm = None


def _score_norm(text: str) -> ScoreNormRule | None:
    return None if text == "none" else ScoreNormRule.from_text(text)
