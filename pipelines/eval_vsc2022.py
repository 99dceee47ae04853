"""`vcd eval vsc2022`: from a folder of videos with ground truth to both tracks of VSC2022."""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.curve_picture import Curve, save_curves
from pipelines.dataset_layout import SPLITS, find_vsc2022
from pipelines.eval_dataset import (
    data_set_parser,
    describe_data_set,
    parse_data_set,
    save_results,
)
from pipelines.file_matching import open_file_matcher
from pipelines.results import intervals_of, provenance, results_document, results_table
from pipelines.track_files import say_how_ids_fit, searching
from vcd.config import load_settings
from vcd.descriptors import DescriptorRows, read_descriptor_rows
from vcd.evaluation.bootstrap import Metric
from vcd.evaluation.by_edit import EditScores, scores_by_edit
from vcd.evaluation.files.edits_file import read_edits
from vcd.evaluation.files.vsc_files import read_ground_truth, write_candidates, write_matches
from vcd.evaluation.micro_ap import ScoredPairs, micro_ap, micro_curve
from vcd.evaluation.resampled_pairs import resampled_micro_ap
from vcd.evaluation.segment_ap import segment_curve
from vcd.evaluation.tables import Segments
from vcd.evaluation.vsc2022 import descriptor_track, raw_rows, score_normalized_rows

__all__ = ["main"]

_ABOUT = """\
Describe, match and measure a whole data set in the form of VSC2022; `vcd synth` makes such sets.

  DATA_DIR/queries, DATA_DIR/refs, DATA_DIR/*ground_truth.csv; DATA_DIR/background if there is one
  or the public release: DATA_DIR/dataset_{train,val,test}/..., and --split

  micro_ap         descriptor track        segment_ap         matching track
  match_micro_ap   pairs by their best match
  ..._score_norm   the same with score normalization, where there is a background
  by_edit          true segments, segment AP and share found of each edit, where `vcd synth`
                   left an edits.csv

Writes descriptors, candidates, matches, pictures and results.json to --out; the same command
again describes only what is missing."""

_RAW, _NORMALIZED = "", "_score_norm"


def main(argv: Sequence[str]) -> int:
    """Run the action; see ``vcd eval vsc2022 --help``."""
    arguments = _parse(argv)
    folders = find_vsc2022(arguments.data_dir, arguments.split)
    truth = read_ground_truth(folders.ground_truth)
    edits = {} if folders.edits is None else read_edits(folders.edits, truth)
    files, outcome = describe_data_set(arguments, folders)
    rows = {role: read_descriptor_rows(path) for role, path in files.items()}
    say_how_ids_fit(rows["queries"], rows["refs"], truth, str(folders.ground_truth))
    run = _Measuring(arguments=arguments, truth=truth, edits=edits, rows=rows)
    run.measure(_RAW)
    if "background" in rows:
        run.measure(_NORMALIZED)
    inputs = {**files, "ground_truth": folders.ground_truth}
    origin = provenance(
        inputs=inputs if folders.edits is None else {**inputs, "edits": folders.edits},
        settings={"media.rate_hz": load_settings(arguments.config, {}).media.rate_hz}
        | run.settings,
        spaces={role: each.space for role, each in rows.items()},
    )
    counts = {
        "queries": len(rows["queries"].runs),
        "references": len(rows["refs"].runs),
        "true_segments": len(truth),
        "refused": len(outcome.refused),
        "not_in_full": len(outcome.unseen_s),
    }
    document = results_document(run.metrics, run.intervals, origin, counts=counts)
    document |= {name: _edit_values(scores) for name, scores in run.by_edit.items()}
    save_results(arguments.out, document)
    for name, curves in run.curves.items():
        save_curves(arguments.out / f"{name}.png", f"VSC2022, {name} track", curves)
    if arguments.json:
        console.print_json(document)
    else:
        print(results_table(run.metrics, run.intervals, counts))
        for name, scores in run.by_edit.items():
            print(f"\n{_edit_table(name, scores)}")
    console.say(outcome.closing_line(done="described", note=f"results in {arguments.out}"))
    return outcome.exit_code


@dataclass(kw_only=True)
class _Measuring:
    """Both tracks, without and with score normalization."""

    arguments: argparse.Namespace
    truth: Segments
    edits: Mapping[str, str]
    rows: Mapping[str, DescriptorRows]
    metrics: dict[str, float | None] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    curves: dict[str, list[Curve]] = field(default_factory=dict)
    by_edit: dict[str, Mapping[str, EditScores]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def measure(self, variant: str) -> None:
        """Rank and match, write what was found, and take it into the results."""
        self._descriptor_track(variant)
        self._matching_track(variant)

    def _descriptor_track(self, variant: str) -> None:
        query, ref, out = self.rows["queries"], self.rows["refs"], self.arguments.out
        with tempfile.TemporaryDirectory(dir=out, prefix=".vcd-") as folder:
            if variant == _RAW:
                rows = raw_rows(query, ref)
            else:
                fit = load_settings(self.arguments.config, {}).fit
                background = self.rows["background"]
                rows = score_normalized_rows(query, ref, background, fit, Path(folder))
            with searching(f"ranking{variant}") as tell:
                candidates = descriptor_track(rows, tell)
        write_candidates(out / f"candidates{variant}.csv", candidates)
        pairs = ScoredPairs.from_candidates(candidates, self.truth.pairs())
        name = f"micro_ap{variant}"
        self._take({name: resampled_micro_ap(pairs)}, {name: micro_ap(pairs)}, pairs.num_queries)
        precision, recall, _ = micro_curve(pairs)
        curve = Curve(name=name, precision=precision, recall=recall, ap=micro_ap(pairs))
        self.curves.setdefault("descriptor", []).append(curve)

    def _matching_track(self, variant: str) -> None:
        out = self.arguments.out
        overrides: dict[str, object] = {"fit.background": "none"}
        if variant == _NORMALIZED:
            overrides["fit.background"] = str(self.rows["background"].path)
        matcher = open_file_matcher(
            self.rows["queries"].path,
            self.rows["refs"].path,
            self.arguments.config,
            overrides,
            # Segment AP ranks everything; a threshold would only cut off its tail.
            defaults={"align.min_score": float("-inf")},
        )
        matches = matcher.match(out).matches
        write_matches(out / f"matches{variant}.csv", matches)
        found = matcher.provenance()["settings"]
        self.settings |= {name: each for name, each in found.items() if name != "fit.background"}
        curve = segment_curve(matches, self.truth)
        pairs = ScoredPairs.from_candidates(matches.pairs(), self.truth.pairs())
        names = (f"segment_ap{variant}", f"match_micro_ap{variant}")
        resampled = (curve.resampled_ap(), resampled_micro_ap(pairs))
        values = (curve.ap(), micro_ap(pairs))
        self._take(
            dict(zip(names, resampled, strict=True)),
            dict(zip(names, values, strict=True)),
            curve.num_queries,
        )
        precision, recall = curve.precision_recall()
        shown = Curve(name=names[0], precision=precision, recall=recall, ap=curve.ap())
        self.curves.setdefault("matching", []).append(shown)
        if self.edits:
            by_edit = scores_by_edit(matches, self.truth, self.edits)
            self.by_edit[f"by_edit{variant}"] = by_edit

    def _take(
        self, resampled: Mapping[str, Metric], values: Mapping[str, float], num_queries: int
    ) -> None:
        self.metrics |= values
        self.intervals |= intervals_of(resampled, num_queries)


def _edit_values(scores: Mapping[str, EditScores]) -> dict[str, dict[str, float]]:
    return {
        edit: {
            "num_true": each.num_true,
            "segment_ap": each.segment_ap,
            "ever_found": each.ever_found,
        }
        for edit, each in scores.items()
    }


def _edit_table(name: str, scores: Mapping[str, EditScores]) -> str:
    width = max(map(len, (name, *scores)))
    lines = [f"{name:<{width}}  true segments  segment_ap  ever found"]
    lines += [
        f"{edit:<{width}}  {each.num_true:13,}  {each.segment_ap:10.4f}  {each.ever_found:10.3f}"
        for edit, each in scores.items()
    ]
    return "\n".join(lines)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = data_set_parser("eval vsc2022", _ABOUT)
    parser.add_argument("--split", choices=SPLITS, help="of the public release")
    return parse_data_set(parser, argv)
