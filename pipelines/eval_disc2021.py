"""`vcd eval disc2021`: from folders of images to the rows of SSCD's table on DISC2021."""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines import console
from pipelines.curve_picture import Curve, save_curves
from pipelines.dataset_layout import find_disc2021
from pipelines.eval_dataset import (
    data_set_parser,
    describe_data_set,
    parse_data_set,
    save_results,
)
from pipelines.results import intervals_of, provenance, results_document, results_table
from pipelines.track_files import say_how_ids_fit, searching
from vcd.descriptors import DescriptorRows, read_descriptor_rows
from vcd.evaluation.bootstrap import ratio_of
from vcd.evaluation.disc2021 import FLAT, Budget, Codec, Training, ranked_pairs, searched_rows
from vcd.evaluation.files.truth_files import read_pairs
from vcd.evaluation.micro_ap import (
    ScoredPairs,
    accuracy_at_1,
    found_within_rank,
    isc_micro_ap,
    micro_curve,
    recall_at_precision,
)
from vcd.evaluation.resampled_pairs import resampled_isc_micro_ap, resampled_recall_at_precision
from vcd.evaluation.tables import Candidates

__all__ = ["main"]

_ABOUT = """\
Describe and rank a whole data set in the form of DISC2021's validation set.

  DATA_DIR/val_query, DATA_DIR/val_ref, DATA_DIR/training (or queries, refs, training) and one
  DATA_DIR/*groundtruth*.csv of pairs

  micro_ap, recall_at_p90, accuracy_at_1   images as described, by L2 distance
  ..._score_norm                           with score normalization 1.0[0,2]
  ..._whitened                             whitened (PCAW, all dimensions), length 1
  ..._whitened_score_norm                  both

Without training images there is only the first row. Writes descriptors, a picture and results.json
to --out; the same command again describes only what is missing."""

_PRECISION = 0.9


def main(argv: Sequence[str]) -> int:
    """Run the action; see ``vcd eval disc2021 --help``."""
    arguments = parse_data_set(data_set_parser("eval disc2021", _ABOUT), argv)
    folders = find_disc2021(arguments.data_dir)
    truth = read_pairs(folders.ground_truth)
    files, outcome = describe_data_set(arguments, folders)
    rows = {role: read_descriptor_rows(path) for role, path in files.items()}
    say_how_ids_fit(rows["queries"], rows["refs"], truth, str(folders.ground_truth))
    run = _Measuring(arguments=arguments, truth=truth, rows=rows)
    run.measure("", FLAT, None)
    if "background" in rows:
        run.measure_trained(rows["background"])
    origin = provenance(
        inputs={**files, "ground_truth": folders.ground_truth},
        settings={"candidates_per_query": Budget().num_refs},
        spaces={role: each.space for role, each in rows.items()},
    )
    counts = {
        "queries": len(rows["queries"].runs),
        "references": len(rows["refs"].runs),
        "true_pairs": len(truth),
        "refused": len(outcome.refused),
        "not_in_full": len(outcome.unseen_s),
    }
    document = results_document(run.metrics, run.intervals, origin, counts=counts)
    save_results(arguments.out, document)
    save_curves(arguments.out / "pairs.png", "DISC2021", run.curves)
    if arguments.json:
        console.print_json(document)
    else:
        print(results_table(run.metrics, run.intervals, counts))
    console.say(outcome.closing_line(done="described", note=f"results in {arguments.out}"))
    return outcome.exit_code


@dataclass(kw_only=True)
class _Measuring:
    """The rows of the table, one after the other."""

    arguments: argparse.Namespace
    truth: Candidates
    rows: Mapping[str, DescriptorRows]
    metrics: dict[str, float | None] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)

    def measure_trained(self, background: DescriptorRows) -> None:
        """Measure the rows that learn from training images; whitening needs many."""
        training = Training(rows=background)
        self.measure("_score_norm", FLAT, training)
        num_rows, dim = background.features.shape
        if num_rows <= dim:
            console.say(
                f"no whitened rows: whitening to {dim} dimensions wants more than {dim} training "
                f"images, found {num_rows}"
            )
            return
        whitened = Codec(whitening_dim=dim)
        self.measure("_whitened", whitened, Training(rows=background, score_norm=None))
        self.measure("_whitened_score_norm", whitened, training)

    def measure(self, variant: str, codec: Codec, training: Training | None) -> None:
        """Rank, and take the row into the results."""
        query, ref = self.rows["queries"], self.rows["refs"]
        with tempfile.TemporaryDirectory(dir=self.arguments.out, prefix=".vcd-") as folder:
            searched = searched_rows(query, ref, training, codec, Path(folder))
            with searching(f"ranking{variant}") as tell:
                found = ranked_pairs(searched, Budget(), tell)
        pairs = ScoredPairs.from_candidates(found, self.truth)
        recall, threshold = recall_at_precision(pairs, _PRECISION)
        self.metrics |= {
            f"micro_ap{variant}": isc_micro_ap(pairs),
            f"recall_at_p90{variant}": recall if threshold is not None else None,
            f"accuracy_at_1{variant}": accuracy_at_1(pairs),
        }
        resampled = {
            f"micro_ap{variant}": resampled_isc_micro_ap(pairs),
            f"recall_at_p90{variant}": resampled_recall_at_precision(pairs, _PRECISION),
            f"accuracy_at_1{variant}": ratio_of(found_within_rank(pairs, 1), pairs.num_true),
        }
        self.intervals |= intervals_of(resampled, pairs.num_queries)
        precision, recalls, _ = micro_curve(pairs)
        name = f"pairs{variant.replace('_', ' ')}"
        ap = isc_micro_ap(pairs)
        self.curves.append(Curve(name=name, precision=precision, recall=recalls, ap=ap))
