"""What the detector finds in a data set of `vcd synth`: by edit, rate, fit and refinement.

    python -m benchmarks.synth_table DIR --work W [--rates 1 2 4] [--fits none sscd] > out.json

One row for each rate, fit and way to set bounds; every row is `vcd index add` and `vcd check` on
the same videos with no threshold. A table for each goes to stderr, all numbers as JSON to stdout.

*Bounds alone* is the segment AP of the matches that are right, each of the same score, against
the true segments that they lie on: what a perfect detection with these bounds would get.

``--without`` names references that hold the footage of a copied one (a trailer of it, say): a
match to such a twin is right, whatever the ground truth of the set says.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np

from pipelines.known_copies import CheckedSet, check_data_set
from vcd.evaluation.bootstrap import confidence_interval
from vcd.evaluation.by_edit import scores_by_edit
from vcd.evaluation.calibration import found_scores, precision_curve
from vcd.evaluation.files.edits_file import read_edits
from vcd.evaluation.files.vsc_files import read_ground_truth
from vcd.evaluation.micro_ap import ScoredPairs, micro_ap
from vcd.evaluation.segment_ap import segment_ap, segment_curve
from vcd.evaluation.tables import Segments

FITS = {
    "none": {"fit.background": '"none"'},
    "vsc": {"fit.background": '"bundled"', "fit.drop_lowest_variance": "false"},
    "sscd": {
        "fit.background": '"bundled"',
        "fit.weight": "1.0",
        "fit.stop_neighbour": "3",
        "fit.drop_lowest_variance": "false",
    },
}
PRECISION = 0.95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--rates", type=float, nargs="+", default=[1.0, 2.0, 4.0])
    parser.add_argument("--fits", nargs="+", default=["none", "vsc"], choices=FITS)
    parser.add_argument("--bounds", nargs="+", default=["refined", "grid"])
    parser.add_argument("--without", nargs="*", default=[], help="twins: refs not to count")
    arguments = parser.parse_args()
    truth = read_ground_truth(arguments.folder / "ground_truth.csv", keeps_ids=True)
    edits = read_edits(arguments.folder / "edits.csv", truth)
    rows = []
    for rate_hz, fit, bounds in product(arguments.rates, arguments.fits, arguments.bounds):
        checked = checked_with(arguments.folder, arguments.work, rate_hz, fit, bounds)
        row = {
            "rate_hz": rate_hz,
            "fit": fit,
            "bounds": bounds,
            **measured(without(checked, arguments.without), edits),
        }
        rows.append(row)
        print(line_of(row), file=sys.stderr, flush=True)
    print(json.dumps({"data_set": arguments.folder.name, "rows": rows}, indent=1))


def checked_with(folder: Path, work: Path, rate_hz: float, fit: str, bounds: str) -> CheckedSet:
    """Check the set in a working folder of its own for each rate; descriptors are kept there."""
    here = work / f"{rate_hz:g}hz-{fit}-{bounds}"
    here.mkdir(parents=True, exist_ok=True)
    keys = {**FITS[fit], "align.refine": "true" if bounds == "refined" else "false"}
    config = here / "settings.toml"
    text = [
        f"[{key.split('.')[0]}]\n{key.split('.')[1]} = {value}\n" for key, value in keys.items()
    ]
    config.write_text(_joined_tables(text), encoding="utf-8")
    return check_data_set(folder, here, index_flags=["--fps", f"{rate_hz:g}"], config=config)


def without(checked: CheckedSet, ref_ids: list[str]) -> CheckedSet:
    """Leave out matches to references that show the footage of another one, uncopied."""
    matches = checked.matches
    return replace(checked, matches=matches.take(~np.isin(matches.ref_ids, ref_ids)))


def measured(checked: CheckedSet, edits: Mapping[str, str]) -> dict[str, object]:
    matches, truth = checked.matches, checked.truth
    curve = segment_curve(matches, truth)
    low, high = confidence_interval(curve.resampled_ap(), curve.num_queries)
    is_right, _ = found_scores(matches, truth)
    threshold, recall = at_precision(matches, truth)
    return {
        "num_queries": len(checked.query_ids),
        "num_true": len(truth),
        "segment_ap": curve.ap(),
        "segment_ap_interval": [low, high],
        "pair_micro_ap": micro_ap(ScoredPairs.from_candidates(matches.pairs(), truth.pairs())),
        "bounds_alone": bounds_alone(matches, truth),
        "num_right": int(is_right.sum()),
        "min_score_at_95": threshold,
        "recall_at_95": recall,
        "by_edit": by_edit(matches, truth, edits, threshold),
    }


def at_precision(matches: Segments, truth: Segments) -> tuple[float | None, float]:
    """Lowest score from which 95 % of the matches are right, and the recall there."""
    curve = precision_curve(matches, truth)
    good = np.flatnonzero(curve.precision >= PRECISION)
    if len(good) == 0:
        return None, 0.0
    return float(curve.min_score[good[0]]), float(curve.recall[good[0]])


def by_edit(
    matches: Segments, truth: Segments, edits: Mapping[str, str], threshold: float | None
) -> dict[str, dict[str, float]]:
    """What was measured of each edit, and its recall at 95 %."""
    return {
        edit: {
            "num_true": scores.num_true,
            "segment_ap": scores.segment_ap,
            "recall_at_95": scores.recall(np.inf if threshold is None else threshold),
            "ever_found": scores.ever_found,
        }
        for edit, scores in scores_by_edit(matches, truth, edits).items()
    }


def bounds_alone(matches: Segments, truth: Segments) -> float:
    is_right, _ = found_scores(matches, truth)
    right = matches.take(is_right)
    _, best = found_scores(right, truth)
    found = truth.take(np.isfinite(best))
    return segment_ap(replace(right, score=np.ones(len(right))), found)


def line_of(row: dict[str, object]) -> str:
    keys = ("segment_ap", "pair_micro_ap", "bounds_alone", "recall_at_95")
    numbers = "  ".join(f"{key} {row[key]:.3f}" for key in keys)
    return f"{row['rate_hz']:g} Hz  {row['fit']:<6} {row['bounds']:<8} {numbers}"


def _joined_tables(parts: list[str]) -> str:
    tables: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        head, line = part.strip().split("\n")
        tables[head].append(line)
    return "\n".join("\n".join([head, *lines]) + "\n" for head, lines in tables.items())


if __name__ == "__main__":
    main()
