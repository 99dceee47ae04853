"""`vcd eval vsc-descriptor`: micro-AP of two descriptor files, as VSC2022's descriptor track."""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.cli import verb_parser
from pipelines.curve_picture import Curve, save_curves
from pipelines.results import intervals_of, provenance, results_document, results_table
from pipelines.track_files import ranked_counts, say_how_ids_fit, searching, track_inputs
from vcd.config import load_settings
from vcd.descriptors import DescriptorRows, FitSettings, read_descriptor_rows
from vcd.evaluation.files.vsc_files import read_ground_truth, write_candidates
from vcd.evaluation.micro_ap import ScoredPairs, micro_ap, micro_curve
from vcd.evaluation.resampled_pairs import resampled_micro_ap
from vcd.evaluation.tables import Candidates
from vcd.evaluation.vsc2022 import descriptor_track, raw_rows, score_normalized_rows

__all__ = ["main"]

_ABOUT = """\
Rank pairs of videos by their descriptors, as the descriptor track of VSC2022 does.

Rows are compared by inner product, whatever their length. The best 1,200 pairs of frames a query,
over all queries together, give each pair of videos its best score; the best 25 pairs of videos a
query, again over all queries together, are ranked.

With --background, scores are normalized as in the published baseline: the dimension of lowest
variance is left out, rows are brought to length 1, and 1.2 times the similarity of the nearest
background row is taken away. [fit] in --config changes that. Projected rows wait in the system's
folder for temporary files (TMPDIR)."""


def main(argv: Sequence[str]) -> int:
    """Run the action; see ``vcd eval vsc-descriptor --help``."""
    arguments = _parse(argv)
    settings = load_settings(arguments.config, {})
    files = {
        role: read_descriptor_rows(path)
        for role, path in track_inputs(arguments).items()
        if role != "ground_truth"
    }
    truth = read_ground_truth(arguments.ground_truth).pairs()
    say_how_ids_fit(files["queries"], files["references"], truth, str(arguments.ground_truth))
    found = _ranked(files, settings.fit)
    if arguments.candidates_out is not None:
        write_candidates(arguments.candidates_out, found)
    pairs = ScoredPairs.from_candidates(found, truth)
    metrics = {"micro_ap": micro_ap(pairs)}
    intervals = intervals_of({"micro_ap": resampled_micro_ap(pairs)}, pairs.num_queries)
    counts = ranked_counts(files["queries"], files["references"], pairs)
    if arguments.json:
        origin = provenance(
            inputs=track_inputs(arguments),
            settings=_settings(settings.fit) if "background" in files else {},
            spaces={role: rows.space for role, rows in files.items()},
        )
        console.print_json(results_document(metrics, intervals, origin, counts=counts))
    else:
        print(results_table(metrics, intervals, counts))
    if arguments.picture is not None:
        precision, recall, _ = micro_curve(pairs)
        curve = Curve(name="pairs", precision=precision, recall=recall, ap=metrics["micro_ap"])
        save_curves(arguments.picture, "VSC2022, descriptor track", [curve])
    return 0


def _ranked(files: dict[str, DescriptorRows], fit: FitSettings) -> Candidates:
    query, ref = files["queries"], files["references"]
    if "background" not in files:
        with searching("search") as tell:
            return descriptor_track(raw_rows(query, ref), tell)
    with tempfile.TemporaryDirectory(prefix="vcd-eval-") as folder:
        rows = score_normalized_rows(query, ref, files["background"], fit, Path(folder))
        with searching("search") as tell:
            return descriptor_track(rows, tell)


def _settings(fit: FitSettings) -> dict[str, Any]:
    """Say which settings mattered; the background is among the inputs."""
    return {f"fit.{name}": value for name, value in asdict(fit).items() if name != "background"}


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("eval vsc-descriptor", _ABOUT)
    parser.add_argument("--queries", required=True, type=Path, metavar="Q.npz")
    parser.add_argument("--refs", required=True, type=Path, metavar="R.npz")
    parser.add_argument("--ground-truth", required=True, type=Path, metavar="GT.csv")
    parser.add_argument(
        "--background", type=Path, metavar="B.npz", help="footage that is no copy of any reference"
    )
    parser.add_argument(
        "--candidates-out", type=Path, metavar="FILE.csv", help="write the ranked pairs"
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE.png", help="draw precision over recall"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser.parse_args(argv)
