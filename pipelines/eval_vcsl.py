"""`vcd eval vcsl`: segment precision, recall and F of a matches file, as VCSL has them."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.results import intervals_of, provenance, results_document, results_table
from vcd.config import load_settings
from vcd.evaluation.files.splits import IdsOf, check_same_split
from vcd.evaluation.files.truth_files import read_pairs, read_vcsl_boxes
from vcd.evaluation.files.vsc_files import read_ground_truth, read_segments
from vcd.evaluation.tables import Candidates, Segments
from vcd.evaluation.vcsl import VcslScores, vcsl_scores

__all__ = ["main"]

_ABOUT = """\
Score matches against true segments, as VCSL does: one operating point, no confidence.

  precision, recall, f_score    over all pairs ("overall, segment level")
  false_rejection_rate          pairs that are copies and of which nothing was said
  false_alarm_rate              pairs that are none and of which something was said

Both files are CSV (query_id, ref_id, query_start, query_end, ref_start, ref_end, and score in the
matches) or VCSL's JSON. Intervals cover 95 % of 1,000 resamples of the queries.

The rates are shares of half of all pairs that were compared, as published: list these, negative
ones too, with --pairs, unless the ground truth does; else there are none."""

_RATES = ("false_rejection_rate", "false_alarm_rate")

_read_matches = partial(read_segments, keeps_ids=True)
_read_truth = partial(read_ground_truth, keeps_ids=True)


def main(argv: Sequence[str]) -> int:
    """Run the action; see ``vcd eval vcsl --help``."""
    arguments = _parse(argv)
    load_settings(arguments.config, {})
    matches, matched = read_vcsl_boxes(arguments.matches, _read_matches)
    truth, true_pairs = read_vcsl_boxes(arguments.ground_truth, _read_truth)
    inputs = {"matches": arguments.matches, "ground_truth": arguments.ground_truth}
    tables = [matched, true_pairs]
    if arguments.pairs is not None:
        inputs["pairs"] = arguments.pairs
        tables.append(read_pairs(arguments.pairs))
    for note in check_same_split(
        _ids(arguments.matches, matched), _ids(arguments.ground_truth, true_pairs)
    ):
        console.say(note)
    scores = vcsl_scores(matches, truth, judged=_union(tables))
    metrics: dict[str, float | None] = asdict(scores.micro())
    intervals = intervals_of(scores.resampled_micro(), scores.num_queries)
    if arguments.pairs is None and len(true_pairs) == len(truth.pairs()):
        console.say("no rates: the pairs that were compared and are no copies are not listed")
        metrics |= dict.fromkeys(_RATES)
        intervals = {name: value for name, value in intervals.items() if name not in _RATES}
    counts = _counts(matches, truth, scores)
    if arguments.json:
        origin = provenance(inputs=inputs, settings={})
        console.print_json(results_document(metrics, intervals, origin, counts=counts))
    else:
        print(results_table(metrics, intervals, counts))
    return 0


def _ids(path: Path, pairs: Candidates) -> IdsOf:
    return IdsOf(origin=str(path), query_ids=pairs.query_ids, ref_ids=pairs.ref_ids)


def _union(tables: Sequence[Candidates]) -> Candidates:
    """Put pairs together, each once."""
    columns = [zip(each.query_ids.tolist(), each.ref_ids.tolist(), strict=True) for each in tables]
    pairs = list(dict.fromkeys(pair for column in columns for pair in column))
    return Candidates(
        query_ids=np.array([query for query, _ in pairs], dtype=np.str_),
        ref_ids=np.array([ref for _, ref in pairs], dtype=np.str_),
        score=np.ones(len(pairs)),
    )


def _counts(matches: Segments, truth: Segments, scores: VcslScores) -> dict[str, int]:
    return {
        "matches": len(matches),
        "true_segments": len(truth),
        "pairs": len(scores.query),
        "queries": scores.num_queries,
    }


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("eval vcsl", _ABOUT)
    parser.add_argument("--matches", required=True, type=Path, metavar="FILE")
    parser.add_argument("--ground-truth", required=True, type=Path, metavar="FILE")
    parser.add_argument(
        "--pairs", type=Path, metavar="FILE.csv", help="all pairs that were compared"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser.parse_args(argv)
