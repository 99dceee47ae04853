"""`vcd eval vsc-matching`: segment AP and pair micro-AP of a matches file, as VSC2022 has them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.curve_picture import Curve, save_curves
from pipelines.results import intervals_of, provenance, results_document, results_table
from vcd.config import load_settings
from vcd.evaluation.files.splits import IdsOf, check_same_split
from vcd.evaluation.files.vsc_files import read_ground_truth, read_segments
from vcd.evaluation.micro_ap import ScoredPairs, micro_ap, micro_curve
from vcd.evaluation.resampled_pairs import resampled_micro_ap
from vcd.evaluation.segment_ap import SegmentCurve, segment_curve
from vcd.evaluation.tables import Segments

__all__ = ["main"]

_ABOUT = """\
Score matches against true segments, as the matching track of VSC2022 does.

  segment_ap   how much of the copied time is found, how exactly, at which confidence
  micro_ap     how well the best match of each pair ranks the true pairs

Both files are CSV, columns in any order: query_id, ref_id, query_start, query_end, ref_start,
ref_end (seconds), and score in the matches. Intervals cover 95 % of 1,000 resamples of the
queries."""


def main(argv: Sequence[str]) -> int:
    """Run the action; see ``vcd eval vsc-matching --help``."""
    arguments = _parse(argv)
    load_settings(arguments.config, {})
    matches, truth = read_segments(arguments.matches), read_ground_truth(arguments.ground_truth)
    notes = check_same_split(
        IdsOf(origin=str(arguments.matches), query_ids=matches.query_ids, ref_ids=matches.ref_ids),
        IdsOf(origin=str(arguments.ground_truth), query_ids=truth.query_ids, ref_ids=truth.ref_ids),
    )
    for note in notes:
        console.say(note)
    curve = segment_curve(matches, truth)
    pairs = ScoredPairs.from_candidates(matches.pairs(), truth.pairs())
    metrics = {"segment_ap": curve.ap(), "micro_ap": micro_ap(pairs)}
    resampled = {"segment_ap": curve.resampled_ap(), "micro_ap": resampled_micro_ap(pairs)}
    intervals = intervals_of(resampled, curve.num_queries)
    counts = _counts(matches, truth, curve)
    if arguments.json:
        origin = provenance(
            inputs={"matches": arguments.matches, "ground_truth": arguments.ground_truth},
            settings={},
        )
        console.print_json(results_document(metrics, intervals, origin, counts=counts))
    else:
        print(results_table(metrics, intervals, counts))
    if arguments.picture is not None:
        _draw(arguments.picture, curve, pairs)
    return 0


def _counts(matches: Segments, truth: Segments, curve: SegmentCurve) -> dict[str, int]:
    return {
        "matches": len(matches),
        "matched_pairs": len(matches.pairs()),
        "true_segments": len(truth),
        "true_pairs": len(truth.pairs()),
        "queries": curve.num_queries,
    }


def _draw(path: Path, curve: SegmentCurve, pairs: ScoredPairs) -> None:
    precision, recall = curve.precision_recall()
    segments = Curve(name="segments", precision=precision, recall=recall, ap=curve.ap())
    precision, recall, _ = micro_curve(pairs)
    ranked = Curve(name="pairs", precision=precision, recall=recall, ap=micro_ap(pairs))
    save_curves(path, "VSC2022, matching track", [segments, ranked])


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("eval vsc-matching", _ABOUT)
    parser.add_argument("--matches", required=True, type=Path, metavar="FILE.csv")
    parser.add_argument("--ground-truth", required=True, type=Path, metavar="FILE.csv")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="draw precision over recall"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser.parse_args(argv)
